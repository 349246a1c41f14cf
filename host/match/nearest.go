package match

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// nearest returns the candidate that somebody who wrote word most likely
// meant. Letter case does not count, and of two equally near the first wins.
func nearest(word string, candidates []string) (string, bool) {
	var best string
	bestDistance := -1
	typed := []rune(folded(word))
	for _, c := range candidates {
		if c == "" {
			continue
		}
		limit := typos(max(len(typed), utf8.RuneCountInString(c)))
		if bestDistance >= 0 {
			limit = min(limit, bestDistance-1)
		}
		if limit < 0 {
			break // nothing is nearer than the same word
		}
		if d := distance(typed, []rune(folded(c)), limit); d <= limit {
			best, bestDistance = c, d
		}
	}
	return best, bestDistance >= 0
}

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
// their neighbor between a and b. Beyond limit it only says "more".
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

// didYouMean ends a message about an unknown word with the nearest known one.
func didYouMean(word string, known []string) string {
	if near, ok := nearest(word, known); ok {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// listed names the known words for a message, shortened where nobody would
// read them all.
func listed(known []string) string {
	const most = 20
	if len(known) > most {
		return strings.Join(known[:most], ", ") + fmt.Sprintf(" and %d more", len(known)-most)
	}
	return strings.Join(known, ", ")
}
