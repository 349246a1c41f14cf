package page

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/action-llama/gateway/host/store"
)

func TestHarmless(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":              "",
		"plain\n\ttext": "plain\n\ttext",
		"naïve 日本 עברית 👩\u200d🚀": "naïve 日本 עברית 👩\u200d🚀",
		"a\u202eb":                  "a‹U+202E›b",
		"\u2066x\u2069":             "‹U+2066›x‹U+2069›",
		"\u200b\ufeff\u00ad":        "‹U+200B›‹U+FEFF›‹U+00AD›",
		"bell\a":                    "bell‹U+0007›",
		"\U000e0041":                "‹U+E0041›",
		"a\u2028b\u0085c\u061c\x7f": "a‹U+2028›b‹U+0085›c‹U+061C›‹U+007F›",
	} {
		if got := harmless(text); got != want {
			t.Errorf("%q becomes %q, not %q", text, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		if text := harmless(rapid.String().Draw(t, "text")); strings.ContainsFunc(text, deceptive) {
			t.Fatalf("%q is left", text)
		}
	})
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		most       int
		text, want string
	}{{3, "abc", "abc"}, {3, "abcd", "abc…"}, {3, "äöü", "äöü"}, {3, "äöüß", "äöü…"}, {0, "", ""}} {
		if got := cut(tt.most, tt.text); got != tt.want {
			t.Errorf("cut(%d, %q) is %q", tt.most, tt.text, got)
		}
	}
}

// Wherever an output is cut into pieces, what is shown of it is the same.
func TestPiecesOfOutputFitTogether(t *testing.T) {
	t.Parallel()
	part := rapid.SampledFrom([]string{"a", "ä", "日", "👩", "\n", "\r\n", "\x1b[32m", "\x1b[0m", "\x1b]0;title\x07", "word "})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(part, 0, 40).Draw(t, "parts"), "")
		var got strings.Builder
		for from, to := 0, 0; from < len(text); {
			to = min(len(text), max(to, from)+rapid.IntRange(1, 9).Draw(t, "step"))
			n := settled([]byte(text[from:to]))
			if to == len(text) {
				n = len(text) - from
			}
			got.WriteString(plain(text[from : from+n]))
			from += n
		}
		if want := plain(text); got.String() != want || !utf8.ValidString(want) || strings.Contains(want, "\x1b") {
			t.Fatalf("%q becomes %q, not %q", text, got.String(), want)
		}
	})
}

func TestTimesAreSaidAsPeopleDo(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for d, want := range map[time.Duration]string{
		0: "just now", 5 * time.Second: "5s ago", 90 * time.Second: "1m ago", 3 * time.Hour: "3h ago", 50 * time.Hour: "2d ago",
		-3 * time.Minute: "in 3m", -100 * time.Millisecond: "just now",
	} {
		if got := ago(now.Add(-d), now); got != want {
			t.Errorf("%s ago is %q", d, got)
		}
	}
	for d, want := range map[time.Duration]string{
		time.Millisecond: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m 01s", 3*time.Hour + 2*time.Minute: "3h 02m", 49 * time.Hour: "2d 1h",
	} {
		if got := elapsed(d); got != want {
			t.Errorf("%s is %q", d, got)
		}
	}
}

// Agents that come and go leave nothing behind, and a chart stays in its frame.
func TestDepths(t *testing.T) {
	t.Parallel()
	var d depths
	for i := range 3 * samples {
		d.add(time.Now(), []store.Queue{{Agent: "old", Waiting: i}, {Agent: "dev", Waiting: 1 << 40}})
	}
	d.add(time.Now(), []store.Queue{{Agent: "dev", Waiting: 2}})
	if len(d.of) != 1 {
		t.Errorf("%d agents are kept", len(d.of))
	}
	c := d.chart("dev", 2)
	if c.Now != 2 || c.Most != 1<<30 || len(c.Line) > samples*16 {
		t.Errorf("got %+v", c)
	}
	if c := d.chart("nobody", 0); !c.Flat || !strings.HasPrefix(c.Line, "0,27 ") {
		t.Errorf("got %+v", c)
	}
}
