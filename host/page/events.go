package page

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/action-llama/gateway/host/api"
)

const (
	// heartbeat keeps proxies from taking a quiet stream for a dead one.
	heartbeat = 15 * time.Second
	// slowReader is how long a reader may take for what it is sent, before it is
	// left.
	slowReader = 10 * time.Second
	// reconnect is how soon a browser tries again when a stream has ended.
	reconnect = 2 * time.Second
	// followEvery is how soon new output is seen.
	followEvery = 400 * time.Millisecond
	// maxPiece bounds the output in one event; what is beyond it is in the next.
	maxPiece = 64 << 10
)

// events tells the script, by server-sent events, that topics changed and, when it
// asks for a run, what the run writes.
func (p *Page) events(w http.ResponseWriter, r *http.Request) {
	one := p.watch.join()
	if one == nil {
		p.fail(w, r, http.StatusServiceUnavailable, "Too many pages are open. This one is not live.")
		return
	}
	defer p.watch.leave(one)
	s := &stream{w: w, control: http.NewResponseController(w)}
	// The time to send a request says nothing about how long its answer may be.
	_ = s.control.SetReadDeadline(time.Time{}) // a writer that has none needs none
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep it
	if s.write(fmt.Sprintf("retry: %d\n\n", reconnect.Milliseconds())) != nil || s.send("hello", "", hello{time.Now().UnixMilli()}) != nil {
		return
	}
	var run *follower
	if id := r.FormValue("run"); id != "" {
		run = &follower{runs: p.gateway, run: id, from: startOf(r)}
	}
	p.stream(r, s, one, run)
}

// hello is how a stream begins.
type hello struct {
	Now int64 `json:"now"` // in milliseconds; a browser's clock may be another
}

// startOf is the place in the output where a stream begins, or goes on after it
// broke off.
func startOf(r *http.Request) int64 {
	for _, text := range []string{r.Header.Get("Last-Event-ID"), r.FormValue("from")} {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
			return n
		}
	}
	return 0
}

func (p *Page) stream(r *http.Request, s *stream, one *watcher, run *follower) {
	check := time.NewTicker(followEvery)
	defer check.Stop()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-r.Context().Done():
			return
		case <-p.closing:
			_ = s.send("closing", "", struct{}{}) // it ends in any case
			return
		case <-beat.C:
			err = s.comment()
		case <-one.wake:
			if topics := p.watch.take(one); len(topics) > 0 {
				err = s.send("changed", "", topics)
			}
		case <-check.C:
			if !p.enabled() || !p.sessions.holds(r) {
				_ = s.send("ended", "", struct{}{})
				return
			}
			if run != nil {
				err = run.follow(r.Context(), s)
			}
		}
		if err != nil {
			return
		}
	}
}

// stream writes events. Whoever reads too slowly for them is left.
type stream struct {
	w       io.Writer
	control *http.ResponseController
}

func (s *stream) send(event, id string, data any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return err
	}
	text := "event: " + event + "\n"
	if id != "" {
		text += "id: " + id + "\n"
	}
	return s.write(text + "data: " + string(raw) + "\n\n")
}

func (s *stream) comment() error { return s.write(":\n\n") }

func (s *stream) write(text string) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(slowReader)) // as above
	if _, err := io.WriteString(s.w, text); err != nil {
		return err
	}
	return s.control.Flush()
}

// follower sends on what a run writes.
type follower struct {
	runs api.Runs
	run  string
	from int64
	done bool
}

// piece is a part of an output.
type piece struct {
	From int64  `json:"from"`
	Next int64  `json:"next"`
	Text string `json:"text"`
}

func (f *follower) follow(ctx context.Context, s *stream) error {
	if f.done {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// In this order: what a run that has ended wrote is all there.
	run, err := f.runs.Run(ctx, f.run)
	if err != nil {
		f.done = true // there is no such run, or the next stream finds it again
		return s.send("ended-run", "", struct{}{})
	}
	for {
		p, more, err := readPiece(ctx, f.runs, f.run, f.from, run.Ended())
		if err != nil {
			return err
		}
		if p.Next > f.from {
			f.from = p.Next
			if err := s.send("output", strconv.FormatInt(p.Next, 10), p); err != nil {
				return err
			}
		}
		if more && run.Ended() {
			continue // it is bounded, and the reader's pace is that of send
		}
		if run.Ended() {
			f.done = true
			return s.send("ended-run", "", struct{}{})
		}
		return nil
	}
}

// readPiece reads output from a byte on, as it is shown. There may be more.
func readPiece(ctx context.Context, runs api.Runs, run string, from int64, ended bool) (p piece, more bool, err error) {
	out, err := runs.Output(ctx, run, from)
	if err != nil {
		return p, false, err
	}
	defer func() { _ = out.Close() }()
	raw, err := io.ReadAll(io.LimitReader(out, maxPiece))
	if err != nil {
		return p, false, fmt.Errorf("output of run %s: %w", run, err)
	}
	more = len(raw) == maxPiece
	n := len(raw)
	if !ended || more {
		n = settled(raw)
	}
	return piece{From: out.From, Next: out.From + int64(n), Text: harmless(plain(string(raw[:n])))}, more, nil
}
