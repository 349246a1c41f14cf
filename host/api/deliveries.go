package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/action-llama/gateway/host/deliveries"
	"github.com/action-llama/gateway/host/store"
)

// Deliveries looks back at what was delivered, and lets it happen again.
type Deliveries interface {
	Deliveries() *deliveries.Book
	// Replay lets a recorded delivery happen again; what went wrong is in the
	// answer.
	Replay(ctx context.Context, id string) deliveries.Replayed
}

const (
	// MaxReplays is how many deliveries one request may replay: each is a
	// commit, and all of them have to fit into one answer's time.
	MaxReplays = 20
	// maxCandidate bounds a request to explain, whose body is one of a vendor's,
	// in base64.
	maxCandidate = 64 << 20
	// maxPlan bounds a configuration: a thousand agents fit in one megabyte.
	maxPlan = 16 << 20
)

func deliveryRoutes(g Deliveries) []route {
	return []route{
		{"GET /api/webhooks", func(r *http.Request) (any, error) {
			f, err := filterOf(r.URL.Query())
			if err != nil {
				return nil, err
			}
			list, err := g.Deliveries().List(r.Context(), f)
			return Receipts{Receipts: list}, err
		}},
		{"GET /api/webhooks/{id}", func(r *http.Request) (any, error) {
			d, err := g.Deliveries().Show(r.Context(), r.PathValue("id"))
			return d, noReceipt(err)
		}},
		{"GET /api/webhooks/{id}/body", func(r *http.Request) (any, error) {
			body, err := g.Deliveries().Body(r.Context(), r.PathValue("id"))
			return rawBody(body), noReceipt(err)
		}},
		{"GET /api/webhooks/{id}/explain", func(r *http.Request) (any, error) {
			x, err := g.Deliveries().Explain(r.Context(), r.PathValue("id"))
			return x, noReceipt(err)
		}},
		{"POST /api/webhooks/explain", func(r *http.Request) (any, error) {
			var c deliveries.Candidate
			if err := readLarge(r, maxCandidate, &c); err != nil {
				return nil, err
			}
			x, err := g.Deliveries().ExplainCandidate(r.Context(), c, time.Now())
			return x, noReceipt(err)
		}},
		{"POST /api/webhooks/replay", func(r *http.Request) (any, error) { return replay(r, g) }},
		{"POST /api/plan", func(r *http.Request) (any, error) {
			var q deliveries.PlanRequest
			if err := readLarge(r, maxPlan, &q); err != nil {
				return nil, err
			}
			return g.Deliveries().Plan(r.Context(), q)
		}},
	}
}

// Receipts is a list of deliveries, the newest first.
type Receipts struct {
	Receipts []deliveries.Receipt `json:"receipts"`
}

// Replays asks for deliveries to happen again, and says what became of that.
type (
	Replays struct {
		IDs []string `json:"ids"` // in the order in which they are to happen
	}
	ReplayResults struct {
		Replays []deliveries.Replayed `json:"replays"`
	}
)

func replay(r *http.Request, g Deliveries) (any, error) {
	var ask Replays
	if err := readJSON(r, &ask); err != nil {
		return nil, err
	}
	if n := len(ask.IDs); n == 0 || n > MaxReplays {
		return nil, Invalid("ids: name 1 to %d receipts, not %d", MaxReplays, n)
	}
	out := ReplayResults{Replays: []deliveries.Replayed{}}
	for _, id := range ask.IDs {
		out.Replays = append(out.Replays, g.Replay(r.Context(), id))
	}
	return out, nil
}

// filterOf reads what a list is narrowed by.
func filterOf(q url.Values) (f deliveries.Filter, err error) {
	f.Source, f.Provider, f.Before = q.Get("source"), q.Get("provider"), q.Get("before")
	if f.Outcome = q.Get("outcome"); f.Outcome != "" && !slices.Contains(deliveries.Outcomes(), f.Outcome) {
		return f, Invalid("outcome %q is none of %v", f.Outcome, deliveries.Outcomes())
	}
	if text := q.Get("dead"); text != "" {
		if f.Dead, err = strconv.ParseBool(text); err != nil {
			return f, Invalid("dead %q is neither true nor false", text)
		}
	}
	if text := q.Get("since"); text != "" {
		if f.Since, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return f, Invalid("since %q is not a time like 2026-01-31T12:00:00Z", text)
		}
	}
	if text := q.Get("limit"); text != "" {
		if f.Limit, err = strconv.Atoi(text); err != nil || f.Limit < 1 {
			return f, Invalid("limit %q is not a number above 0", text)
		}
	}
	return f, nil
}

// queryOf is the inverse of filterOf.
func queryOf(f deliveries.Filter) url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"source": f.Source, "provider": f.Provider, "outcome": f.Outcome, "before": f.Before} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Dead {
		q.Set("dead", "true")
	}
	if !f.Since.IsZero() {
		q.Set("since", f.Since.UTC().Format(time.RFC3339Nano))
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return q
}

// noReceipt gives errors that whoever asked can act on their status.
func noReceipt(err error) error {
	var candidate *deliveries.CandidateError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		return NotFound("there is no such receipt; al webhook ls shows which there are")
	case errors.As(err, &candidate):
		return Invalid("%v", err)
	case errors.Is(err, deliveries.ErrUnread):
		return Conflict("%v", err)
	default:
		return err
	}
}

// rawBody is what a vendor sent, byte for byte.
type rawBody []byte

func (b rawBody) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	// Never something that a browser shows or runs: a stranger wrote it.
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Disposition", "attachment")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b)
}

// readLarge is readJSON for what is larger than a prompt.
func readLarge(r *http.Request, limit int64, into any) error {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &Error{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("the body is larger than %d bytes", limit)}
	case err != nil:
		return Invalid("the body could not be read: %v", err)
	}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(into); err != nil {
		return Invalid("the body does not fit: %v", err)
	}
	return nil
}

// Receipts lists deliveries, the newest first.
func (c *Client) Receipts(ctx context.Context, f deliveries.Filter) ([]deliveries.Receipt, error) {
	var out Receipts
	err := c.get(ctx, "/api/webhooks", queryOf(f), &out)
	return out.Receipts, err
}

// Receipt returns all there is to say of a delivery.
func (c *Client) Receipt(ctx context.Context, id string) (deliveries.Detail, error) {
	var out deliveries.Detail
	return out, c.get(ctx, "/api/webhooks/"+url.PathEscape(id), nil, &out)
}

// ReceiptBody returns the body of a delivery as it came.
func (c *Client) ReceiptBody(ctx context.Context, id string) ([]byte, error) {
	resp, err := c.do(ctx, http.MethodGet, "/api/webhooks/"+url.PathEscape(id)+"/body", nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	return io.ReadAll(io.LimitReader(resp.Body, maxCandidate))
}

// Explain says which triggers want a recorded delivery.
func (c *Client) Explain(ctx context.Context, id string) (deliveries.Explanation, error) {
	var out deliveries.Explanation
	return out, c.get(ctx, "/api/webhooks/"+url.PathEscape(id)+"/explain", nil, &out)
}

// ExplainCandidate says which triggers would want a request.
func (c *Client) ExplainCandidate(ctx context.Context, candidate deliveries.Candidate) (deliveries.Explanation, error) {
	var out deliveries.Explanation
	return out, c.post(ctx, "/api/webhooks/explain", candidate, &out)
}

// Replay lets deliveries happen again, at most MaxReplays of them.
func (c *Client) Replay(ctx context.Context, ids []string) ([]deliveries.Replayed, error) {
	var out ReplayResults
	err := c.post(ctx, "/api/webhooks/replay", Replays{IDs: ids}, &out)
	return out.Replays, err
}

// Plan asks for a page of a plan.
func (c *Client) Plan(ctx context.Context, q deliveries.PlanRequest) (deliveries.PlanPage, error) {
	var out deliveries.PlanPage
	return out, c.post(ctx, "/api/plan", q, &out)
}
