package sdk_test

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
)

func TestTimesCanBeWrittenAgain(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-03-01T09:30:00Z":             "2026-03-01T09:30:00Z",
		"2026-03-01T10:30:00.123456+01:00": "2026-03-01T09:30:00.123456Z",
		"9999-12-31T23:59:59Z":             "9999-12-31T23:59:59Z",
		"9999-12-31T23:59:59-01:00":        "",
		"0000-06-01T00:00:00Z":             "",
		"2026-03-01T09:30:00":              "",
		"2026-03-01":                       "",
		"yesterday":                        "",
		"":                                 "",
	} {
		if got := written(t, sdk.ParseTime(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	layouts := []string{"2006-01-02T15:04:05", time.RFC3339, time.RubyDate}
	for text, want := range map[string]string{
		"2024-10-18T14:42:53.064834":     "2024-10-18T14:42:53.064834Z",
		"2024-10-18T14:42:53+02:00":      "2024-10-18T12:42:53Z",
		"Mon Jan 02 15:04:05 -0700 2006": "2006-01-02T22:04:05Z",
		"18 October":                     "",
	} {
		if got := written(t, sdk.ParseTime(text, layouts...)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	for seconds, want := range map[int64]string{
		0:              "1970-01-01T00:00:00.000000005Z",
		1772357400:     "2026-03-01T09:30:00.000000005Z",
		253402300800:   "",
		-62135596801:   "",
		math.MaxInt64:  "",
		math.MinInt64:  "",
		-1:             "1969-12-31T23:59:59.000000005Z",
		253402300799:   "9999-12-31T23:59:59.000000005Z",
		math.MaxUint32: "2106-02-07T06:28:15.000000005Z",
	} {
		if got := written(t, sdk.UnixTime(seconds, 5)); got != want {
			t.Errorf("%d: %q, want %q", seconds, got, want)
		}
	}
}

// written is what becomes of a time in JSON; nothing of the zero time.
func written(t *testing.T, at time.Time) string {
	t.Helper()
	if at.IsZero() {
		return ""
	}
	raw, err := json.Marshal(at)
	if err != nil || at.Location() != time.UTC {
		t.Errorf("%v: %v", at, err)
	}
	return string(raw[1 : len(raw)-1])
}

func TestHeadersThatOthersCouldReadInAnotherWayAreRefused(t *testing.T) {
	t.Parallel()
	h := http.Header{"X-One": {"1"}, "X-Two": {"1", "1"}, "X-Empty": {""}}
	for name, tt := range map[string]struct {
		want                 string
		singleErr, signedErr error
	}{
		"x-one":   {"1", nil, nil},
		"X-Empty": {"", nil, nil},
		"X-None":  {"", nil, sdk.ErrBadSignature},
		"X-Two":   {"", sdk.ErrUnparseable, sdk.ErrBadSignature},
	} {
		if got, err := sdk.SingleHeader(h, name); got != tt.want || !errors.Is(err, tt.singleErr) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if got, err := sdk.SignedHeader(h, name); got != tt.want || !errors.Is(err, tt.signedErr) {
			t.Errorf("%s, signed: %q, %v", name, got, err)
		}
	}
}
