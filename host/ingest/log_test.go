package ingest_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/sdk"
)

// lines are those of a log in JSON, without what differs from run to run.
func (f *fixture) lines() []map[string]any {
	f.Helper()
	var out []map[string]any
	for line := range strings.Lines(f.log.String()) {
		fields := map[string]any{}
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			f.Fatalf("%v: %s", err, line)
		}
		if id, ok := fields["receipt"].(string); ok && len(id) != len(job.NewID(time.Now())) {
			f.Errorf("receipt %q", id)
		}
		if took, ok := fields["duration"].(float64); fields["@message"] != "job dropped: the queue is full" && (!ok || took <= 0 || took > 60) {
			f.Errorf("duration %v is no number of seconds", fields["duration"])
		}
		delete(fields, "@timestamp")
		delete(fields, "receipt")
		delete(fields, "duration")
		out = append(out, fields)
	}
	return out
}

// docs/logs-and-traces.md describes these.
func TestDeliveryHasOneLine(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		path, sig, body string
		setup           func(*memory)
		debug           bool
		want            map[string]any // nil for no line
	}{
		"for agents": {
			path: "/webhooks/bell", sig: "s1", body: `"front"`,
			want: map[string]any{
				"@level": "info", "@message": "delivery", "provider": "bell", "source": "home,both", "outcome": "queued",
				"agents": "dev,ops", "event": "ring", "delivery_id": "d-1", "status": 200.0,
			},
		},
		"for none": {path: "/webhooks/bell", sig: "s1", body: `"attic"`},
		"for none, when all are asked for": {
			path: "/webhooks/bell", sig: "s1", body: `"attic"`, debug: true,
			want: map[string]any{
				"@level": "debug", "@message": "delivery", "provider": "bell", "source": "home,both", "outcome": "unmatched",
				"event": "ring", "delivery_id": "d-1", "status": 200.0,
			},
		},
		"kept out": {
			path: "/webhooks/bell", sig: "s1", body: `"back"`,
			setup: func(m *memory) { m.verdicts = []store.Verdict{store.Skipped} },
			want: map[string]any{
				"@level": "info", "@message": "delivery", "provider": "bell", "source": "home,both", "outcome": "dropped",
				"agents": "dev", "event": "ring", "delivery_id": "d-1", "status": 200.0,
			},
		},
		"forged": {
			path: "/webhooks/bell/home", sig: "guess", body: `"front"`,
			want: map[string]any{
				"@level": "warn", "@message": "delivery refused: no valid signature", "provider": "bell", "outcome": "refused",
				"reason": "bad_signature", "status": 401.0, "error": "bad signature",
			},
		},
		"not understood": {
			path: "/webhooks/bell", sig: "s1", body: `{`,
			want: map[string]any{
				"@level": "warn", "@message": "delivery not understood: kept as a dead letter", "provider": "bell", "source": "home,both",
				"outcome": "unparseable", "reason": "unparseable", "status": 400.0, "error": "unparseable: not a JSON string",
			},
		},
		"not recorded": {
			path: "/webhooks/bell", sig: "s1", body: `"front"`,
			setup: func(m *memory) { m.err = errors.New("disk is full") },
			want: map[string]any{
				"@level": "warn", "@message": "delivery refused: it could not be recorded", "provider": "bell", "source": "home,both",
				"outcome": "refused", "reason": "store", "status": 503.0, "error": "disk is full",
			},
		},
		"for nobody": {path: "/webhooks/nosuch", body: "x"},
		"for nobody, when all are asked for": {
			path: "/webhooks/nosuch", body: "x", debug: true,
			want: map[string]any{
				"@level": "debug", "@message": "delivery refused", "provider": "unknown", "outcome": "refused",
				"reason": "unknown_type", "status": 404.0,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			level := hclog.Info
			if tt.debug {
				level = hclog.Debug
			}
			f := setupLog(t, &bell{}, hclog.LoggerOptions{JSONFormat: true, Level: level})
			if tt.setup != nil {
				tt.setup(f.store)
			}
			f.post(tt.path, tt.sig, "d-1", tt.body)
			var want []map[string]any
			if tt.want != nil {
				want = append(want, tt.want)
			}
			if diff := cmp.Diff(want, f.lines()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// An id is whatever a stranger wants it to be: it makes no lines, and no long
// ones, and moves no cursor.
func TestIDsForgeNoLines(t *testing.T) {
	t.Parallel()
	id := "1\n2026-11-26T00:00:00.000Z [INFO]  al.ingest: delivery: outcome=queued\r\x1b[2J\u202e" + strings.Repeat("x", 1<<16)
	f := setup(t, &bell{events: func(sdk.Request) ([]sdk.Event, error) {
		return []sdk.Event{{Name: "ring", DeliveryID: id, Attributes: map[string][]string{"door": {"front"}}}}, nil
	}})
	f.post("/webhooks/bell", "s1", "", `"front"`)
	got := f.log.String()
	if strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, "\n") {
		t.Errorf("not one line: %q", got)
	}
	if strings.ContainsAny(got, "\r\x1b\u202e") {
		t.Errorf("control characters: %q", got)
	}
	if len(got) > 1000 {
		t.Errorf("%d bytes", len(got))
	}
	if !strings.Contains(got, `delivery_id="1\n2026-11-26T`) {
		t.Errorf("the id can not be told: %q", got)
	}
}

// What anybody can cause costs a bounded number of lines, at every level.
func TestStrangersDoNotFillTheLog(t *testing.T) {
	t.Parallel()
	for _, level := range []hclog.Level{hclog.Info, hclog.Trace} {
		f := setupLog(t, &bell{}, hclog.LoggerOptions{JSONFormat: true, Level: level})
		const each = 2000
		for range each {
			f.post("/webhooks/bell/home", "guess", "1", `"front"`)                                   // 401
			f.post("/webhooks/nosuch", "", "1", "")                                                  // 404
			f.do(httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/webhooks/bell", nil)) // 405
			f.post("/webhooks/bell", "handshake", "1", `"front"`)                                    // proves nobody
		}
		// A burst of five of each kind, and one a second for as long as this takes.
		if n := strings.Count(f.log.String(), "\n"); n < 5 || n > each {
			t.Errorf("%s: %d lines of %d deliveries", level, n, 4*each)
		}
	}
}

// Queues that are full drop jobs as fast as deliveries come.
func TestAcceptedDeliveriesAreBoundedToo(t *testing.T) {
	t.Parallel()
	f := setupLog(t, &bell{}, hclog.LoggerOptions{JSONFormat: true})
	f.store.drop = true
	const each = 5000
	for range each {
		f.post("/webhooks/bell", "s1", "", `"back"`)
	}
	lines := f.lines()
	if len(lines) > each {
		t.Errorf("%d lines of %d deliveries", len(lines), each)
	}
	kinds := map[string]int{}
	for _, line := range lines {
		message, _ := line["@message"].(string)
		kinds[message]++
	}
	if kinds["delivery"] < 200 || kinds["job dropped: the queue is full"] < 5 {
		t.Errorf("lines %v: the first ones are told", kinds)
	}
	if kinds["delivery"] > 200 && !slices.ContainsFunc(lines, func(l map[string]any) bool { return l["not_logged"] != nil }) {
		t.Error("nothing says that there were more")
	}
}
