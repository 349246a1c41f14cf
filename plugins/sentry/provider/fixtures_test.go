package provider

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/action-llama/gateway/sdk"
)

var update = flag.Bool("update", false, "sign the fixtures again and rewrite their want.json")

// fixture is one file in testdata: a request after Sentry's documentation, the
// secrets of the sources ("source field=value", one a line) and what becomes
// of it.
type fixture struct {
	name    string
	archive *txtar.Archive
	req     sdk.Request
	secrets []sdk.Secret
}

// outcome is what want.json holds.
type outcome struct {
	Which  sdk.Which   `json:"which,omitempty"`
	Error  string      `json:"error,omitempty"`
	Events []wantEvent `json:"events"`
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
	Attributes map[string][]string `json:"attributes"`
}

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

// Every resource, and every action that the descriptor offers, has a fixture.
func TestFixturesCoverEveryEvent(t *testing.T) {
	t.Parallel()
	resources, actions := map[string]bool{}, map[string]bool{}
	for _, f := range fixtures(t) {
		got := outcomeOf(t, f)
		for _, e := range got.Events {
			resources[e.Name], actions[e.Action] = true, true
		}
	}
	for resource := range layouts() {
		if !resources[resource] {
			t.Errorf("no fixture for %s", resource)
		}
		if !slices.Contains(knownResources(), resource) {
			t.Errorf("%s is not among the values of the filter resources", resource)
		}
	}
	for _, action := range knownActions() {
		if !actions[action] {
			t.Errorf("no fixture for action %s", action)
		}
	}
}

// What fixtures hold is what the descriptor knows, so that nobody is warned
// about a filter that works.
func TestFixtureValuesAreKnown(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures(t) {
		if strings.HasPrefix(f.name, "brand_new_resource.") {
			continue // anything goes
		}
		for _, e := range outcomeOf(t, f).Events {
			for _, filter := range filters() {
				for _, value := range e.Attributes[filter.Attribute] {
					if len(filter.Values) > 0 && !slices.Contains(filter.Values, value) {
						t.Errorf("%s: %s %q is not a known value", f.name, filter.Name, value)
					}
				}
			}
		}
	}
}

// The code of an installation can be exchanged for a token, and what visitors
// of a site send is none of an agent's business.
func TestFixturesTellNoSecrets(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures(t) {
		got := string(f.outcome(t))
		for _, private := range []string{"grant-code-of-acme", "session=1", "192.0.2.7"} {
			if strings.Contains(got, private) {
				t.Errorf("%s: the event holds %q", f.name, private)
			}
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
	parsed, err := http.ReadRequest(bufio.NewReader(io.MultiReader(bytes.NewReader(head), strings.NewReader("\n\n"))))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	f.req = sdk.Request{
		Method: parsed.Method,
		Path:   parsed.URL.Path,
		Query:  parsed.URL.RawQuery,
		Header: parsed.Header,
		Body:   bytes.TrimSuffix(body, []byte("\n")),
	}
	for line := range strings.Lines(string(f.file("secrets"))) {
		source, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		field, value, _ := strings.Cut(rest, "=")
		f.secrets = append(f.secrets, sdk.Secret{Source: source, Instance: "default", Fields: map[string]string{field: value}})
	}
	return f
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

func (f *fixture) sign(t *testing.T) {
	t.Helper()
	for _, header := range []string{signatureHeader, componentHeader} {
		if old := f.req.Header.Get(header); old != "" {
			signature := sign(f.secrets[0].Fields[secretField], f.req.Body)
			f.set("request.http", bytes.Replace(f.file("request.http"), []byte(old), []byte(signature), 1))
			f.req.Header.Set(header, signature)
		}
	}
}

func (f *fixture) outcome(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(outcomeOf(t, f)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func outcomeOf(t *testing.T, f *fixture) outcome {
	t.Helper()
	var got outcome
	delivery, err := sdk.Deliver(t.Context(), New("test"), f.req, f.secrets, sdk.DeliverOptions{})
	got.Which = delivery.Which
	switch {
	case errors.Is(err, sdk.ErrBadSignature):
		got.Error = sdk.ErrBadSignature.Error()
	case errors.Is(err, sdk.ErrUnparseable):
		got.Error = sdk.ErrUnparseable.Error()
	case err != nil:
		t.Fatal(err)
	}
	got.Events = []wantEvent{}
	for _, e := range delivery.Events {
		want := wantEvent{
			DeliveryID: e.DeliveryID, Name: e.Name, Action: e.Action, Repo: e.Repo, Number: e.Number,
			Title: e.Title, Body: e.Body, URL: e.URL, Author: e.Author, Assignee: e.Assignee, Labels: e.Labels,
			Branch: e.Branch, Conclusion: e.Conclusion, Comment: e.Comment, Sender: e.Sender,
			Extra: e.Extra, Attributes: e.Attributes,
		}
		if !e.Timestamp.IsZero() {
			want.Timestamp = &e.Timestamp
		}
		got.Events = append(got.Events, want)
	}
	return got
}

func (f *fixture) events(t *testing.T) []sdk.Event {
	t.Helper()
	events, err := New("test").Parse(t.Context(), f.req)
	if err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	return events
}

func sign(secret string, body []byte) string {
	return sdk.SignHMACSHA256("", secret, body)
}
