package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/action-llama/gateway/host/api"
)

// logPrinter writes the output of runs, several of which may write at the same
// time: in whole lines, with a heading wherever another one goes on.
type logPrinter struct {
	s        Streams
	runs     api.Runs
	headings bool
	json     *json.Encoder // instead of text
	wrote    int64

	last   string                 // the run that wrote last
	places map[string]*logPrinted // by run
}

// logPrinted is how far a run's output is printed.
type logPrinted struct {
	run    api.RunStatus
	reader outputReader
	rest   []byte // the beginning of a line
}

// maxLine bounds what is kept of a line that does not end.
const maxLine = 64 << 10

func newLogPrinter(s Streams, runs api.Runs, headings, asJSON bool) *logPrinter {
	p := &logPrinter{s: s, runs: runs, headings: headings, places: map[string]*logPrinted{}}
	if asJSON {
		p.json = json.NewEncoder(s.Out)
		p.json.SetEscapeHTML(false)
	}
	return p
}

// begin makes a run known, and chooses where its output begins: with so many of
// its last lines, or with all of them below 0.
func (p *logPrinter) begin(ctx context.Context, run api.RunStatus, lines int) error {
	place := &logPrinted{run: run, reader: outputReader{runs: p.runs, run: run.ID}}
	p.places[run.ID] = place
	if lines < 0 {
		return nil
	}
	var err error
	place.reader.at, err = lastLines(ctx, p.runs, run.ID, lines)
	return err
}

// lastLines finds where the last lines of an output begin. It looks at more and
// more of its end.
func lastLines(ctx context.Context, runs api.Runs, run string, lines int) (int64, error) {
	for size := int64(64 << 10); ; size *= 8 {
		out, err := runs.Output(ctx, run, -size)
		if err != nil {
			return 0, err
		}
		end, err := io.ReadAll(out)
		if err := errors.Join(err, out.Close()); err != nil {
			return 0, fmt.Errorf("output of run %s: %w", run, err)
		}
		at := len(bytes.TrimSuffix(end, []byte("\n")))
		if lines == 0 {
			return out.From + int64(len(end)), nil
		}
		for range lines {
			if at = bytes.LastIndexByte(end[:max(at, 0)], '\n'); at < 0 {
				break
			}
		}
		if at >= 0 || out.From == 0 {
			return out.From + int64(at+1), nil
		}
	}
}

// more prints what a run wrote since the last time. The run is as it was before
// it was asked.
func (p *logPrinter) more(ctx context.Context, run api.RunStatus) error {
	place := p.places[run.ID]
	place.run = run
	if _, err := place.reader.more(ctx, lineWriter{p, place}); err != nil {
		return err
	}
	if run.Ended() {
		return p.flush(run)
	}
	return nil
}

// flush prints a line that has no end.
func (p *logPrinter) flush(run api.RunStatus) error {
	place := p.places[run.ID]
	if len(place.rest) == 0 {
		return nil
	}
	rest := place.rest
	place.rest = nil
	return p.write(place, append(rest, '\n'))
}

type lineWriter struct {
	p     *logPrinter
	place *logPrinted
}

// Write prints whole lines, and keeps the beginning of the next.
func (w lineWriter) Write(data []byte) (int, error) {
	w.place.rest = append(w.place.rest, data...)
	end := bytes.LastIndexByte(w.place.rest, '\n') + 1
	if end == 0 && len(w.place.rest) >= maxLine {
		end = len(w.place.rest)
	}
	if end == 0 {
		return len(data), nil
	}
	lines := w.place.rest[:end]
	if err := w.p.write(w.place, lines); err != nil {
		return 0, err
	}
	w.place.rest = append([]byte(nil), w.place.rest[end:]...)
	return len(data), nil
}

// logLine is the JSON of a line. Fields are added, never renamed.
type logLine struct {
	Run   string `json:"run"`
	Agent string `json:"agent"`
	Line  string `json:"line"`
}

func (p *logPrinter) write(place *logPrinted, lines []byte) error {
	p.wrote += int64(len(lines))
	if p.json != nil {
		for line := range bytes.Lines(lines) {
			line = bytes.TrimSuffix(line, []byte("\n"))
			if err := p.json.Encode(logLine{Run: place.run.ID, Agent: place.run.Agent, Line: string(line)}); err != nil {
				return err
			}
		}
		return nil
	}
	if p.headings && p.last != place.run.ID {
		if p.last != "" {
			fmt.Fprintln(p.s.Out)
		}
		fmt.Fprintln(p.s.Out, p.s.paint(bold, heading(place.run)))
		p.last = place.run.ID
	}
	_, err := p.s.Out.Write(lines)
	return err
}

func heading(r api.RunStatus) string {
	state := string(r.State)
	if r.State == api.RunFailed {
		state = fmt.Sprintf("failed, exit code %d", r.ExitCode)
	}
	return fmt.Sprintf("==> %s %s (%s, %s, %s)", r.Agent, r.ID, r.Trigger, r.StartedAt.Local().Format(time.DateTime), state)
}
