package handover

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is a gateway that writes down what is asked of it.
type house struct {
	estate Estate
	refuse error // to be held
	unfit  error // to let the other one begin
	said   chan string
}

func (h *house) Hold(context.Context) (Estate, error) {
	h.said <- "hold"
	return h.estate, h.refuse
}
func (h *house) Ready() error   { return h.unfit }
func (h *house) Resume()        { h.said <- "resume" }
func (h *house) Leave(to Hello) { h.said <- "leave to " + to.ID }
func (h *house) Stop(now bool)  { h.said <- map[bool]string{true: "stop now", false: "stop"}[now] }

const patience = 30 * time.Second

func (h *house) expect(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-h.said:
		if got != want {
			t.Fatalf("the gateway was told to %s; want %s", got, want)
		}
	case <-time.After(patience):
		t.Fatalf("the gateway was never told to %s", want)
	}
}

// offer has a gateway wait for the next, and returns where.
func offer(t *testing.T, change ...func(*house)) (*house, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "al-h-") // short, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	lock, err := TryLock(filepath.Join(dir, "lock"))
	if err != nil || lock == nil {
		t.Fatal(lock, err)
	}
	h := &house{estate: Estate{Listener: l, Lock: lock}, said: make(chan string, 10)}
	for _, f := range change {
		f(h)
	}
	path := filepath.Join(dir, "s")
	socket, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the socket: %v, %v", info.Mode(), err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	o := &Offer{Listener: socket, Self: Hello{Version: "one", ID: "old", PID: 1}, Giver: h, Log: hclog.NewNullLogger()}
	go func() { ended <- o.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = l.Close()
		_ = lock.Release()
	})
	return h, path
}

func meet(t *testing.T, path string) *Successor {
	t.Helper()
	s, err := Meet(t.Context(), path, Hello{Version: "two", ID: "new", PID: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// What is handed on works while the one that had it goes, and the lock is never
// free.
func TestHandover(t *testing.T) {
	h, path := offer(t)
	s := meet(t, path)
	if s.Previous.Version != "one" || s.Previous.ID != "old" {
		t.Errorf("met %+v", s.Previous)
	}
	e, err := s.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.expect(t, "hold")
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Serving(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.expect(t, "leave to new")
	_ = h.estate.Listener.Close()
	_ = h.estate.Lock.Release()
	lockPath := filepath.Join(filepath.Dir(path), "lock")
	if held, err := Held(lockPath); err != nil || !held {
		t.Errorf("the lock is free: %v", err)
	}
	answers(t, e.Listener)
	if err := e.Lock.Release(); err != nil {
		t.Error(err)
	}
	if held, err := Held(lockPath); err != nil || held {
		t.Errorf("the lock is still held: %v", err)
	}
	// It has nothing left to hand over.
	if _, err := meet(t, path).Take(t.Context()); err == nil || !strings.Contains(err.Error(), "handed over to another gateway already") {
		t.Errorf("a second one: %v", err)
	}
}

// The descriptor of a listener that another process uses, too, has to stay as it
// is: a blocking one would hang that process.
func TestHandoverLeavesTheListenerAlone(t *testing.T) {
	h, path := offer(t)
	s := meet(t, path)
	e, err := s.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.expect(t, "hold")
	_ = e.Lock.Release()
	_ = e.Listener.Close()
	// The accept of one that is blocking would not mind the deadline.
	if err := h.estate.Listener.SetDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.estate.Listener.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("accept: %v", err)
	}
	_ = h.estate.Listener.SetDeadline(time.Time{})
	_ = s.Close()
	h.expect(t, "resume")
	answers(t, h.estate.Listener)
}

// take takes over from a gateway that may still be busy with the one before.
func take(t *testing.T, path string) (*Successor, Estate) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		s := meet(t, path)
		e, err := s.Take(t.Context())
		if err == nil {
			return s, e
		}
		if !strings.Contains(err.Error(), "right now") || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// Wherever the next one ends, the one that runs goes on, and can hand over to
// another.
func TestHandoverThatEndsEarly(t *testing.T) {
	h, path := offer(t)
	for _, steps := range []int{1, 2} {
		s, e := take(t, path)
		h.expect(t, "hold")
		if steps > 1 {
			if err := s.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := meet(t, path).Take(t.Context()); err == nil || !strings.Contains(err.Error(), "right now") {
			t.Errorf("a second one meanwhile: %v", err)
		}
		_ = e.Listener.Close()
		_ = e.Lock.Release()
		_ = s.Close()
		h.expect(t, "resume")
	}
	_ = meet(t, path).Close() // before it asked for anything
	if err := AskStop(t.Context(), path, Hello{}, true); err != nil {
		t.Error(err)
	}
	h.expect(t, "stop now")
	if err := AskStop(t.Context(), path, Hello{}, false); err != nil {
		t.Error(err)
	}
	h.expect(t, "stop")
}

func TestHandoverThatIsRefused(t *testing.T) {
	stopping := errors.New("it is stopping")
	h, path := offer(t, func(h *house) { h.refuse = stopping })
	if _, err := meet(t, path).Take(t.Context()); err == nil || err.Error() != "it is stopping" {
		t.Errorf("refused: %v", err)
	}
	h.expect(t, "hold")

	h, path = offer(t, func(h *house) { h.unfit = stopping })
	s := meet(t, path)
	e, err := s.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.expect(t, "hold")
	if err := s.Ready(t.Context()); err == nil || err.Error() != "it is stopping" {
		t.Errorf("refused late: %v", err)
	}
	h.expect(t, "resume")
	_ = e.Listener.Close()
	_ = e.Lock.Release()
}

// speak says lines to an offer, and returns what it answers.
func speak(t *testing.T, path string, lines ...string) string {
	t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte(strings.Join(lines, "\n") + "\n")); err != nil {
		t.Fatal(err)
	}
	_ = c.CloseWrite()
	var out strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		out.Write(buf[:n])
		if err != nil {
			return out.String()
		}
	}
}

// Nonsense, and what a later al may say, changes nothing.
func TestOfferToOthers(t *testing.T) {
	h, path := offer(t)
	for name, lines := range map[string][]string{
		"no JSON":           {"GET / HTTP/1.1", ""},
		"another protocol":  {`{"protocol":2,"version":"v9"}`, `{"do":"take"}`},
		"unknown question":  {`{"protocol":1}`, `{"do":"dance"}`},
		"serves at once":    {`{"protocol":1}`, `{"do":"serving"}`},
		"a very long line":  {strings.Repeat("a", 2*maxLine)},
		"only says its own": {`{"protocol":1}`},
	} {
		got := speak(t, path, lines...)
		if strings.Contains(got, `"ok":true`) {
			t.Errorf("%s: answered %s", name, got)
		}
	}
	select {
	case said := <-h.said:
		t.Errorf("the gateway was told to %s", said)
	default:
	}
	meet(t, path) // it still answers
}

// A gateway of another protocol is refused before anything is asked of it.
func TestMeetAnotherProtocol(t *testing.T) {
	dir, err := os.MkdirTemp("", "al-h-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		var hello Hello
		_ = json.NewDecoder(c).Decode(&hello)
		_ = json.NewEncoder(c).Encode(Hello{Protocol: Protocol + 1, Version: "v9"})
	}()
	_, err = Meet(t.Context(), filepath.Join(dir, "s"), Hello{})
	if err == nil || !strings.Contains(err.Error(), "the running gateway (al v9) hands over by protocol 2, and this al knows 1") {
		t.Errorf("got %v", err)
	}
}
