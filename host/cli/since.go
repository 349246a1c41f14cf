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
		d, err = parseDays(text)
	}
	if err != nil || d <= 0 || d > maxSpan {
		return errors.New("not a time to look back; write 90m, 24h or 7d")
	}
	*s = span(d)
	return nil
}

// parseDays reads 7d and 2w, which Go has no units for: not all days are equally
// long, which does not matter here.
func parseDays(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	unit := day
	number, ok := strings.CutSuffix(text, "d")
	if !ok {
		number, ok = strings.CutSuffix(text, "w")
		unit = 7 * day
	}
	n, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(n > 0 && n*float64(unit) <= float64(maxSpan)) { // NaN is neither
		return 0, errors.New("not days or weeks")
	}
	return time.Duration(n * float64(unit)), nil
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
