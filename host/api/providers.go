package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Replacing is about the processes of providers.
type Replacing interface {
	// ReloadProvider puts the file that is there now in the place of the process
	// that runs, or says why that stays. That it stays is no error: it is in
	// what is returned.
	ReloadProvider(ctx context.Context, typ string) (ProviderReloaded, error)
}

// ProviderReloaded is what became of a provider whose file may be another.
// Fields are added, never renamed.
type ProviderReloaded struct {
	OK      bool   `json:"ok"`
	Type    string `json:"type"`
	Outcome string `json:"outcome"` // one of the three below
	// Before is the version of the process that answered before, and Version of
	// the one that answers now.
	Before  string `json:"before,omitempty"`
	Version string `json:"version,omitempty"`
	Detail  string `json:"detail,omitempty"` // why it was not replaced
}

// Outcomes of a reload of a provider.
const (
	ProviderReplaced  = "replaced"  // the process is another one
	ProviderUnchanged = "unchanged" // the file is the one that runs
	ProviderFailed    = "failed"    // what ran before stays
)

func providerRoutes(g Replacing) []route {
	return []route{
		{"POST /api/providers/{type}/reload", func(r *http.Request) (any, error) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), reloadPatience)
			defer cancel()
			out, err := g.ReloadProvider(ctx, r.PathValue("type"))
			if err != nil {
				return nil, err
			}
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				status := http.StatusOK
				if !out.OK {
					status = http.StatusUnprocessableEntity
				}
				writeJSON(w, status, out)
			}), nil
		}},
	}
}

// ReloadProvider implements [Replacing].
func (c *Client) ReloadProvider(ctx context.Context, typ string) (ProviderReloaded, error) {
	var out ProviderReloaded
	path := "/api/providers/" + url.PathEscape(typ) + "/reload"
	return out, c.judged(ctx, path, &out)
}

// judged posts to a path whose answer is the same whether it went well or not.
func (c *Client) judged(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, askPatience, ErrUnreachable)
	defer cancel()
	resp, err := c.send(ctx, http.MethodPost, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusUnprocessableEntity {
		return c.refusal(resp, path)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("answer of %s is not a gateway's: %w", c.URL, err)
	}
	return nil
}
