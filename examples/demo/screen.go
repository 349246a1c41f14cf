package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// screen prints for a person: in colour on a terminal, plainly elsewhere.
type screen struct {
	out    io.Writer
	colour bool
}

func newScreen(f *os.File) screen {
	info, err := f.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return screen{out: f, colour: terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func (s screen) paint(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s screen) heading(text string) {
	_, _ = fmt.Fprintf(s.out, "\n%s\n", s.paint(bold, text))
}

func (s screen) line(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, "  "+format+"\n", args...)
}

func (s screen) block(text string) {
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		s.line("%s %s", s.paint(dim, "|"), line)
	}
}

func (s screen) status(code int) string {
	text := fmt.Sprint(code)
	switch {
	case code < 300:
		return s.paint(green, text)
	case code < 500:
		return s.paint(yellow, text)
	default:
		return s.paint(red, text)
	}
}
