package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/term"

	"github.com/action-llama/gateway/host/spelling"
)

// dialog asks a person at a terminal. Questions go to stderr, since stdout is
// for data.
type dialog struct {
	streams Streams
	in      *os.File
	lines   *bufio.Reader
}

// dialog returns false when there is nobody to ask: standard input is a file, a
// pipe or nothing.
func (s Streams) dialog() (*dialog, bool) {
	in, ok := s.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil, false
	}
	return &dialog{streams: s, in: in, lines: bufio.NewReader(in)}, true
}

// errInterrupted: the person pressed Ctrl-C instead of answering.
var errInterrupted = errors.New("interrupted; nothing was changed")

// line asks for a line of text. Blanks around it are not part of the answer.
func (d *dialog) line(ctx context.Context, question string) (string, error) {
	d.ask(question)
	return d.wait(ctx, func() (string, error) {
		line, err := d.lines.ReadString('\n')
		if errors.Is(err, io.EOF) && line != "" {
			err = nil
		}
		return strings.TrimSpace(line), err
	})
}

// secret asks for a line that does not show while it is typed. It is taken as it
// is, blanks included.
func (d *dialog) secret(ctx context.Context, question string) (string, error) {
	d.ask(question)
	answer, err := d.wait(ctx, func() (string, error) {
		raw, err := term.ReadPassword(int(d.in.Fd()))
		return string(raw), err
	})
	fmt.Fprintln(d.streams.Err)
	return answer, err
}

// confirm asks for a yes or a no; an empty answer is the standard one.
func (d *dialog) confirm(ctx context.Context, question string, standard bool) (bool, error) {
	choice := "[y/N]"
	if standard {
		choice = "[Y/n]"
	}
	for {
		answer, err := d.line(ctx, question+" "+choice)
		if err != nil {
			return false, err
		}
		switch strings.ToLower(answer) {
		case "":
			return standard, nil
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		}
		d.say("%s", "please answer y or n")
	}
}

// say tells the person something between two questions.
func (d *dialog) say(format string, args ...any) {
	fmt.Fprintf(d.streams.Err, format+"\n", args...)
}

func (d *dialog) ask(question string) {
	fmt.Fprintf(d.streams.Err, "%s ", d.streams.errPaint(bold, question))
}

// wait reads an answer until the person interrupts the command, and then leaves
// the terminal as it was. The read can not be ended; it goes with the process,
// which is about to end.
func (d *dialog) wait(ctx context.Context, read func() (string, error)) (string, error) {
	before, err := term.GetState(int(d.in.Fd()))
	if err != nil {
		return "", err
	}
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := read()
		got <- answer{text, err}
	}()
	select {
	case a := <-got:
		if errors.Is(a.err, io.EOF) {
			return "", errors.New("the input ended before everything was answered; nothing was changed")
		}
		return a.text, a.err
	case <-ctx.Done():
		fmt.Fprintln(d.streams.Err)
		return "", errors.Join(errInterrupted, term.Restore(int(d.in.Fd()), before))
	}
}

// option is one of several answers.
type option struct {
	name string
	note string
}

// pick asks for one of several options by name or number, or for any of them.
// An empty answer is the standard one. With several, "-" is none.
func (d *dialog) pick(ctx context.Context, question string, options []option, standard string, several bool) ([]string, error) {
	d.say("%s", d.streams.errPaint(bold, question))
	width := 0
	for _, o := range options {
		width = max(width, len(o.name))
	}
	for i, o := range options {
		d.say("  %2d  %s", i+1, strings.TrimRight(fmt.Sprintf("%-*s  %s", width, o.name, o.note), " "))
	}
	hint := "Name or number"
	if several {
		hint = `Names or numbers, "-" for none`
	}
	if standard != "" {
		hint += ", Enter for " + standard
	}
	for {
		answer, err := d.line(ctx, hint+":")
		if err != nil {
			return nil, err
		}
		if answer == "" {
			answer = standard
		}
		picked, err := choose(answer, options, several)
		if err == nil {
			return picked, nil
		}
		d.say("%v", err)
	}
}

// choose reads an answer to pick.
func choose(answer string, options []option, several bool) ([]string, error) {
	words := strings.FieldsFunc(answer, func(r rune) bool { return r == ',' || r == ' ' })
	switch {
	case several && answer == "-":
		return nil, nil
	case len(words) == 0:
		return nil, errors.New("please choose one")
	case len(words) > 1 && !several:
		return nil, errors.New("please choose only one")
	}
	names := make([]string, len(options))
	for i, o := range options {
		names[i] = o.name
	}
	var picked []string
	for _, w := range words {
		name := w
		if n, err := strconv.Atoi(w); err == nil && n >= 1 && n <= len(names) {
			name = names[n-1]
		}
		if !slices.Contains(names, name) {
			text := fmt.Sprintf("%q is none of them", w)
			if near := spelling.DidYouMean(w, names); near != "" {
				text += "; " + near
			}
			return nil, errors.New(text)
		}
		if !slices.Contains(picked, name) {
			picked = append(picked, name)
		}
	}
	return picked, nil
}
