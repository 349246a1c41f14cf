package page

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// harmless makes characters visible that would make a text show something else
// than it says: marks that change the direction of what follows, invisible ones,
// and controls. It is done to whole answers, so that no field can be forgotten;
// the result means nothing in HTML.
func harmless(text string) string {
	at := strings.IndexFunc(text, deceptive)
	if at < 0 {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + 64)
	for at >= 0 {
		r, size := utf8.DecodeRuneInString(text[at:])
		b.WriteString(text[:at])
		fmt.Fprintf(&b, "‹U+%04X›", r)
		text = text[at+size:]
		at = strings.IndexFunc(text, deceptive)
	}
	b.WriteString(text)
	return b.String()
}

func deceptive(r rune) bool {
	switch {
	case r < 0x20:
		return r != '\n' && r != '\t'
	case r < 0x7f:
		return false
	case r <= 0x9f, r == 0xad, r == 0x61c, r == 0x180e, r == 0x200b, r == 0x200e, r == 0x200f, r == 0xfeff:
		return true
	default:
		return r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x206f || r >= 0xfff9 && r <= 0xfffb || r >= 0xe0000 && r <= 0xe007f
	}
}

// sentence is what an error says, on its own.
func sentence(text string) string {
	r, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return text
	}
	text = string(unicode.ToUpper(r)) + text[size:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}

// cut shortens a text to so many characters.
func cut(most int, text string) string {
	if len(text) <= most {
		return text
	}
	n := 0
	for i := range text {
		if n == most {
			return text[:i] + "…"
		}
		n++
	}
	return text
}

// escapes are what colours a terminal.
var escapes = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|[()][0-9A-B]|[=>78M])")

// maxEscape is longer than any that is kept back for its end.
const maxEscape = 64

// plain is what a harness wrote without colours, and a line for each state of a
// line that was written over.
func plain(text string) string {
	text = escapes.ReplaceAllString(strings.ToValidUTF8(text, "\uFFFD"), "")
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}

// settled is how much of a piece of output can be shown: all but a character or
// an escape at its end that is not complete.
func settled(piece []byte) int {
	n := len(piece)
	for i := n - 1; i >= 0 && i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(piece[i]) {
			if !utf8.FullRune(piece[i:]) {
				n = i
			}
			break
		}
	}
	for i := n - 1; i >= 0 && i >= n-maxEscape; i-- {
		if piece[i] == 0x1b {
			if escapes.FindIndex(piece[i:n]) == nil {
				n = i
			}
			break
		}
	}
	if n > 0 && piece[n-1] == '\r' { // the beginning of \r\n, perhaps
		n--
	}
	return n
}

// elapsed is a duration as people say it.
func elapsed(d time.Duration) string {
	switch d = d.Truncate(time.Second); {
	case d < time.Second:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm %02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh %02dm", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%dd %dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	}
}

// ago is how long ago something was, or how soon it will be. The script says the
// same while the page stands.
func ago(at, now time.Time) string {
	d := now.Sub(at)
	if d < -500*time.Millisecond {
		return "in " + roughly(-d)
	}
	if d < 2*time.Second {
		return "just now"
	}
	return roughly(d) + " ago"
}

func roughly(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
}

// bytesOf is a size as people say it.
func bytesOf(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	default:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
}
