package cli

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// span is a flag for how far to look back: 90m, 24h, 7d.
type span time.Duration

// maxSpan is more than any history is kept, and far from where the arithmetic
// with times overflows.
const maxSpan = 100 * 366 * 24 * time.Hour

func (s *span) String() string { return spanText(time.Duration(*s)) }
func (s *span) Type() string   { return "DURATION" }

// Set implements pflag.Value.
func (s *span) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
			if number, ok := strings.CutSuffix(text, unit); ok {
				var n float64
				if n, err = strconv.ParseFloat(number, 64); err == nil {
					d = time.Duration(min(n*float64(length), float64(maxSpan)+1))
				}
				break
			}
		}
	}
	if err != nil || d <= 0 || d > maxSpan {
		return errors.New("not a time to look back; write 90m, 24h or 7d")
	}
	*s = span(d)
	return nil
}

// spanText writes a duration as one would type it.
func spanText(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == 0:
		return ""
	case d%day == 0 && d > day:
		return strconv.Itoa(int(d/day)) + "d"
	case d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	case d%time.Minute == 0:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	default:
		return d.String()
	}
}
