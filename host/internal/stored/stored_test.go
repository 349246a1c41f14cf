package stored_test

import (
	"bytes"
	"math"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/action-llama/gateway/host/internal/stored"
)

func TestWhatIsStoredComesBack(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		raw := rapid.SliceOf(rapid.Byte()).Draw(r, "bytes")
		raw = bytes.Repeat(raw, rapid.IntRange(1, 50).Draw(r, "times"))
		packed := stored.Pack(raw)
		if len(packed.Data) > len(raw) {
			r.Fatalf("%d bytes became %d", len(raw), len(packed.Data))
		}
		back, err := packed.Unpack()
		if err != nil || !bytes.Equal(back, raw) {
			r.Fatalf("%d bytes came back as %d: %v", len(raw), len(back), err)
		}

		list := rapid.SliceOf(rapid.String()).Draw(r, "list")
		same, err := stored.ParseStrings(stored.Strings(list))
		if err != nil || !slices.Equal(same, list) {
			r.Fatalf("%q came back as %q: %v", list, same, err)
		}
	})
	h := http.Header{"A": {"1", "2"}, "B": nil}
	text, err := stored.Header(h)
	if err != nil {
		t.Fatal(err)
	}
	back, err := stored.ParseHeader(text)
	if diff := cmp.Diff(h, back); err != nil || diff != "" {
		t.Errorf("header: %v\n%s", err, diff)
	}
	if _, err := (stored.Bytes{Codec: 9, Data: []byte("x")}).Unpack(); err == nil {
		t.Error("a form that nobody knows was read")
	}
}

func TestForeverFits(t *testing.T) {
	if got := stored.Nanos(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)); got != math.MaxInt64 {
		t.Errorf("the year 9999 is %d", got)
	}
	if got := stored.Nanos(time.Time{}); got != math.MinInt64 {
		t.Errorf("the zero time is %d", got)
	}
	now := time.Now()
	if got := stored.Nanos(now); got != now.UnixNano() {
		t.Errorf("now is %d", got)
	}
}
