package logline_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/logline"
)

func TestText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                         "",
		"72d3162e-cc78-11e3":       "72d3162e-cc78-11e3",
		"Grüße 世界":                 "Grüße 世界",
		"a\nb\r\tc":                `a\nb\r\tc`,
		"\x1b[31mred\x00":          `\x1b[31mred\x00`,
		"\u202egnp.exe\u2028next":  `\u202egnp.exe\u2028next`,
		"bad \xff\xfe bytes":       `bad \xff\xfe bytes`,
		strings.Repeat("x", 128):   strings.Repeat("x", 128),
		strings.Repeat("x", 1<<20): strings.Repeat("x", 128) + "...",
		strings.Repeat("é", 129):   strings.Repeat("é", 128) + "...",
		strings.Repeat("\n", 200):  strings.Repeat(`\n`, 128) + "...",
	} {
		if got := logline.Text(in); got != want {
			t.Errorf("%.40q: got %.200q, want %.200q", in, got, want)
		}
	}
	if got := logline.Error(errors.New("read \"a\nb\"")); got != `read "a\nb"` {
		t.Errorf("error: %s", got)
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\nb\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := logline.Text(s)
		if strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q has what does not print", got)
		}
		if len(got) > 128*len(`\U0010ffff`)+len("...") {
			t.Errorf("%d bytes", len(got))
		}
	})
}

// A line is one line, in text and in JSON, and says the same in both.
func TestTook(t *testing.T) {
	t.Parallel()
	for took, want := range map[time.Duration]struct {
		text   string
		number float64
	}{
		1234567 * time.Nanosecond:                {"1.235ms", 0.001235},
		90*time.Second + 123456*time.Microsecond: {"1m30.123s", 90.123456},
		0:                                        {"0s", 0},
	} {
		for _, asJSON := range []bool{false, true} {
			var out bytes.Buffer
			log := hclog.New(&hclog.LoggerOptions{Output: &out, JSONFormat: asJSON})
			log.Info("run ended", "duration", logline.Took(took))
			if !asJSON {
				if !strings.HasSuffix(out.String(), " duration="+want.text+"\n") {
					t.Errorf("%s: %s", took, out.String())
				}
				continue
			}
			var line struct{ Duration float64 }
			if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Duration != want.number {
				t.Errorf("%s: %s (%v)", took, out.String(), err)
			}
		}
	}
}
