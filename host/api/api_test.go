package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/store"
)

// fake is a gateway of which only the status is asked.
type fake struct {
	Gateway
	status func(context.Context) (Status, error)
}

func (f fake) Ready() error { return errors.New("still asleep") }

func (f fake) Status(ctx context.Context) (Status, error) { return f.status(ctx) }

func serve(t *testing.T, key string, status func(context.Context) (Status, error)) (http.Handler, *strings.Builder) {
	t.Helper()
	var log strings.Builder
	mux := http.NewServeMux()
	Register(mux, Options{
		Gateway: fake{status: status}, Key: func() string { return key }, Metrics: http.NotFoundHandler(),
		Log: hclog.New(&hclog.LoggerOptions{Output: &log}),
	})
	return mux, &log
}

func ask(h http.Handler, key, method, path, body string) (int, string, http.Header) {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Code, w.Body.String(), w.Header()
}

func TestKey(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		key, given string
		want       int
	}{
		"right":                     {"key", "key", 200},
		"wrong":                     {"key", "kex", 401},
		"none":                      {"key", "", 401},
		"longer":                    {"key", "keys", 401},
		"a gateway without a key":   {"", "", 401},
		"that, and somebody's try":  {"", "key", 401},
		"another case is not right": {"key", "KEY", 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, _ := serve(t, tt.key, func(context.Context) (Status, error) { return Status{}, nil })
			if code, body, _ := ask(h, tt.given, "GET", "/api/status", ""); code != tt.want {
				t.Errorf("answered %d %s; want %d", code, body, tt.want)
			}
		})
	}
}

// Errors that are meant for whoever asked are shown; others are for the log, and
// say nothing of the inside.
func TestErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err    error
		code   int
		detail string
		logged bool
	}{
		"not found":   {NotFound("there is no %s", "cake"), 404, "there is no cake", false},
		"conflict":    {fmt.Errorf("somewhere: %w", Conflict("not now")), 409, "not now", false},
		"invalid":     {Invalid("nonsense"), 400, "nonsense", false},
		"store":       {fmt.Errorf("read: %w", store.ErrUnavailable), 503, "the store does not answer", true},
		"too slow":    {context.DeadlineExceeded, 503, "the store does not answer", true},
		"the unknown": {errors.New("table jobs has no column secret"), 500, "the gateway could not do this; its log says why", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, log := serve(t, "key", func(context.Context) (Status, error) { return Status{}, tt.err })
			code, body, header := ask(h, "key", "GET", "/api/status", "")
			if code != tt.code || !strings.Contains(body, tt.detail) || strings.Contains(body, "secret") || !strings.Contains(body, `"ok":false`) {
				t.Errorf("answered %d %s", code, body)
			}
			if tt.logged != strings.Contains(log.String(), tt.err.Error()) {
				t.Errorf("logged %q", log)
			}
			if (code == 503) != (header.Get("Retry-After") != "") {
				t.Errorf("Retry-After is %q", header.Get("Retry-After"))
			}
		})
	}
}

// Nobody waits for a store that hangs.
func TestAnswersInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, _ := serve(t, "key", func(ctx context.Context) (Status, error) {
			<-ctx.Done()
			return Status{}, ctx.Err()
		})
		began := time.Now()
		code, _, _ := ask(h, "key", "GET", "/api/status", "")
		if took := time.Since(began); code != 503 || took > 10*time.Second {
			t.Errorf("answered %d after %s", code, took)
		}
	})
}

func TestOtherWords(t *testing.T) {
	t.Parallel()
	h, _ := serve(t, "key", func(context.Context) (Status, error) { return Status{}, nil })
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{"POST", "/api/status", 405},
		{"GET", "/api/stop", 405},
		{"GET", "/api/", 404},
		{"GET", "/api/nothing", 404},
		{"GET", "/ready", 503},
		{"GET", "/health", 200},
	} {
		if code, body, _ := ask(h, "key", tt.method, tt.path, ""); code != tt.want {
			t.Errorf("%s %s answered %d %s; want %d", tt.method, tt.path, code, body, tt.want)
		}
	}
}

// Whatever listens there, the client says what is wrong, and never hands its key
// on.
func TestClientErrors(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the client followed to %s, with the key %q", r.URL, r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		is     error
		says   string
	}{
		"wrong key":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, ErrKey, "refuses this API key"},
		"not found":        {answers(404, `{"ok":false,"detail":"there is no agent \"x\""}`), ErrNotFound, `there is no agent "x"`},
		"conflict":         {answers(409, `{"ok":false,"detail":"not now"}`), ErrConflict, "not now"},
		"an older gateway": {answers(404, "404 page not found\n"), nil, "no gateway, or one older than this al"},
		"no gateway":       {answers(502, "<html>Bad Gateway</html>"), nil, "answered 502 Bad Gateway"},
		"no JSON":          {answers(200, "<html>Hello</html>"), nil, "is not a gateway's"},
		"elsewhere":        {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }, nil, "answered 302 Found"},
		"gone":             {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, ErrUnreachable, "does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tt.answer)
			defer server.Close()
			c := Client{URL: server.URL, Key: "s3cret"}
			_, err := c.Status(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error is %v; want it to say %q", err, tt.says)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("error %v is not %v", err, tt.is)
			}
		})
	}
	if _, err := (&Client{URL: "http://127.0.0.1:1"}).Status(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("nobody there: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&Client{URL: elsewhere.URL}).Status(gone); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
		t.Errorf("given up by the caller: %v", err)
	}
}

func answers(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func TestPercentiles(t *testing.T) {
	t.Parallel()
	seconds := func(n ...int) []time.Duration {
		out := make([]time.Duration, len(n))
		for i, v := range n {
			out[i] = time.Duration(v) * time.Second
		}
		return out
	}
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100-i) * time.Second
	}
	for _, tt := range []struct {
		values []time.Duration
		want   Percentiles
	}{
		{seconds(7), Percentiles{7, 7, 7}},
		{seconds(3, 1), Percentiles{1, 3, 3}},
		{seconds(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), Percentiles{5, 9, 10}},
		{hundred, Percentiles{50, 90, 99}},
	} {
		if got := percentiles(tt.values); *got != tt.want {
			t.Errorf("%v: %+v; want %+v", tt.values, *got, tt.want)
		}
	}
	if percentiles(nil) != nil {
		t.Error("percentiles of nothing")
	}
}

func TestIsRunID(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"01k6r3z0m9t5c8q2w7x4y1v0nb": true, "01K6R3Z0M9T5C8Q2W7X4Y1V0NB": false, "": false, "17": false, "dev": false,
		"../../../../../etc/passwd0": false, "01k6r3z0m9t5c8q2w7x4y1v0nl": false,
	} {
		if got := IsRunID(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
