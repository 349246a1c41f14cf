package cli_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/action-llama/gateway/host/api"
)

// stage is a gateway that says what a test wants it to.
func stage(t *testing.T, answer func(path string) any) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer key" {
			t.Errorf("%s came with the key %q", r.URL.Path, r.Header.Get("Authorization"))
		}
		_ = json.NewEncoder(w).Encode(answer(r.URL.Path))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func playing(agents ...string) api.Status {
	began := time.Now()
	s := api.Status{Running: true, PID: 7, Address: "http://gateway.example", StartedAt: &began}
	for _, name := range agents {
		s.Agents = append(s.Agents, api.AgentStatus{Name: name, State: "idle", Scale: 1, Capacity: 100})
	}
	return s
}

func atStage(url string, more ...string) []string {
	return append([]string{"AL_URL=" + url, "AL_API_KEY=key", "NO_COLOR=", "TERM=xterm"}, more...)
}

// The live view stays in its place, fits into the window, and ends with Ctrl-C.
func TestLiveView(t *testing.T) {
	t.Parallel()
	const home, clear = "\x1b[H", "\x1b[2J"
	var looks atomic.Int32
	url := stage(t, func(string) any {
		if looks.Add(1) == 1 {
			return playing("first")
		}
		agents := make([]string, 50)
		for i := range agents {
			agents[i] = strings.Repeat("second", 20)
		}
		return playing(agents...)
	})
	c := openConsole(t, atStage(url), "stat", "-w")
	if err := pty.Setsize(c.tty, &pty.Winsize{Rows: 10, Cols: 40}); err != nil {
		t.Fatal(err)
	}
	first := c.expect("first ")
	if !strings.Contains(first, clear+home) || !strings.Contains(first, "\x1b[32mrunning\x1b[0m") {
		t.Errorf("the first view is not drawn from the top, in colours: %q", first)
	}
	shown := c.expect("more lines")
	again := shown[strings.LastIndex(shown, home):]
	if strings.Contains(again, clear) {
		t.Errorf("the second view flickers: %q", again)
	}
	lines := strings.Split(again, "\r\n")
	if len(lines) > 10 {
		t.Errorf("%d lines scroll a window of 10: %q", len(lines), again)
	}
	for _, line := range lines {
		for _, sequence := range []string{home, "\x1b[K", "\x1b[J", "\x1b[32m", "\x1b[0m"} {
			line = strings.ReplaceAll(line, sequence, "")
		}
		if len(line) > 40 {
			t.Errorf("a line is wider than a window of 40: %q", line)
		}
	}
	c.write("\x03")
	if code := c.exitCode(); code != 0 {
		t.Errorf("exit code %d after Ctrl-C", code)
	}
}

// NO_COLOR is about colours: the view is as live as before.
func TestLiveViewWithoutColours(t *testing.T) {
	t.Parallel()
	url := stage(t, func(string) any { return playing("dev") })
	c := openConsole(t, atStage(url, "NO_COLOR=1"), "stat", "-w")
	if shown := c.expect("dev "); !strings.Contains(shown, "\x1b[H") || strings.Contains(shown, "\x1b[32m") {
		t.Errorf("shown is %q", shown)
	}
	c.write("\x03")
	c.exitCode()
}

// What takes longer than a second says so, counts on, and leaves nothing behind.
func TestProgressLine(t *testing.T) {
	t.Parallel()
	enough := make(chan struct{})
	url := stage(t, func(string) any {
		<-enough
		return api.Stats{Agents: []api.AgentStats{{Name: "dev", Runs: 1}}}
	})
	c := openConsole(t, atStage(url), "stats")
	c.expect("counting runs (1s)")
	c.expect("counting runs (2s)")
	close(enough)
	shown := c.expect("dev ")
	last := strings.LastIndex(shown, "counting runs")
	cleared := strings.LastIndex(shown, "\r\x1b[K")
	if table := strings.Index(shown, "AGENT"); last > cleared || cleared > table {
		t.Errorf("the line is not gone before the table comes: %q", shown)
	}
	if code := c.exitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// Ctrl-C ends the watching, and says how to go on.
func TestLeavingARun(t *testing.T) {
	t.Parallel()
	url := stage(t, func(path string) any {
		if path == "/api/status" {
			return playing("dev")
		}
		return api.JobStatus{ID: 17, Agent: "dev", State: "waiting"}
	})
	c := openConsole(t, atStage(url), "run", "dev")
	c.expect("job 17 waits for a free slot of dev (")
	c.write("\x03")
	c.expect("left; it goes on: al logs -i 17 -f shows it")
	if code := c.exitCode(); code != 1 {
		t.Errorf("exit code %d", code)
	}
}
