package sdk

import (
	"strings"
)

// truncate cuts text at limit characters.
func truncate(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= limit { // no more characters than bytes
		return text
	}
	runes := 0
	for i := range text {
		if runes == limit {
			return text[:i] + "..."
		}
		runes++
	}
	return text
}
