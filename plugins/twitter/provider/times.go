package provider

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/action-llama/gateway/sdk"
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

func (m millis) time() time.Time {
	if m <= 0 {
		return time.Time{}
	}
	return sdk.UnixTime(int64(m)/1000, int64(m)%1000*int64(time.Millisecond))
}

// String is empty when there is no time.
func (m millis) String() string {
	if m == 0 {
		return ""
	}
	return strconv.FormatInt(int64(m), 10)
}

// timeOf reads RFC 3339 and the form that X had before.
func timeOf(s text) time.Time { return sdk.ParseTime(string(s), time.RFC3339, time.RubyDate) }

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
