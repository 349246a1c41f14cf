package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/api"
)

type rest = api.Runs // nothing of it is asked for

// outputs are runs that exist only by what they wrote.
type outputs struct {
	rest
	of map[string]string
}

func (o outputs) Output(_ context.Context, run string, from int64) (api.Output, error) {
	text := o.of[run]
	if from < 0 {
		from = max(0, int64(len(text))+from)
	}
	from = min(from, int64(len(text)))
	return api.Output{ReadCloser: io.NopCloser(strings.NewReader(text[from:])), From: from}, nil
}

func TestLastLines(t *testing.T) {
	t.Parallel()
	var long strings.Builder // much longer than what is looked at first
	for i := range 100_000 {
		fmt.Fprintf(&long, "line %d\n", i)
	}
	for name, tt := range map[string]struct {
		text  string
		lines int
		want  string
	}{
		"nothing written":     {"", 5, ""},
		"the last":            {"a\nb\nc\n", 1, "c\n"},
		"the last two":        {"a\nb\nc\n", 2, "b\nc\n"},
		"all there are":       {"a\nb\nc\n", 3, "a\nb\nc\n"},
		"more than there are": {"a\nb\nc\n", 99, "a\nb\nc\n"},
		"none":                {"a\nb\n", 0, ""},
		"without an end":      {"a\nb", 1, "b"},
		"an empty line":       {"a\n\n", 1, "\n"},
		"of many":             {long.String(), 2, "line 99998\nline 99999\n"},
		"many of many":        {long.String(), 100_000, long.String()},
		"one huge":            {strings.Repeat("x", 1<<20) + "\n", 1, strings.Repeat("x", 1<<20) + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, err := lastLines(t.Context(), outputs{of: map[string]string{"run": tt.text}}, "run", tt.lines)
			if err != nil || tt.text[at:] != tt.want {
				t.Errorf("from %d of %d on, %v", at, len(tt.text), err)
			}
		})
	}
}

// Runs that write at the same time do not break each other's lines.
func TestRunsSideBySide(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	runs := outputs{of: map[string]string{}}
	p := newLogPrinter(Streams{Out: &out}, runs, true, false)
	one := api.RunStatus{ID: "1", Agent: "one", Trigger: "manual", State: api.RunRunning, StartedAt: time.Now()}
	two := api.RunStatus{ID: "2", Agent: "two", Trigger: "manual", State: api.RunRunning, StartedAt: time.Now()}
	step := func(run api.RunStatus, more string) {
		t.Helper()
		runs.of[run.ID] += more
		if err := p.more(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []api.RunStatus{one, two} {
		if err := p.begin(t.Context(), r, -1); err != nil {
			t.Fatal(err)
		}
	}
	step(one, "a\nb")
	step(two, "x\n")
	step(one, "c\n")
	two.State = api.RunDone
	step(two, "no end")
	step(one, strings.Repeat("y", maxLine)) // a line that never ends is not kept for ever

	var got []string
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSuffix(line, "\n")
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "==>" {
			line = "=" + fields[1]
		}
		got = append(got, line)
	}
	want := []string{"=one", "a", "", "=two", "x", "", "=one", "bc", "", "=two", "no end", "", "=one", strings.Repeat("y", maxLine)}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("printed %.200q; want %.200q", got, want)
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"90m": 90 * time.Minute, "1h30m": 90 * time.Minute, "7d": 7 * 24 * time.Hour, "2w": 14 * 24 * time.Hour,
		"0.5d": 12 * time.Hour, "10s": 10 * time.Second,
		"": 0, "7": 0, "d": 0, "-1h": 0, "0s": 0, "-2d": 0, "1e300d": 0, "NaNd": 0, "Infw": 0, "yesterday": 0, "99999w": 0,
	} {
		var s span
		err := s.Set(text)
		if time.Duration(s) != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %s, %v; want %s", text, time.Duration(s), err, want)
		}
	}
	for d, want := range map[time.Duration]string{24 * time.Hour: "24h", 48 * time.Hour: "2d", 90 * time.Minute: "90m", 90 * time.Second: "1m30s"} {
		if got := spanText(d); got != want {
			t.Errorf("%s: %q; want %q", d, got, want)
		}
	}
}

// Whatever is typed, a span is positive, bounded, and survives being written.
func FuzzSpan(f *testing.F) {
	for _, text := range []string{"90m", "7d", "1.5w", "1e9d", "-3h", "NaNd"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s, again span
		if s.Set(text) != nil {
			return
		}
		if s <= 0 || time.Duration(s) > maxSpan {
			t.Fatalf("%q is %s", text, time.Duration(s))
		}
		if err := again.Set(s.String()); err != nil || again != s {
			t.Fatalf("%q is %s, written as %q, which is %s (%v)", text, time.Duration(s), s.String(), time.Duration(again), err)
		}
	})
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line  string
		width int
		want  string
	}{
		{"hello", 10, "hello"},
		{"hello", 5, "hello"},
		{"hello", 3, "hel"},
		{"größe", 3, "grö"},
		{"\x1b[32mrunning\x1b[0m on", 4, "\x1b[32mrunn\x1b[0m"},
		{"\x1b[32mrun\x1b[0m on", 3, "\x1b[32mrun\x1b[0m\x1b[0m"},
		{"broken \x1b[3", 20, "broken "},
		{"", 3, ""},
	} {
		if got := cut(tt.line, tt.width); got != tt.want {
			t.Errorf("%q to %d: %q; want %q", tt.line, tt.width, got, tt.want)
		}
	}
}
