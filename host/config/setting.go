package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/action-llama/gateway/host/spelling"
)

// setting is a key that takes a single value. One table of them (keys.go)
// makes the defaults, the checks, the environment variables, the suggestions
// and the documentation.
type setting[T any] struct {
	key      string // "gateway.port"
	standard any    // the default: int, int64 (a size), time.Duration, bool or string
	low      int64  // smallest value: a number, bytes, or nanoseconds
	high     int64
	words    []string // a text is one of these; nil allows any
	help     string
	put      func(*T, any)
	get      func(*T) any
}

func number[T any](key string, standard int, low, high int64, field func(*T) *int, help string) setting[T] {
	return made(setting[T]{key: key, standard: standard, low: low, high: high, help: help}, field)
}

func size[T any](key string, standard, low, high int64, field func(*T) *int64, help string) setting[T] {
	return made(setting[T]{key: key, standard: standard, low: low, high: high, help: help}, field)
}

func duration[T any](key string, standard, low time.Duration, field func(*T) *time.Duration, help string) setting[T] {
	return made(setting[T]{key: key, standard: standard, low: int64(low), high: int64(maxDuration), help: help}, field)
}

// upTo lowers the bound of a setting.
func upTo[T any](high time.Duration, s setting[T]) setting[T] {
	s.high = int64(high)
	return s
}

func text[T any](key, standard string, field func(*T) *string, help string) setting[T] {
	return made(setting[T]{key: key, standard: standard, help: help}, field)
}

// oneOf bounds a text to words.
func oneOf[T any](words []string, s setting[T]) setting[T] {
	s.words = words
	return s
}

func secret[T any](key string, field func(*T) *Secret, help string) setting[T] {
	return made(setting[T]{key: key, standard: NewSecret(""), help: help}, field)
}

func boolean[T any](key string, standard bool, field func(*T) *bool, help string) setting[T] {
	return made(setting[T]{key: key, standard: standard, help: help}, field)
}

// made gives a setting its field.
func made[T, V any](s setting[T], field func(*T) *V) setting[T] {
	s.put = func(t *T, v any) { assign(field(t), v) }
	s.get = func(t *T) any { return *field(t) }
	return s
}

func assign[V any](field *V, v any) {
	if v, ok := v.(V); ok {
		*field = v
	}
}

// read makes the setting's value of one in a file. The complaint says what is
// wrong, for example "must be an integer, got string", and how to mend it.
func (s setting[T]) read(v *value) (any, complaint) {
	switch s.standard.(type) {
	case int:
		if v.kind != integerKind {
			return nil, s.mismatch("an integer", v)
		}
		return s.ranged(v.integer, strconv.FormatInt(v.integer, 10))
	case int64:
		switch v.kind {
		case integerKind:
			return s.ranged(v.integer, strconv.FormatInt(v.integer, 10))
		case textKind:
			return s.parse(v.text)
		default:
			return nil, s.mismatch(`bytes (1048576) or a size ("1MiB")`, v)
		}
	case time.Duration:
		switch v.kind {
		case integerKind:
			return s.parse(strconv.FormatInt(v.integer, 10))
		case textKind:
			return s.parse(v.text)
		default:
			return nil, s.mismatch(`seconds (90) or a duration ("1m30s")`, v)
		}
	case bool:
		if v.kind != booleanKind {
			return nil, s.mismatch("true or false", v)
		}
		return v.boolean, complaint{}
	default:
		if v.kind != textKind {
			return nil, s.mismatch("a string", v)
		}
		return s.parse(v.text)
	}
}

// parse makes the setting's value of a text: from the environment, from the
// command line, or from a file where a text is one of the ways to write it.
func (s setting[T]) parse(text string) (any, complaint) {
	switch s.standard.(type) {
	case int:
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return nil, complaint{what: fmt.Sprintf("must be an integer, got %q", shorten(text))}
		}
		return s.ranged(n, text)
	case int64:
		n, ok := parseSize(text)
		if !ok {
			return nil, complaint{
				what: fmt.Sprintf("is not a size: %q", shorten(text)),
				fix:  `write bytes (1048576) or a number with B, KiB, MiB, GiB, KB, MB or GB`,
			}
		}
		return s.ranged(n, text)
	case time.Duration:
		d, ok := parseDuration(text)
		if !ok {
			return nil, complaint{
				what: fmt.Sprintf("is not a duration of at most a year: %q", shorten(text)),
				fix:  `write seconds (90) or a number with s, m or h ("1m30s")`,
			}
		}
		return s.ranged(int64(d), text)
	case bool:
		on, err := strconv.ParseBool(strings.TrimSpace(text))
		if err != nil {
			return nil, complaint{what: fmt.Sprintf("must be true or false, got %q", shorten(text))}
		}
		return on, complaint{}
	case Secret:
		return NewSecret(text), complaint{}
	default:
		if strings.ContainsFunc(text, unicode.IsControl) {
			return nil, complaint{what: "must not contain control characters"}
		}
		if len(s.words) > 0 && !slices.Contains(s.words, text) {
			return nil, complaint{
				what: fmt.Sprintf("is none of %s: %q", list(s.words), shorten(text)), fix: spelling.DidYouMean(text, s.words),
			}
		}
		return text, complaint{}
	}
}

// ranged checks the bounds and gives the value its type.
func (s setting[T]) ranged(n int64, text string) (any, complaint) {
	switch {
	case n < s.low:
		return nil, complaint{what: fmt.Sprintf("must be at least %s, got %s", s.format(s.low), shorten(text))}
	case n > s.high:
		return nil, complaint{what: fmt.Sprintf("must be at most %s, got %s", s.format(s.high), shorten(text))}
	}
	switch s.standard.(type) {
	case int:
		return int(n), complaint{}
	case time.Duration:
		return time.Duration(n), complaint{}
	default:
		return n, complaint{}
	}
}

// format writes a bound of the setting in its unit.
func (s setting[T]) format(n int64) string {
	switch s.standard.(type) {
	case int64:
		return formatSize(n)
	case time.Duration:
		return formatDuration(time.Duration(n))
	default:
		return strconv.FormatInt(n, 10)
	}
}

// defaultText is the default as one would write it in the file.
func (s setting[T]) defaultText() string {
	switch d := s.standard.(type) {
	case int:
		return strconv.Itoa(d)
	case int64:
		return strconv.Quote(formatSize(d))
	case time.Duration:
		return strconv.Quote(formatDuration(d))
	case bool:
		return strconv.FormatBool(d)
	case string:
		if d == "" {
			return ""
		}
		return strconv.Quote(d)
	default:
		return ""
	}
}

func (s setting[T]) mismatch(want string, v *value) complaint {
	c := complaint{what: fmt.Sprintf("must be %s, got %s", want, v.kind)}
	if v.kind != textKind {
		return c
	}
	meant := false // only the quotes are wrong
	switch s.standard.(type) {
	case int:
		_, err := strconv.Atoi(v.text)
		meant = err == nil
	case bool:
		meant = v.text == "true" || v.text == "false"
	}
	if meant {
		c.fix = fmt.Sprintf("write %s without quotes", v.text)
	}
	return c
}

func (s setting[T]) env() string { return envName(s.key) }

// envName is the environment variable of a setting: AL_GATEWAY_MAX_BODY_BYTES
// for "gateway.maxBodyBytes".
func envName(key string) string {
	var out strings.Builder
	out.WriteString(envPrefix)
	for _, r := range key {
		switch {
		case r == '.':
			out.WriteByte('_')
			continue
		case unicode.IsUpper(r):
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToUpper(r))
	}
	return out.String()
}

const (
	envPrefix = "AL_"
	maxNumber = math.MaxInt32 // more of anything than a host can have
)

// complaint is what is wrong with a value, before it has a place.
type complaint struct{ what, fix string }

func (c complaint) none() bool { return c.what == "" }

// shorten keeps a message readable whatever was in the file.
func shorten(text string) string {
	runes := []rune(text)
	if len(runes) <= 60 {
		return text
	}
	return string(runes[:60]) + "..."
}
