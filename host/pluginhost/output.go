package pluginhost

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	stderrKept     = 64 << 10  // of the end of a provider's stderr: a goroutine dump fits
	stderrLineMax  = 256 << 10 // go-plugin splits longer lines, and a split line loses its level
	outputLineMax  = 1 << 10   // of a line that should not have been written at all
	quotedLines    = 3         // of stderr in an error
	quotedLineMax  = 300
	firstLineBytes = 512 // of stdout; a handshake's first four fields fit

	// What a provider may have to say in so much time. What is beyond is dropped:
	// the log is for all, and so is the disk that it is on.
	outputLines = 500
	outputEvery = 10 * time.Second
)

// throttle lets so many lines through in a time.
type throttle struct {
	limit int
	every time.Duration
	now   func() time.Time
	flood func() // the first line that was dropped in such a time

	mu      sync.Mutex
	began   time.Time
	taken   int
	dropped int
}

// take says whether a line is let through, and how many before it were not.
func (t *throttle) take() (ok bool, dropped int) {
	t.mu.Lock()
	if now := t.now(); now.Sub(t.began) >= t.every {
		t.began, t.taken = now, 0
		dropped, t.dropped = t.dropped, 0
	}
	t.taken++
	ok = t.taken <= t.limit
	if !ok {
		t.dropped++
	}
	first := t.dropped == 1 && !ok
	t.mu.Unlock()
	if first {
		t.flood()
	}
	return ok, dropped
}

// throttled is a logger for what a provider says.
type throttled struct {
	hclog.Logger
	by *throttle
}

func (l *throttled) let(log func(string, ...any), msg string, args []any) {
	ok, dropped := l.by.take()
	if dropped > 0 {
		l.Logger.Warn("the provider wrote too much; lines were dropped", "lines", dropped)
	}
	if ok {
		log(msg, args...)
	}
}

func (l *throttled) Trace(msg string, args ...any) { l.let(l.Logger.Trace, msg, args) }
func (l *throttled) Debug(msg string, args ...any) { l.let(l.Logger.Debug, msg, args) }
func (l *throttled) Info(msg string, args ...any)  { l.let(l.Logger.Info, msg, args) }
func (l *throttled) Warn(msg string, args ...any)  { l.let(l.Logger.Warn, msg, args) }
func (l *throttled) Error(msg string, args ...any) { l.let(l.Logger.Error, msg, args) }

// ring keeps the end of what is written to it.
type ring struct {
	mu   sync.Mutex
	kept []byte
}

func (r *ring) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(p)
	if n > stderrKept {
		p = p[n-stderrKept:]
	}
	if excess := len(r.kept) + len(p) - stderrKept; excess > 0 {
		r.kept = append(r.kept[:0], r.kept[excess:]...)
	}
	r.kept = append(r.kept, p...)
	return n, nil
}

func (r *ring) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.ToValidUTF8(string(r.kept), "\uFFFD")
}

// quote returns what says most about an end: the line of a panic, or else the
// last lines.
func (r *ring) quote() string {
	var lines []string
	for line := range strings.Lines(r.String()) {
		if line = plain(strings.TrimSpace(line)); line == "" {
			continue
		}
		if len(line) > quotedLineMax {
			line = strings.ToValidUTF8(line[:quotedLineMax], "") + "..."
		}
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return line
		}
		lines = append(lines, line)
	}
	return strings.Join(lines[max(0, len(lines)-quotedLines):], " | ")
}

// plain returns what a line of a log in JSON says, and nothing for one that is
// only for debugging.
func plain(line string) string {
	var entry struct {
		Level   string `json:"@level"`
		Message string `json:"@message"`
		Error   string `json:"error"`
	}
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &entry) != nil || entry.Message == "" {
		return line
	}
	switch {
	case entry.Level == "trace" || entry.Level == "debug":
		return ""
	case entry.Error != "":
		return entry.Message + ": " + entry.Error
	}
	return entry.Message
}

// lineLogger logs what a provider prints once it serves, line by line: nobody
// should print there, and it must be seen that somebody does.
type lineLogger struct {
	log  hclog.Logger
	told func() // of each line; may be nil
	mu   sync.Mutex
	line []byte
}

func (l *lineLogger) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte{'\n'})
		l.line = append(l.line, line[:min(len(line), outputLineMax-len(l.line))]...)
		if whole {
			l.log.Warn("unexpected output", "line", strings.ToValidUTF8(string(l.line), "\uFFFD"))
			if l.told != nil {
				l.told()
			}
			l.line = l.line[:0]
		}
		rest = after
	}
	return len(p), nil
}

// outlet is the host's end of a provider's stdout or stderr. It remembers the
// beginning, and its end is an end of file even if it was closed from here.
type outlet struct {
	file  *os.File
	mu    sync.Mutex
	first []byte
}

func (o *outlet) Read(p []byte) (int, error) {
	n, err := o.file.Read(p)
	o.mu.Lock()
	o.first = append(o.first, p[:min(n, firstLineBytes-len(o.first))]...)
	o.mu.Unlock()
	if errors.Is(err, os.ErrClosed) {
		err = io.EOF
	}
	return n, err
}

func (o *outlet) Close() error { return o.file.Close() }

// firstLine returns the first line as far as it was read.
func (o *outlet) firstLine() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	line, _, _ := bytes.Cut(o.first, []byte{'\n'})
	return strings.ToValidUTF8(strings.TrimSpace(string(line)), "\uFFFD")
}

// quiet is the logger for go-plugin itself. What it has to say about a process
// is said by the supervisor, who knows whether it was meant to end. The
// provider's own lines, which go-plugin logs under the name of the program, keep
// their level.
type quiet struct {
	hclog.Logger
	program  string
	provider hclog.Logger
}

func (q quiet) Info(msg string, args ...any)  { q.Debug(msg, args...) }
func (q quiet) Warn(msg string, args ...any)  { q.Debug(msg, args...) }
func (q quiet) Error(msg string, args ...any) { q.Debug(msg, args...) }

func (q quiet) Named(name string) hclog.Logger {
	if name == q.program {
		return q.provider
	}
	return q
}
