package provider

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/action-llama/gateway/sdk"
)

var update = flag.Bool("update", false, "sign the fixtures again and rewrite their want.json")

// fixture is one file in testdata: a request after Linear's documentation, the
// secrets of the sources ("source/instance field=value", one a line), when it
// was received if not at the usual time, what filters do with it and what
// becomes of it. The format is that of the SDK's conformance kit.
type fixture struct {
	name          string
	archive       *txtar.Archive
	req           sdk.Request
	secrets       []sdk.Secret
	allowUnsigned bool
	filters       []filterCase
}

// filterCase is a line such as `pass labels = ["agent"]`.
type filterCase struct {
	pass   bool
	name   string
	values []string
}

// outcome is what want.json holds.
type outcome struct {
	Which    sdk.Which   `json:"which,omitempty"`
	Unsigned bool        `json:"unsigned,omitempty"`
	Error    string      `json:"error,omitempty"`
	Events   []wantEvent `json:"events"`
}

// wantEvent is an event under the names that agents see.
type wantEvent struct {
	DeliveryID string              `json:"deliveryId,omitempty"`
	Name       string              `json:"event"`
	Action     string              `json:"action,omitempty"`
	Repo       string              `json:"repo,omitempty"`
	Number     int64               `json:"number,omitempty"`
	Title      string              `json:"title,omitempty"`
	Body       string              `json:"body,omitempty"`
	URL        string              `json:"url,omitempty"`
	Author     string              `json:"author,omitempty"`
	Assignee   string              `json:"assignee,omitempty"`
	Labels     []string            `json:"labels,omitempty"`
	Branch     string              `json:"branch,omitempty"`
	Conclusion string              `json:"conclusion,omitempty"`
	Comment    string              `json:"comment,omitempty"`
	Sender     string              `json:"sender,omitempty"`
	Timestamp  *time.Time          `json:"timestamp,omitempty"`
	Extra      map[string]any      `json:"extra,omitempty"`
	Sensitive  []string            `json:"sensitive,omitempty"`
	Attributes map[string][]string `json:"attributes"`
}

// usualReceipt is when fixtures are received: 750 ms after most were sent.
func usualReceipt() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

func TestFixtures(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures(t) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			if *update {
				f.sign(t)
			}
			got := f.outcome(t)
			if *update {
				f.set("want.json", got)
				if err := os.WriteFile(filepath.Join("testdata", f.name+".txtar"), txtar.Format(f.archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want := f.file("want.json"); !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// Every type that Linear documents has a fixture, and each word in a fixture is
// one that the descriptor knows, so that nobody is warned about a filter that
// works.
func TestFixturesCoverEveryEvent(t *testing.T) {
	t.Parallel()
	known := map[string]map[string]bool{}
	for _, f := range filters() {
		if f.Values == nil {
			continue
		}
		known[f.Attribute] = map[string]bool{}
		for _, value := range f.Values {
			known[f.Attribute][strings.ToLower(value)] = true
		}
	}
	seen := map[string]bool{}
	for _, f := range fixtures(t) {
		if f.fails(t) || strings.HasPrefix(f.name, "BrandNewThing.") {
			continue
		}
		e := f.event(t)
		seen[e.Extra["type"].(string)] = true //nolint:errcheck // every event has it
		for attribute := range known {
			for _, value := range e.Attributes[attribute] {
				if !known[attribute][strings.ToLower(value)] {
					t.Errorf("%s: %s %q is not a known value", f.name, attribute, value)
				}
			}
		}
	}
	for _, k := range kinds() {
		if !seen[k.typ] {
			t.Errorf("no fixture for type %s", k.typ)
		}
	}
}

func fixtures(t testing.TB) []*fixture {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	var all []*fixture
	for _, path := range paths {
		all = append(all, loadFixture(t, strings.TrimSuffix(filepath.Base(path), ".txtar")))
	}
	return all
}

func loadFixture(t testing.TB, name string) *fixture {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{name: name, archive: archive}

	head, body, ok := bytes.Cut(f.file("request.http"), []byte("\n\n"))
	if !ok {
		t.Fatalf("%s: request.http has no body", name)
	}
	// No Content-Length: the body is what is left, less the line end that the
	// archive adds.
	parsed, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(head) + "\n\n")))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	f.req = sdk.Request{
		Method:     parsed.Method,
		Path:       parsed.URL.Path,
		Query:      parsed.URL.RawQuery,
		Header:     parsed.Header,
		Body:       bytes.TrimSuffix(body, []byte("\n")),
		ReceivedAt: usualReceipt(),
	}
	for line := range f.lines("secrets") {
		who, rest, _ := strings.Cut(line, " ")
		source, instance, next := strings.Cut(who, "/")
		if !next {
			instance = "default"
		}
		field, value, _ := strings.Cut(rest, "=")
		f.secrets = append(f.secrets, sdk.Secret{Source: source, Instance: instance, Fields: map[string]string{field: value}})
	}
	for line := range f.lines("options") {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "receivedAt":
			f.req.ReceivedAt, err = time.Parse(time.RFC3339, value)
		case "allowUnsigned":
			f.allowUnsigned, err = strconv.ParseBool(value)
		default:
			t.Fatalf("%s: no option %q", name, key)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for line := range f.lines("filters") {
		left, right, _ := strings.Cut(line, " = ")
		does, filter, _ := strings.Cut(left, " ")
		c := filterCase{pass: does == "pass", name: filter}
		if does != "pass" && does != "hold" {
			t.Fatalf("%s: %s", name, line)
		}
		if !strings.HasPrefix(right, "[") { // one string
			right = "[" + right + "]"
		}
		if err := json.Unmarshal([]byte(right), &c.values); err != nil {
			t.Fatalf("%s: %s: %v", name, line, err)
		}
		f.filters = append(f.filters, c)
	}
	return f
}

func (f *fixture) lines(name string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.Lines(string(f.file(name))) {
			if !yield(strings.TrimSuffix(line, "\n")) {
				return
			}
		}
	}
}

func (f *fixture) file(name string) []byte {
	for _, file := range f.archive.Files {
		if file.Name == name {
			return file.Data
		}
	}
	return nil
}

func (f *fixture) set(name string, data []byte) {
	for i, file := range f.archive.Files {
		if file.Name == name {
			f.archive.Files[i].Data = data
			return
		}
	}
	f.archive.Files = append(f.archive.Files, txtar.File{Name: name, Data: data})
}

func (f *fixture) want(t testing.TB) (o outcome, ok bool) {
	t.Helper()
	text := f.file("want.json")
	if text == nil {
		return o, false
	}
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	return o, true
}

func (f *fixture) fails(t testing.TB) bool {
	t.Helper()
	want, _ := f.want(t)
	return want.Error != ""
}

// sign signs a new fixture, and those that a secret signed before with that.
func (f *fixture) sign(t *testing.T) {
	t.Helper()
	by := 0
	if want, old := f.want(t); old && len(want.Which) == 0 || len(f.secrets) == 0 {
		return
	} else if old {
		by = want.Which[0]
	} else {
		by = len(f.secrets) - 1
		for i, s := range f.secrets {
			if s.Fields[secretField] == testSecret {
				by = i
			}
		}
	}
	old := f.req.Header.Get(signatureHeader)
	signature := sign(f.secrets[by].Fields[secretField], f.req.Body)
	f.set("request.http", bytes.Replace(f.file("request.http"), []byte(old), []byte(signature), 1))
	f.req.Header.Set(signatureHeader, signature)
}

func (f *fixture) outcome(t *testing.T) []byte {
	t.Helper()
	delivery, err := sdk.Deliver(t.Context(), New("test"), f.req, f.secrets, sdk.DeliverOptions{AllowUnsigned: f.allowUnsigned})
	got := outcome{Which: delivery.Which, Unsigned: delivery.Unsigned, Events: []wantEvent{}}
	switch {
	case errors.Is(err, sdk.ErrStale):
		got.Error = "stale"
	case errors.Is(err, sdk.ErrBadSignature):
		got.Error = sdk.ErrBadSignature.Error()
	case errors.Is(err, sdk.ErrUnparseable):
		got.Error = sdk.ErrUnparseable.Error()
	case err != nil:
		t.Fatal(err)
	}
	for _, e := range delivery.Events {
		want := wantEvent{
			DeliveryID: e.DeliveryID, Name: e.Name, Action: e.Action, Repo: e.Repo, Number: e.Number,
			Title: e.Title, Body: e.Body, URL: e.URL, Author: e.Author, Assignee: e.Assignee, Labels: e.Labels,
			Branch: e.Branch, Conclusion: e.Conclusion, Comment: e.Comment, Sender: e.Sender,
			Extra: e.Extra, Sensitive: e.Sensitive, Attributes: e.Attributes,
		}
		if !e.Timestamp.IsZero() {
			want.Timestamp = &e.Timestamp
		}
		got.Events = append(got.Events, want)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(got); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func (f *fixture) event(t testing.TB) sdk.Event {
	t.Helper()
	events, err := New("test").Parse(t.Context(), f.req)
	if err != nil || len(events) != 1 {
		t.Fatalf("%s: %v, %v", f.name, events, err)
	}
	return events[0]
}
