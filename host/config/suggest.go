package config

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Suggest returns the known name that was probably meant, or "". Case and the
// separators "-" and "_" count for nothing, so that max_body_bytes finds
// maxBodyBytes; of the rest about one letter in three may be wrong.
func Suggest(name string, known []string) string {
	best, least := "", 0
	folded := fold(name)
	// A longer name is no slip of the pen, and comparing it costs.
	if utf8.RuneCountInString(folded) > 64 {
		return ""
	}
	limit := max(1, (utf8.RuneCountInString(folded)+1)/3)
	for _, k := range known {
		if k == name {
			continue
		}
		d := distance(folded, fold(k))
		if d <= limit && (best == "" || d < least) {
			best, least = k, d
		}
	}
	return best
}

// didYouMean is Suggest as the end of a message, or "".
func didYouMean(name string, known []string) string {
	if s := Suggest(name, known); s != "" {
		return fmt.Sprintf("did you mean %q?", s)
	}
	return ""
}

func fold(name string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name))
}

// distance is the number of letters to insert, remove, replace or swap with
// their neighbour that make b of a (optimal string alignment).
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	before, prev, row := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(t)]
}
