package ingest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/match"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/sdk"
)

// bell is a provider in this process: its signature is the secret itself.
type bell struct {
	events func(req sdk.Request) ([]sdk.Event, error)
	verify func(ctx context.Context) error
	reply  *sdk.Reply
}

func (b *bell) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type: "bell", Name: "Door bell", SignatureHeaders: []string{"X-Sig"}, ReplyDeadline: 2 * time.Second,
		Filters: []sdk.Filter{{Name: "doors", Attribute: "door"}},
	}
}

func (b *bell) Verify(ctx context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	if b.verify != nil {
		if err := b.verify(ctx); err != nil {
			return nil, err
		}
	}
	var which sdk.Which
	for i, s := range secrets {
		if s.Fields["secret"] == req.Header.Get("X-Sig") {
			which = append(which, i)
		}
	}
	if len(which) == 0 && req.Header.Get("X-Sig") != "handshake" {
		return nil, sdk.ErrBadSignature
	}
	return which, nil
}

func (b *bell) Challenge(_ context.Context, req sdk.Request, _ []sdk.Secret) (*sdk.Reply, error) {
	if req.Query == "challenge" {
		return b.reply, nil
	}
	return nil, nil
}

func (b *bell) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	if b.events != nil {
		return b.events(req)
	}
	var door string
	if err := json.Unmarshal(req.Body, &door); err != nil {
		return nil, sdk.Unparseable("not a JSON string")
	}
	return []sdk.Event{{
		DeliveryID: req.Header.Get("X-Id"), Name: "ring", Title: "T", Body: strings.Repeat("é", 5000),
		Attributes: map[string][]string{"door": {door}}, Timestamp: time.Unix(1700000000, 0),
		Extra: map[string]any{"token": "hush", "id": json.Number("9007199254740993")}, Sensitive: []string{"token"},
	}}, nil
}

// liar says that it proved nobody, and hands over events all the same.
type liar struct {
	bell
	which sdk.Which
}

func (l *liar) Deliver(context.Context, sdk.Request, []sdk.Secret, sdk.DeliverOptions) (sdk.Delivery, error) {
	return sdk.Delivery{Which: l.which, Events: []sdk.Event{{Name: "ring", Attributes: map[string][]string{"door": {"front"}}}}}, nil
}

// memory is a store that remembers, and fails when told to.
type memory struct {
	mu       sync.Mutex
	accepted []store.Acceptance
	noted    []job.Receipt
	keys     map[string]bool
	err      error
	drop     bool
	verdicts []store.Verdict // of the first jobs, instead of what would be said
	more     store.Accepted  // what else it says
}

func (m *memory) Accept(_ context.Context, a store.Acceptance) (store.Accepted, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return store.Accepted{}, m.err
	}
	m.accepted = append(m.accepted, a)
	out := store.Accepted{}
	for i, j := range a.Jobs {
		key := j.Agent + "\x00" + j.Source + "\x00" + j.Key
		verdict := store.Enqueued
		if j.Key != "" && m.keys[key] {
			verdict = store.Duplicate
		}
		m.keys[key] = true
		if n := len(out.Verdicts); n < len(m.verdicts) {
			verdict = m.verdicts[n]
		}
		out.Verdicts = append(out.Verdicts, verdict)
		out.IDs = append(out.IDs, int64(i+1))
	}
	if m.drop {
		out.Dropped = []store.Drop{{Agent: "dev", ID: 1}}
	}
	out.Cancelled, out.Tripped = m.more.Cancelled, m.more.Tripped
	return out, nil
}

func (m *memory) Note(r job.Receipt) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noted = append(m.noted, r)
	return true
}

type fixture struct {
	*testing.T
	store    *memory
	handler  *ingest.Handler
	mux      *http.ServeMux
	registry *prometheus.Registry
	log      *strings.Builder
	woken    int
	ended    []string // runs that were cancelled
}

func setup(t *testing.T, provider sdk.Provider) *fixture {
	t.Helper()
	return setupLog(t, provider, hclog.LoggerOptions{})
}

func setupLog(t *testing.T, provider sdk.Provider, log hclog.LoggerOptions) *fixture {
	t.Helper()
	f := &fixture{T: t, store: &memory{keys: map[string]bool{}}, mux: http.NewServeMux(), registry: prometheus.NewRegistry(), log: &strings.Builder{}}
	log.Output, log.Mutex = f.log, &sync.Mutex{}
	f.handler = ingest.New(ingest.Options{
		Store: f.store, Wake: func() { f.woken++ },
		Cancel:     func(run, _ string) { f.ended = append(f.ended, run) },
		Log:        hclog.New(&log),
		Registerer: f.registry, MaxBodyBytes: 1000, MaxInflightBytes: 1 << 20, Now: time.Now,
	})
	f.handler.Register(f.mux)
	d := sdk.Describe(provider)
	matcher, problems := match.Compile([]match.Trigger{
		{Agent: "dev", Source: "home", Filters: []match.Filter{{Name: "doors", Values: []string{"front"}, List: true}}},
		{Agent: "dev", Source: "home", Filters: []match.Filter{{Name: "doors", Values: []string{"front", "back"}, List: true}}},
		{Agent: "ops", Source: "home", Filters: []match.Filter{{Name: "doors", Values: []string{"front"}, List: true}}},
		{Agent: "ops", Source: "office", Filters: []match.Filter{{Name: "doors", Values: []string{"front"}, List: true}}},
		{Agent: "all", Source: "open"},
	}, map[string]sdk.Descriptor{"home": d, "office": d, "open": d})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	secret := func(source, value string) []sdk.Secret {
		return []sdk.Secret{{Source: source, Instance: "default", Fields: map[string]string{"secret": value}}}
	}
	f.handler.Update(&ingest.Routes{Matcher: matcher, Types: map[string]*ingest.Route{
		"bell": {Provider: provider, Descriptor: d, Sources: []ingest.Source{
			{Name: "home", Secrets: append(secret("home", "s1"), secret("home", "s1-old")...)},
			{Name: "office", Secrets: secret("office", "s2")},
			{Name: "both", Secrets: secret("both", "s1")},
			{Name: "open", Unsigned: true},
			{Name: "broken", Unusable: errors.New("credential bell_secret:broken not found")},
		}},
		"gone": {Descriptor: sdk.Descriptor{Type: "gone"}, Sources: []ingest.Source{{Name: "g"}}, Unavailable: errors.New("crashed")},
	}})
	return f
}

type answered struct {
	code int
	body string
	head http.Header
}

func (f *fixture) post(path, sig, id, body string) answered {
	f.Helper()
	req := httptest.NewRequestWithContext(f.Context(), http.MethodPost, path, strings.NewReader(body))
	if sig != "" {
		req.Header.Set("X-Sig", sig)
	}
	req.Header.Set("X-Id", id)
	req.Header.Set("Authorization", "Bearer somebody's")
	return f.do(req)
}

func (f *fixture) do(req *http.Request) answered {
	f.Helper()
	w := httptest.NewRecorder()
	f.mux.ServeHTTP(w, req)
	return answered{w.Code, w.Body.String(), w.Header()}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		path, sig, body string
		code            int
		want            string
	}{
		"matches two agents, once each": {"/webhooks/bell", "s1", `"front"`, 200, `"events":1,"matched":2,"queued":2,"dropped":0`},
		"matches one":                   {"/webhooks/bell", "s1", `"back"`, 200, `"matched":1,"queued":1`},
		"matches none":                  {"/webhooks/bell", "s1", `"attic"`, 200, `"matched":0,"queued":0`},
		"any of several secrets":        {"/webhooks/bell", "s1-old", `"back"`, 200, `"queued":1`},
		"belongs to what it proves":     {"/webhooks/bell", "s2", `"front"`, 200, `"matched":1`},
		"a source by name":              {"/webhooks/bell/home", "s1", `"back"`, 200, `"queued":1`},
		"the secret of another source":  {"/webhooks/bell/office", "s1", `"front"`, 401, `"bad_signature"`},
		"unsigned, where that is taken": {"/webhooks/bell", "", `"front"`, 200, `"matched":1`},
		"unsigned, where it is not":     {"/webhooks/bell/home", "", `"front"`, 401, `"bad_signature"`},
		"wrongly signed for unsigned":   {"/webhooks/bell/open", "guess", `"front"`, 401, `"bad_signature"`},
		"credential that is missing":    {"/webhooks/bell/broken", "s1", `"front"`, 503, `"credential"`},
		"unknown type":                  {"/webhooks/nosuch", "s1", `"front"`, 404, `"unknown_type"`},
		"unknown source":                {"/webhooks/bell/nosuch", "s1", `"front"`, 404, `"unknown_source"`},
		"not parseable":                 {"/webhooks/bell", "s1", `{`, 400, `"unparseable"`},
		"not parseable and not signed":  {"/webhooks/bell/home", "guess", `{`, 401, `"bad_signature"`},
		"too large":                     {"/webhooks/bell", "s1", `"` + strings.Repeat("x", 1000) + `"`, 413, `"too_large"`},
		"exactly as large as allowed":   {"/webhooks/bell", "s1", `"` + strings.Repeat("x", 998) + `"`, 200, `"matched":0`},
		"provider that never came up":   {"/webhooks/gone", "s1", `"front"`, 503, `"provider_down"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, &bell{})
			a := f.post(tt.path, tt.sig, "1", tt.body)
			if a.code != tt.code || !strings.Contains(a.body, tt.want) {
				t.Errorf("answered %d %s; want %d with %s", a.code, a.body, tt.code, tt.want)
			}
			if a.code == http.StatusServiceUnavailable && a.head.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
			if a.code == http.StatusUnauthorized && (len(f.store.accepted) > 0 || len(f.store.noted) > 0) {
				t.Error("something of an unverified request was stored")
			}
		})
	}
}

func TestContextIsWhatTheRouteProvedAndIsBounded(t *testing.T) {
	t.Parallel()
	f := setup(t, &bell{})
	f.post("/webhooks/bell", "s1", "d-1", `"back"`)
	if len(f.store.accepted) != 1 {
		t.Fatal("nothing accepted")
	}
	a := f.store.accepted[0]
	var c map[string]any
	dec := json.NewDecoder(strings.NewReader(string(a.Jobs[0].Context)))
	dec.UseNumber()
	if err := dec.Decode(&c); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"source": "home", "provider": "bell", "event": "ring", "title": "T", "body": strings.Repeat("é", 4000) + "...",
		"timestamp": "2023-11-14T22:13:20Z", "deliveryId": "d-1", "receiptId": a.Receipt.ID,
		"extra": map[string]any{"token": "hush", "id": json.Number("9007199254740993")},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("context\n got %v\nwant %v", c, want)
	}
	if !reflect.DeepEqual(a.Jobs[0].Sensitive, []string{"extra.token"}) {
		t.Errorf("sensitive %v", a.Jobs[0].Sensitive)
	}
	if r := a.Receipt; r.Header.Get("X-Sig") != "" || r.Header.Get("Authorization") != "" || r.Header.Get("X-Id") != "d-1" || string(r.Body) != `"back"` {
		t.Errorf("receipt %+v: wants everything but the signature and keys", r)
	}
	if !reflect.DeepEqual(a.Receipt.Sources, []string{"home", "both"}) {
		t.Errorf("sources %v; want every one that shares the secret", a.Receipt.Sources)
	}
	if f.woken != 1 {
		t.Errorf("queue woken %d times", f.woken)
	}
}

func TestRepeatIsADuplicateAndStartsNothing(t *testing.T) {
	t.Parallel()
	f := setup(t, &bell{})
	f.post("/webhooks/bell", "s1", "d-1", `"front"`)
	a := f.post("/webhooks/bell", "s1", "d-1", `"front"`)
	if a.code != 200 || !strings.Contains(a.body, `"duplicate":true`) || !strings.Contains(a.body, `"queued":0`) {
		t.Errorf("answered %d %s", a.code, a.body)
	}
	if f.woken != 1 {
		t.Errorf("queue woken %d times", f.woken)
	}
	if a := f.post("/webhooks/bell", "s1", "", `"front"`); !strings.Contains(a.body, `"queued":2`) {
		t.Errorf("without an id repeats can not be told, yet: %s", a.body)
	}
}

func TestEventsOfOneDeliveryKeepTheirIdentity(t *testing.T) {
	t.Parallel()
	ring := func(id string) sdk.Event {
		return sdk.Event{DeliveryID: id, Name: "ring", Attributes: map[string][]string{"door": {"back"}}}
	}
	f := setup(t, &bell{events: func(sdk.Request) ([]sdk.Event, error) {
		return []sdk.Event{ring("a"), ring("a"), ring("b"), ring("")}, nil
	}})
	f.post("/webhooks/bell", "s1", "", "x")
	var keys []string
	for _, j := range f.store.accepted[0].Jobs {
		keys = append(keys, j.Key)
	}
	if want := []string{"a", "a#1", "b", ""}; !reflect.DeepEqual(keys, want) {
		t.Errorf("keys %q; want %q", keys, want)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	t.Run("store", func(t *testing.T) {
		t.Parallel()
		f := setup(t, &bell{})
		f.store.err = store.ErrUnavailable
		for _, body := range []string{`"front"`, `{`} {
			if a := f.post("/webhooks/bell", "s1", "1", body); a.code != 503 || a.head.Get("Retry-After") == "" {
				t.Errorf("%s: answered %d %s; nothing is recorded, so nothing is promised", body, a.code, a.body)
			}
		}
		f.store.err = nil
		if a := f.post("/webhooks/bell", "s1", "1", `"front"`); a.code != 200 {
			t.Errorf("after recovery: answered %d %s", a.code, a.body)
		}
	})
	t.Run("provider hangs", func(t *testing.T) {
		t.Parallel()
		f := setup(t, &bell{verify: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
		began := time.Now()
		a := f.post("/webhooks/bell", "s1", "1", `"front"`)
		if a.code != 503 || !strings.Contains(a.body, "provider_slow") {
			t.Errorf("answered %d %s", a.code, a.body)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("answered after %s, beyond the vendor's deadline", took)
		}
	})
	t.Run("provider breaks", func(t *testing.T) {
		t.Parallel()
		f := setup(t, &bell{verify: func(context.Context) error { return errors.New("EOF") }})
		if a := f.post("/webhooks/bell", "s1", "1", `"front"`); a.code != 503 || !strings.Contains(a.body, "provider_down") {
			t.Errorf("answered %d %s", a.code, a.body)
		}
	})
	t.Run("provider names no sender", func(t *testing.T) {
		t.Parallel()
		for _, which := range []sdk.Which{nil, {99}, {-1}} {
			f := setup(t, &liar{which: which})
			if a := f.post("/webhooks/bell", "s1", "1", `"front"`); a.code != 401 || len(f.store.accepted) > 0 {
				t.Errorf("%v: answered %d %s", which, a.code, a.body)
			}
		}
	})
}

func TestHandshakes(t *testing.T) {
	t.Parallel()
	reply := &sdk.Reply{Status: 200, Header: http.Header{"Content-Type": {"application/json"}, "Set-Cookie": {"a=b"}}, Body: []byte(`{"type":1}`)}
	f := setup(t, &bell{reply: reply})
	a := f.post("/webhooks/bell?challenge", "s1", "1", "{}")
	if a.code != 200 || a.body != `{"type":1}` || a.head.Get("Content-Type") != "application/json" || a.head.Get("Set-Cookie") != "" {
		t.Errorf("answered %d %q %v", a.code, a.body, a.head)
	}
	if len(f.store.noted) != 1 || f.store.noted[0].Outcome != job.Handshake {
		t.Errorf("noted %+v", f.store.noted)
	}
	if a := f.post("/webhooks/bell?challenge", "handshake", "1", "{}"); a.code != 200 || len(f.store.noted) != 1 {
		t.Errorf("unsigned handshake: answered %d, noted %d; nothing of it may be stored", a.code, len(f.store.noted))
	}
	if a := f.post("/webhooks/bell/home", "handshake", "1", "{}"); a.code != 401 {
		t.Errorf("no handshake after all: answered %d", a.code)
	}
	get := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/webhooks/bell?challenge", nil)
	get.Header.Set("X-Sig", "handshake")
	if a := f.do(get); a.code != 200 {
		t.Errorf("GET: answered %d", a.code)
	}
	if a := f.do(httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/webhooks/bell", nil)); a.code != 405 || a.head.Get("Allow") != "GET, POST" {
		t.Errorf("PUT: answered %d, allow %q", a.code, a.head.Get("Allow"))
	}
	for name, illegal := range map[string]*sdk.Reply{
		"status":       {Status: 99},
		"header name":  {Status: 200, Header: http.Header{"Bad Name": {"x"}}},
		"header value": {Status: 200, Header: http.Header{"X-A": {"a\r\nX-B: b"}}},
		"too long":     {Status: 200, Body: make([]byte, 2<<20)},
	} {
		f := setup(t, &bell{reply: illegal})
		if a := f.post("/webhooks/bell?challenge", "s1", "1", "{}"); a.code != http.StatusBadGateway {
			t.Errorf("%s: answered %d", name, a.code)
		}
	}
}

// A provider hands over two replies, one for each way an event can go.
func TestRepliesOfAnEvent(t *testing.T) {
	t.Parallel()
	event := sdk.Event{
		DeliveryID: "1", Name: "ring", Attributes: map[string][]string{"door": {"back"}},
		Taken:   &sdk.Reply{Status: 200, Body: []byte("taken")},
		Ignored: &sdk.Reply{Status: 204, Header: http.Header{"Content-Type": {"text/plain"}}},
	}
	f := setup(t, &bell{events: func(sdk.Request) ([]sdk.Event, error) { return []sdk.Event{event}, nil }})
	for _, what := range []string{"first", "repeat"} {
		if a := f.post("/webhooks/bell", "s1", "", "x"); a.body != "taken" {
			t.Errorf("%s: answered %d %q", what, a.code, a.body)
		}
	}
	event.Attributes = nil
	if a := f.post("/webhooks/bell", "s1", "", "x"); a.code != 204 || a.body != "" || a.head.Get("Content-Type") != "text/plain" {
		t.Errorf("taken by none: answered %d %q %v", a.code, a.body, a.head)
	}
}

// Bodies that are held count against one budget, as they arrive and not as they
// are announced.
func TestBytesInFlightAreBounded(t *testing.T) {
	t.Parallel()
	f := setup(t, &bell{})
	f.handler = ingest.New(ingest.Options{
		Store: f.store, Wake: func() {}, Log: hclog.NewNullLogger(), Registerer: prometheus.NewRegistry(),
		MaxBodyBytes: 1 << 20, MaxInflightBytes: 3 << 20, Now: time.Now,
	})
	f.mux = http.NewServeMux()
	f.handler.Register(f.mux)
	f.handler.Update(&ingest.Routes{Types: map[string]*ingest.Route{"bell": {Provider: &bell{}, Descriptor: (&bell{}).Describe(), Sources: []ingest.Source{{Name: "open", Unsigned: true}}}}})

	const held = 600 << 10
	var readers []*heldBody
	var waiting sync.WaitGroup
	codes := make(chan int, 10)
	for range 10 {
		r := &heldBody{left: held, full: make(chan struct{}), release: make(chan struct{})}
		readers = append(readers, r)
		waiting.Go(func() {
			req := httptest.NewRequestWithContext(f.Context(), http.MethodPost, "/webhooks/bell", r)
			req.ContentLength = -1
			w := httptest.NewRecorder()
			f.mux.ServeHTTP(w, req)
			codes <- w.Code
			r.once.Do(func() { close(r.full) })
		})
		<-r.full // holds its share, or was turned away
	}
	for _, r := range readers {
		close(r.release)
	}
	waiting.Wait()
	close(codes)
	counts := map[int]int{}
	for code := range codes {
		counts[code]++
	}
	if counts[503] == 0 || counts[503] == 10 {
		t.Errorf("answers %v; want some 503 and some not", counts)
	}
	if a := f.post("/webhooks/bell", "", "1", `"front"`); a.code != 200 {
		t.Errorf("afterwards: answered %d %s; the budget was not given back", a.code, a.body)
	}
}

// heldBody arrives at once but for its end.
type heldBody struct {
	left    int
	full    chan struct{}
	release chan struct{}
	once    sync.Once
}

func (b *heldBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		b.once.Do(func() { close(b.full) })
		<-b.release
		return 0, io.EOF
	}
	n := min(len(p), b.left)
	b.left -= n
	return n, nil
}

func TestMetricsAndQuietLog(t *testing.T) {
	t.Parallel()
	f := setup(t, &bell{})
	f.post("/webhooks/bell", "s1", "1", `"front"`)
	f.post("/webhooks/bell", "s1", "1", `"front"`)
	for i := range 100 {
		f.post(fmt.Sprintf("/webhooks/made-up-%d", i), "s1", "1", "x")
		f.post("/webhooks/bell/home", "guess", "1", "the secret body")
	}
	want := `
# HELP al_webhook_requests_total Deliveries answered, by provider type and HTTP status; unusual ones by their class, 4xx.
# TYPE al_webhook_requests_total counter
al_webhook_requests_total{code="200",provider="bell"} 2
al_webhook_requests_total{code="200",provider="gone"} 0
al_webhook_requests_total{code="400",provider="bell"} 0
al_webhook_requests_total{code="400",provider="gone"} 0
al_webhook_requests_total{code="401",provider="bell"} 100
al_webhook_requests_total{code="401",provider="gone"} 0
al_webhook_requests_total{code="404",provider="bell"} 0
al_webhook_requests_total{code="404",provider="gone"} 0
al_webhook_requests_total{code="404",provider="unknown"} 100
al_webhook_requests_total{code="405",provider="bell"} 0
al_webhook_requests_total{code="405",provider="gone"} 0
al_webhook_requests_total{code="413",provider="bell"} 0
al_webhook_requests_total{code="413",provider="gone"} 0
al_webhook_requests_total{code="502",provider="bell"} 0
al_webhook_requests_total{code="502",provider="gone"} 0
al_webhook_requests_total{code="503",provider="bell"} 0
al_webhook_requests_total{code="503",provider="gone"} 0
`
	if err := testutil.GatherAndCompare(f.registry, strings.NewReader(want), "al_webhook_requests_total"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(f.registry); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	log := f.log.String()
	if lines := strings.Count(log, "no valid signature"); lines == 0 || lines > 10 {
		t.Errorf("%d log lines for 100 bad signatures", lines)
	}
	for _, hidden := range []string{"the secret body", "guess", "s1-old"} {
		if strings.Contains(log, hidden) {
			t.Errorf("the log has %q", hidden)
		}
	}
}
