package main

import (
	"bytes"
	"context"
	"embed"
	"io"
	"net/http"
)

//go:embed payloads
var payloads embed.FS

// answer is what came back of a request.
type answer struct {
	status      int
	contentType string
	body        string
}

// exchange sends one request as a vendor would.
func exchange(ctx context.Context, method, url string, header http.Header, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return answer{}, err
	}
	return answer{status: resp.StatusCode, contentType: resp.Header.Get("Content-Type"), body: string(text)}, nil
}
