package page

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/store"
)

// listener is a browser that listens to a stream.
type listener struct {
	t    *testing.T
	body io.ReadCloser
	in   *bufio.Reader
}

func (s *site) listen(path string, header ...string) *listener {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	s.t.Cleanup(cancel)
	c := *s.c
	c.Timeout = 0
	resp, err := c.Do(s.request("GET", path, nil, header...).WithContext(ctx))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Fatalf("%s answered %d %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	return &listener{t: s.t, body: resp.Body, in: bufio.NewReader(resp.Body)}
}

// next returns the next event, or "" at the end.
func (l *listener) next() (event, data string) {
	l.t.Helper()
	for {
		line, err := l.in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return "", ""
		}
		if err != nil {
			l.t.Fatalf("the stream broke off: %v", err)
		}
		switch line = strings.TrimSuffix(line, "\n"); {
		case strings.HasPrefix(line, "event: "):
			event = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			data = line[len("data: "):]
		case line == "" && event != "":
			return event, data
		}
	}
}

// until reads events until one has a text.
func (l *listener) until(event, text string) {
	l.t.Helper()
	for {
		got, data := l.next()
		if got == "" {
			l.t.Fatalf("the stream ended before %s %s", event, text)
		}
		if got == event && strings.Contains(data, text) {
			return
		}
	}
}

func TestStreamTellsWhatChanged(t *testing.T) {
	t.Parallel()
	g := &fake{}
	s := serve(t, g)
	s.login()
	l := s.listen("/events")
	l.until("hello", "")
	l.until("changed", "agents") // the first look at all
	g.mu.Lock()
	g.waiting = 3
	g.mu.Unlock()
	l.until("changed", "agents")
}

func TestStreamFollowsARun(t *testing.T) {
	t.Parallel()
	g := &fake{output: "one\n"}
	s := serve(t, g)
	s.login()
	l := s.listen("/events?run=" + runID + "&from=0")
	l.until("output", `"text":"one\n"`)
	g.mu.Lock()
	g.output += "\x1b[32mtwo\x1b[0m\u202e \xc3"
	g.mu.Unlock()
	l.until("output", `"text":"two‹U+202E› "`) // half a letter waits for its end
	g.mu.Lock()
	g.output += "\xa4\n" + strings.Repeat("x", 3*maxPiece) + "end"
	g.ended = true
	g.mu.Unlock()
	l.until("output", "ä")
	l.until("output", "xend")
	l.until("ended-run", "")

	// A stream that broke off goes on where it was.
	again := s.listen("/events?run="+runID+"&from=0", "Last-Event-ID", "4")
	again.until("output", `"from":4,`)
}

func TestStreamsEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*site){
		"the server shuts down": func(s *site) { s.page.Close() },
		"another key":           func(s *site) { s.set(func() { s.key = "another" }) },
		"the page is off":       func(s *site) { s.set(func() { s.on = false }) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, &fake{})
			s.login()
			l := s.listen("/events")
			l.until("hello", "")
			end(s)
			for {
				if event, _ := l.next(); event == "" {
					return
				}
			}
		})
	}
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	s := serve(t, &fake{})
	s.login()
	var all []*listener
	for range maxWatchers {
		all = append(all, s.listen("/events"))
	}
	if resp, _ := s.ask("GET", "/events", nil, "Accept", "application/json"); resp.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("one too many is answered %d", resp.StatusCode)
	}
	_ = all[0].body.Close()
	for s.page.watch.many() == maxWatchers { // its end is noticed by whoever writes to it
		select {
		case <-t.Context().Done():
			t.Fatal("it stays")
		case <-time.After(10 * time.Millisecond):
		}
	}
	s.listen("/events")
}

// A reader that does not read is left, and does not hold up the others.
func TestSlowReadersAreLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &deaf{header: http.Header{}, stuck: make(chan struct{})}
		s := &stream{w: w, control: http.NewResponseController(w)}
		began := time.Now()
		if err := s.send("output", "", strings.Repeat("x", maxPiece)); !errors.Is(err, errDeadline) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != slowReader {
			t.Errorf("waited for %s", took)
		}
	})
}

var errDeadline = errors.New("deadline")

// deaf is a connection whose other end does not read.
type deaf struct {
	header http.Header
	stuck  chan struct{}
	at     time.Time
}

func (d *deaf) Header() http.Header                 { return d.header }
func (d *deaf) WriteHeader(int)                     {}
func (d *deaf) SetWriteDeadline(at time.Time) error { d.at = at; return nil }
func (d *deaf) Write([]byte) (int, error) {
	select {
	case <-d.stuck:
		return 0, net.ErrClosed
	case <-time.After(time.Until(d.at)):
		return 0, errDeadline
	}
}

// Changes that come while nobody listens to them become one.
func TestChangesAreCoalesced(t *testing.T) {
	t.Parallel()
	g := &fake{}
	w := newWatch(g, hclog.NewNullLogger())
	one := w.join()
	for i := range 100 {
		g.waiting = i
		w.forget()
		w.poll(t.Context())
	}
	<-one.wake
	if topics := w.take(one); strings.Join(topics, " ") != "agents deliveries runs" {
		t.Errorf("it is told of %v", topics)
	}
	select {
	case <-one.wake:
		t.Error("it is told again")
	default:
	}
	if topics := w.take(one); len(topics) > 0 {
		t.Errorf("it is told again of %v", topics)
	}
}

// The store is asked for depths while nobody looks, and for nothing else.
func TestOnlyDepthsAreWatchedForNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &quietGateway{}
		w := newWatch(g, hclog.NewNullLogger())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); w.run(ctx, func() bool { return true }) }()
		time.Sleep(2 * time.Minute) //nolint:forbidigo // of the bubble
		cancel()
		<-done
		if want := int(2*time.Minute/sampleEvery) - 1; g.asked < want || g.asked > want+2 {
			t.Errorf("asked %d times", g.asked)
		}
		if c := w.depths.chart("dev", 5); c.Flat || c.Most != g.asked {
			t.Errorf("the chart is %+v", c)
		}
	})
}

// quietGateway has a queue that grows, and panics when it is asked for more.
type quietGateway struct {
	Gateway
	asked int
}

func (g *quietGateway) Queues(context.Context) ([]store.Queue, error) {
	g.asked++
	return []store.Queue{{Agent: "dev", Waiting: g.asked}}, nil
}
