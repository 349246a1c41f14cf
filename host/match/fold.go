package match

import (
	"unicode"
	"unicode/utf8"
)

// appendFold appends s in a form in which two strings are the same bytes
// exactly when strings.EqualFold holds them equal. Lower-casing both would not
// do: the Kelvin sign is a k and the long s is an s, but neither is what
// strings.ToLower makes of the other's capital.
func appendFold(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			return appendFoldRunes(dst, s[i:])
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

func appendFoldRunes(dst []byte, s string) []byte {
	for _, r := range s {
		dst = utf8.AppendRune(dst, foldRune(r))
	}
	return dst
}

// foldRune picks one rune for all that are equal under simple folding: the
// smallest, and for a letter of ASCII its lower case, so that the usual value
// is in its folded form already.
func foldRune(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if 'A' <= least && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}

// folded is appendFold for strings that are kept. It returns s itself when
// there is nothing to fold.
func folded(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return string(appendFold(make([]byte, 0, len(s)), s))
		}
	}
	return s
}
