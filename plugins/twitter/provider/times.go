package provider

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// millis are milliseconds since 1970, as a string or as a number: X sends both.
type millis int64

func (m *millis) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var digits id
	if err := digits.UnmarshalJSONFrom(dec); err != nil {
		return err
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err == nil {
		*m = millis(n)
	}
	return nil
}

// Years beyond 9999 can not be written as RFC 3339.
const maxMillis = 253402300799999

func (m millis) time() time.Time {
	if m <= 0 || m > maxMillis {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

// String is empty when there is no time.
func (m millis) String() string {
	if m == 0 {
		return ""
	}
	return strconv.FormatInt(int64(m), 10)
}

// timeOf reads RFC 3339 and the form that X had before.
func timeOf(s text) time.Time {
	for _, layout := range []string{time.RFC3339, time.RubyDate} {
		t, err := time.Parse(layout, string(s))
		if t = t.UTC(); err == nil && t.Year() >= 1 && t.Year() <= 9999 {
			return t
		}
	}
	return time.Time{}
}

const (
	// snowflakeEpoch is when ids began to hold the time.
	snowflakeEpoch = 1288834974657
	// firstSnowflake is above the ids before, which only counted.
	firstSnowflake = 30_000_000_000
)

// timeOfID returns when the thing with an id was made.
func timeOfID(i id) time.Time {
	n, err := strconv.ParseInt(string(i), 10, 64)
	if err != nil || n < firstSnowflake {
		return time.Time{}
	}
	return millis(n>>22 + snowflakeEpoch).time()
}

// firstTime returns the first time that is known.
func firstTime(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}
