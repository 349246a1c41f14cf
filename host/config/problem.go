package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Pos is a place in a file. File is relative to the project's directory, with
// "/" on every system. Line and Column count from 1, columns in characters; a
// Line of 0 means the whole file, or something that is not a file (the name of
// an environment variable).
type Pos struct {
	File   string
	Line   int
	Column int
}

// String is "agents/dev/config.toml:12:1", which editors and terminals open.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Severity says what a problem means for the project.
type Severity int

const (
	// Fault: the project does not start like this.
	Fault Severity = iota
	// Warning: it starts, and probably does not do what was meant.
	Warning
	// Note: it starts and is fine; something is worth knowing.
	Note
)

func (s Severity) String() string {
	switch s {
	case Fault:
		return "error"
	case Warning:
		return "warning"
	case Note:
		return "note"
	default:
		return fmt.Sprintf("severity %d", int(s))
	}
}

// Problem is one thing to tell the person who wrote the configuration.
type Problem struct {
	Severity Severity
	Pos      Pos
	Message  string // what is wrong: lower case, no full stop
	Fix      string // what to do about it; may have several lines; empty when the message says it
}

// Errorf is the one place where a position and a message become an error.
func Errorf(pos Pos, format string, args ...any) Problem {
	return Problem{Severity: Fault, Pos: pos, Message: fmt.Sprintf(format, args...)}
}

// Warnf is Errorf for a warning.
func Warnf(pos Pos, format string, args ...any) Problem {
	return Problem{Severity: Warning, Pos: pos, Message: fmt.Sprintf(format, args...)}
}

// Notef is Errorf for a note.
func Notef(pos Pos, format string, args ...any) Problem {
	return Problem{Severity: Note, Pos: pos, Message: fmt.Sprintf(format, args...)}
}

// WithFix returns the problem with advice added.
func (p Problem) WithFix(format string, args ...any) Problem {
	p.Fix = fmt.Sprintf(format, args...)
	return p
}

// Error is the whole text but for the severity:
//
//	agents/dev/config.toml:12:1: webhooks[0]: no filter "label"; did you mean "labels"?
func (p Problem) Error() string {
	text := p.Pos.String() + ": " + p.Message
	if p.Fix != "" {
		text += "; " + p.Fix
	}
	return text
}

// Problems is everything that one look at a project found, in the order in
// which a person would work through it: file by file, from top to bottom.
type Problems []Problem

// Of returns the problems of one severity.
func (ps Problems) Of(s Severity) Problems {
	var out Problems
	for _, p := range ps {
		if p.Severity == s {
			out = append(out, p)
		}
	}
	return out
}

// Err returns what keeps the project from starting as one error, or nil when
// there are at most warnings and notes.
func (ps Problems) Err() error {
	var errs []error
	for _, p := range ps.Of(Fault) {
		errs = append(errs, p)
	}
	return errors.Join(errs...)
}

func (ps *Problems) add(p Problem) { *ps = append(*ps, p) }

// Sorted brings problems into reading order. What was found across files is
// told at the place of its first finding, except for notes, which come last.
func (ps Problems) Sorted() Problems {
	files := map[string]int{}
	for _, p := range ps {
		if _, ok := files[p.Pos.File]; !ok {
			files[p.Pos.File] = len(files)
		}
	}
	rank := func(p Problem) []int {
		last := 0
		if p.Severity == Note {
			last = 1
		}
		return []int{last, files[p.Pos.File], p.Pos.Line, p.Pos.Column}
	}
	out := slices.Clone(ps)
	slices.SortStableFunc(out, func(a, b Problem) int { return slices.Compare(rank(a), rank(b)) })
	return out
}

// list writes names for a sentence: "a", "a and b", "a, b and c".
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
