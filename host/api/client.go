package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// ErrKey: the gateway does not accept the key.
var ErrKey = errors.New("the gateway refuses this API key")

// Client talks to a running gateway.
type Client struct {
	URL  string // for example http://127.0.0.1:8080
	Key  string
	HTTP *http.Client
}

// maxAnswer bounds what is read of an answer: whatever listens on that port
// may not be a gateway.
const maxAnswer = 16 << 20

// Status asks the gateway for its status.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var out Status
	return out, c.get(ctx, "/api/status", &out)
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.URL, "/")+path, nil)
	if err != nil {
		return fmt.Errorf("ask the gateway: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.Key)
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return fmt.Errorf("ask the gateway: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body := io.LimitReader(resp.Body, maxAnswer)
	switch resp.StatusCode {
	case http.StatusOK:
		if err := json.NewDecoder(body).Decode(into); err != nil {
			return fmt.Errorf("answer of %s: %w", c.URL, err)
		}
		return nil
	case http.StatusUnauthorized:
		return fmt.Errorf("%s: %w", c.URL, ErrKey)
	default:
		return fmt.Errorf("%s%s answered %s", c.URL, path, resp.Status)
	}
}
