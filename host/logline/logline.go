// Package logline is how some values stand in a line of the log: what strangers
// wrote, and how long something took. Lines are hclog's; which there are and
// what is in them is up to whoever writes them.
package logline

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	mostText     = 128 // characters of an id or a name: none that means anything is longer
	mostSentence = 500
)

// Text is what a stranger wrote, in one line whatever is in it, and not long.
func Text(s string) string { return bounded(s, mostText) }

// Error is the text of an error that may quote what a stranger wrote.
func Error(err error) string {
	if err == nil {
		return ""
	}
	return Sentence(err.Error())
}

// Sentence is the same of a reason for people.
func Sentence(s string) string { return bounded(s, mostSentence) }

func bounded(s string, most int) string {
	if len(s) <= most && plain(s) {
		return s
	}
	var out strings.Builder
	n := 0
	for rest := s; rest != ""; n++ {
		if n == most {
			out.WriteString("...")
			break
		}
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			out.WriteString(`\x` + strconv.FormatUint(uint64(rest[0]), 16))
		case unicode.IsPrint(r):
			out.WriteRune(r)
		default: // control characters, line separators, and what turns the direction of a text
			quoted := strconv.QuoteRuneToASCII(r)
			out.WriteString(quoted[1 : len(quoted)-1])
		}
		rest = rest[size:]
	}
	return out.String()
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Took is how long something took: "12ms" in text, seconds in JSON.
type Took time.Duration

func (t Took) String() string {
	d := time.Duration(t)
	switch {
	case d >= time.Second:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(time.Microsecond).String()
	}
}

// MarshalJSON implements [encoding/json.Marshaler].
func (t Took) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(t).Round(time.Microsecond).Seconds(), 'f', -1, 64), nil
}
