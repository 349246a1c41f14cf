package cli

import (
	"fmt"
	"strings"
	"unicode"
)

// printable makes a stranger's text safe for a terminal: what does not show, or
// would move the cursor or turn the writing around, is escaped. Line ends stay.
func printable(text string) string {
	if strings.IndexFunc(text, hidden) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if hidden(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// printableLine is printable for a text that has to stay on its line.
func printableLine(text string) string {
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(printable(text))
}

func hidden(r rune) bool {
	return r != '\n' && r != '\t' && r != ' ' && !unicode.IsPrint(r)
}
