package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// watchEvery is how often al stat -w looks: often enough for a person, and no
// load for a gateway however many watch it.
const watchEvery = 2 * time.Second

// watchStat shows the status until ctx ends: on a terminal always in the same
// place, and one after the other elsewhere.
func watchStat(ctx context.Context, o statOptions) error {
	screen := screen{s: o.streams}
	for first := true; ; first = false {
		view, err := statView(ctx, o)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // this is how watching ends
		}
		if err != nil {
			if first {
				return err
			}
			view = []byte(o.streams.paint(red, "al:") + " " + err.Error() + "\n") // it may come back
		}
		if err := screen.show(view, o.json, first); err != nil {
			return err
		}
		timer := time.NewTimer(watchEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

func statView(ctx context.Context, o statOptions) ([]byte, error) {
	status, err := statusOf(ctx, o)
	if err != nil {
		return nil, err
	}
	if o.json {
		line, err := json.Marshal(status)
		return append(line, '\n'), err
	}
	var view bytes.Buffer
	s := o.streams
	s.Out = &view
	err = showStatus(s, status, time.Now())
	return view.Bytes(), err
}

// screen shows one view after the other.
type screen struct{ s Streams }

func (c screen) show(view []byte, asJSON, first bool) error {
	var out bytes.Buffer
	switch {
	case asJSON:
		out.Write(view)
	case !c.s.OutTerminal:
		if !first {
			out.WriteString("\n")
		}
		fmt.Fprintf(&out, "%s\n%s", time.Now().Format(time.DateTime), view)
	default:
		if first {
			out.WriteString("\x1b[2J")
		}
		out.WriteString("\x1b[H")
		for _, line := range c.fit(strings.Split(strings.TrimRight(string(view), "\n"), "\n")) {
			// Cleared first: at the edge the last character would be, too.
			out.WriteString("\x1b[K" + line + "\n")
		}
		out.WriteString("\x1b[J")
	}
	_, err := c.s.Out.Write(out.Bytes()) // in one piece: nothing flickers
	return err
}

// fit cuts a view to the size of the terminal: a line more would scroll it.
func (c screen) fit(lines []string) []string {
	width, height := 0, 0
	if f, ok := c.s.Out.(*os.File); ok {
		width, height, _ = term.GetSize(int(f.Fd())) // fails where there is no size to know
	}
	if room := height - 1; room > 0 && len(lines) > room {
		more := len(lines) - room + 1
		lines = append(lines[:room-1:room-1], fmt.Sprintf("... %d more lines", more))
	}
	if width > 0 {
		for i := range lines {
			lines[i] = cut(lines[i], width)
		}
	}
	return lines
}

// cut shortens a line to so many characters; colours take no room.
func cut(line string, width int) string {
	seen, reset := 0, ""
	for at := 0; at < len(line); {
		if strings.HasPrefix(line[at:], "\x1b[") {
			end := strings.IndexByte(line[at:], 'm')
			if end < 0 {
				return line[:at]
			}
			at += end + 1
			reset = "\x1b[0m"
			continue
		}
		if seen == width {
			return line[:at] + reset
		}
		_, size := utf8.DecodeRuneInString(line[at:])
		at += size
		seen++
	}
	return line
}
