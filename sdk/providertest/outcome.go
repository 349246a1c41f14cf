package providertest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/action-llama/gateway/sdk"
)

// outcome is what want.json holds.
type outcome struct {
	Which    []int       `json:"which,omitempty"`
	Unsigned bool        `json:"unsigned,omitempty"`
	Error    string      `json:"error,omitempty"`
	Reply    *wantReply  `json:"reply,omitempty"`
	Events   []wantEvent `json:"events"`
}

type wantReply struct {
	Status     int         `json:"status"`
	Header     http.Header `json:"header,omitempty"`
	Body       string      `json:"body,omitempty"`
	BodyBase64 string      `json:"bodyBase64,omitempty"` // of a body that is no text
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
	Automated  bool                `json:"automated,omitempty"`
	Extra      map[string]any      `json:"extra,omitempty"`
	Sensitive  []string            `json:"sensitive,omitempty"`
	Taken      *wantReply          `json:"taken,omitempty"`
	Ignored    *wantReply          `json:"ignored,omitempty"`
	Sources    []string            `json:"sources,omitempty"` // where those that signed differ
	Attributes map[string][]string `json:"attributes"`
}

// The kinds of error in want.json.
const (
	kindBadSignature = "bad signature"
	kindStale        = "stale"
	kindUnparseable  = "unparseable"
	kindCredential   = "unusable credential"
)

// kindOf returns the kind of an error, or nothing for one that a host can do
// nothing about.
func kindOf(err error) string {
	switch {
	case errors.Is(err, sdk.ErrStale):
		return kindStale
	case errors.Is(err, sdk.ErrBadSignature):
		return kindBadSignature
	case errors.Is(err, sdk.ErrUnparseable):
		return kindUnparseable
	case errors.Is(err, sdk.ErrCredential):
		return kindCredential
	}
	return ""
}

func readOutcome(data []byte) (*outcome, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	o := new(outcome)
	if err := dec.Decode(o); err != nil {
		return nil, err
	}
	switch o.Error {
	case "", kindBadSignature, kindStale, kindUnparseable, kindCredential:
	default:
		return nil, fmt.Errorf("error %q is none of %q", o.Error, []string{kindBadSignature, kindStale, kindUnparseable, kindCredential})
	}
	if o.Events == nil {
		o.Events = []wantEvent{}
	}
	return o, nil
}

// outcomeOf is the same whatever way the provider was reached: texts are cut
// and mended here as they are on the wire.
func outcomeOf(d sdk.Delivery, err error) (*outcome, error) {
	o := &outcome{Which: d.Which, Unsigned: d.Unsigned, Error: kindOf(err), Events: []wantEvent{}}
	if err != nil {
		return o, nil //nolint:nilerr // the error is the outcome
	}
	o.Reply = replyOf(d.Reply)
	for i, e := range d.Events {
		want, err := eventOf(e)
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		o.Events = append(o.Events, want)
	}
	return o, nil
}

func eventOf(e sdk.Event) (wantEvent, error) {
	w := wantEvent{
		DeliveryID: mend(e.DeliveryID), Name: mend(e.Name), Action: mend(e.Action), Repo: mend(e.Repo), Number: e.Number,
		Title: sdk.Truncate(e.Title), Body: sdk.Truncate(e.Body), URL: sdk.Truncate(e.URL), Author: mend(e.Author),
		Assignee: mend(e.Assignee), Labels: mendAll(e.Labels), Branch: mend(e.Branch), Conclusion: mend(e.Conclusion),
		Comment: sdk.Truncate(e.Comment), Sender: mend(e.Sender), Automated: e.Automated, Sensitive: e.Sensitive,
		Taken: replyOf(e.Taken), Ignored: replyOf(e.Ignored), Sources: e.Sources, Attributes: map[string][]string{},
	}
	if !e.Timestamp.IsZero() {
		at := e.Timestamp.UTC()
		w.Timestamp = &at
	}
	for name, values := range e.Attributes {
		if len(values) > 0 {
			w.Attributes[name] = mendAll(values)
		}
	}
	if len(e.Extra) > 0 {
		raw, err := json.Marshal(e.Extra)
		if err != nil {
			return w, fmt.Errorf("extra: %w", err)
		}
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		if err := dec.Decode(&w.Extra); err != nil {
			return w, fmt.Errorf("extra: %w", err)
		}
	}
	return w, nil
}

func replyOf(r *sdk.Reply) *wantReply {
	if r == nil {
		return nil
	}
	w := &wantReply{Status: r.Status, Header: r.Header}
	if utf8.Valid(r.Body) {
		w.Body = string(r.Body)
	} else {
		w.BodyBase64 = base64.StdEncoding.EncodeToString(r.Body)
	}
	return w
}

func mend(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func mendAll(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = mend(s)
	}
	return out
}

func (o *outcome) json() ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(o); err != nil {
		return nil, err // a time beyond the year 9999
	}
	return out.Bytes(), nil
}
