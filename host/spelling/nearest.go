// Package spelling guesses what somebody meant who mistyped a name, so that an
// error can say so. It decides nothing.
package spelling

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// longest is where guessing ends: a longer name is no slip of the pen, and
// comparing it costs.
const longest = 64

// Nearest returns the known name that was probably meant, or "". Letter case
// and the separators "-" and "_" count for nothing, so that max_body_bytes
// finds maxBodyBytes; of two equally near the first wins.
func Nearest(name string, known []string) string {
	typed := []rune(fold(name))
	if len(typed) > longest {
		return ""
	}
	best, least := "", -1
	for _, k := range known {
		if k == "" || k == name {
			continue
		}
		limit := typos(max(len(typed), utf8.RuneCountInString(k)))
		if least >= 0 {
			limit = min(limit, least-1)
		}
		if limit < 0 {
			break // nothing is nearer than the same word
		}
		if d := distance(typed, []rune(fold(k)), limit); d <= limit {
			best, least = k, d
		}
	}
	return best
}

// DidYouMean is Nearest as a question, or "".
func DidYouMean(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return ""
}

var separators = strings.NewReplacer("-", "", "_", "")

func fold(name string) string { return separators.Replace(strings.ToLower(name)) }

// typos is how many slips still leave a word of this length recognizable.
func typos(length int) int {
	switch {
	case length <= 3:
		return 1
	case length <= 7:
		return 2
	default:
		return 3
	}
}

// distance counts the letters that were added, lost, replaced or swapped with
// their neighbour between a and b (optimal string alignment). Beyond limit it
// only says "more".
func distance(a, b []rune, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least > limit {
			return limit + 1
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
