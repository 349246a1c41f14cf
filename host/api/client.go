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
	"strings"
	"time"
)

var (
	// ErrKey: the gateway does not accept the key.
	ErrKey = errors.New("the gateway refuses this API key")
	// ErrUnreachable: nothing answers there.
	ErrUnreachable = errors.New("the gateway does not answer")
)

// Client talks to a running gateway.
type Client struct {
	URL  string // for example http://127.0.0.1:8080
	Key  string
	HTTP *http.Client // defaults to one that is fit for it
}

// askPatience bounds one exchange. The gateway answers within seconds, or says
// that it can not; the rest is for the way.
const askPatience = 30 * time.Second

// standard follows no redirection: it would turn a request into another one, and
// a gateway sends none.
var standard = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// maxAnswer bounds what is read of an answer: whatever listens on that port
// may not be a gateway.
const maxAnswer = 16 << 20

func (c *Client) get(ctx context.Context, path string, query url.Values, into any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.call(ctx, http.MethodGet, path, nil, into)
}

func (c *Client) post(ctx context.Context, path string, body, into any) error {
	return c.call(ctx, http.MethodPost, path, body, into)
}

// call makes one exchange in JSON.
func (c *Client) call(ctx context.Context, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, askPatience, ErrUnreachable)
	defer cancel()
	resp, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("answer of %s is not a gateway's: %w", c.URL, err)
	}
	return nil
}

// do makes one request and returns its answer if that is a 2xx.
func (c *Client) do(ctx context.Context, method, path string, body any) (*http.Response, error) {
	resp, err := c.send(ctx, method, path, body)
	if err != nil || resp.StatusCode/100 == 2 {
		return resp, err
	}
	defer func() { _ = resp.Body.Close() }()
	return nil, c.refusal(resp, path)
}

// send makes one request and returns its answer, whatever that is.
func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("ask the gateway: %w", err)
		}
		content = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+path, content)
	if err != nil {
		return nil, fmt.Errorf("ask the gateway: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.Key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	client := c.HTTP
	if client == nil {
		client = standard
	}
	resp, err := client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s: %w", c.URL, context.Cause(ctx))
		}
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, bare(err))
	}
	return resp, nil
}

// bare drops the words that net/http puts before an error; the address among
// them is in the error itself.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func (c *Client) refusal(resp *http.Response, path string) error {
	if resp.StatusCode == http.StatusUnauthorized {
		return fmt.Errorf("%s: %w", c.URL, ErrKey)
	}
	var f failure
	err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&f)
	if err != nil || f.Detail == "" { // not in a gateway's words
		return fmt.Errorf("%s%s answered %s: that is no gateway, or one older than this al", c.URL, path, resp.Status)
	}
	return &Error{Status: resp.StatusCode, Detail: f.Detail}
}
