package provider

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/action-llama/gateway/sdk"
)

// tolerance is what Linear advises, in either direction.
const tolerance = 60 * time.Second

// latest is a time in milliseconds beyond which there are no deliveries: the
// year 9999, the last that RFC 3339 can write.
const latest = 253_402_300_799_999

// checkSentAt judges webhookTimestamp, in milliseconds. Payloads have had it
// since 2023; without one a recorded request could be repeated for ever.
func checkSentAt(body []byte, receivedAt time.Time) error {
	sentAt, ok := readSentAt(body)
	if !ok {
		return fmt.Errorf("%w: the signed body has no webhookTimestamp in milliseconds", sdk.ErrBadSignature)
	}
	if off := receivedAt.Sub(sentAt).Abs(); off > tolerance {
		return fmt.Errorf("%w: webhookTimestamp is off by %s, allowed are %s", sdk.ErrStale, off.Round(time.Millisecond), tolerance)
	}
	return nil
}

// readSentAt looks for the time at the top level and stops there. What follows
// is Parse's to judge, which takes no second one either.
func readSentAt(body []byte) (time.Time, bool) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true))
	if dec.PeekKind() != jsontext.KindBeginObject {
		return time.Time{}, false
	}
	if _, err := dec.ReadToken(); err != nil {
		return time.Time{}, false
	}
	for dec.PeekKind() == jsontext.KindString {
		name, err := dec.ReadToken()
		if err != nil {
			return time.Time{}, false
		}
		if name.String() != "webhookTimestamp" {
			if _, err := dec.ReadValue(); err != nil {
				return time.Time{}, false
			}
			continue
		}
		value, err := dec.ReadToken()
		if err != nil || value.Kind() != jsontext.KindNumber {
			return time.Time{}, false
		}
		return milliseconds(value.String())
	}
	return time.Time{}, false
}

// milliseconds reads a number that Linear's schema calls a float, so that it
// may come with a fraction or an exponent.
func milliseconds(text string) (time.Time, bool) {
	ms, err := strconv.ParseFloat(text, 64)
	if err != nil || ms <= 0 || ms > latest {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(math.Round(ms))), true
}
