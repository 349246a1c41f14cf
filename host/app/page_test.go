package app_test

import (
	"bufio"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/action-llama/gateway/host/app"
)

// The page takes the key as it is stored, shows what the gateway does, and does
// not keep it from stopping; run, which this test ends with, waits for that.
func TestPageOfAGateway(t *testing.T) {
	t.Parallel()
	o := options(t, standard, within{})
	a := run(t, o)
	key, err := app.APIKey(o.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	t.Cleanup(c.CloseIdleConnections)
	resp, err := c.PostForm(a.URL()+"/login", url.Values{"key": {key}, "next": {"/"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Request.URL.Path != "/" {
		t.Fatalf("the login led to %s: %d", resp.Request.URL, resp.StatusCode)
	}
	if body := ring(t, a, "1"); !strings.Contains(body, `"queued":1`) {
		t.Fatalf("a delivery was answered %s", body)
	}

	stream, err := c.Get(a.URL() + "/events")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stream.Body.Close() })
	lines := bufio.NewScanner(stream.Body)
	for lines.Scan() && lines.Text() != "event: changed" {
		continue
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for lines.Scan() {
			continue // until the gateway ends it
		}
	}()
}

func TestNoPage(t *testing.T) {
	t.Parallel()
	a := run(t, options(t, standard+"[gateway]\nui = false\n", within{}))
	for _, path := range []string{"/", "/login", "/deliveries", "/events"} {
		if code, _ := get(t, a.URL()+path, ""); code != http.StatusNotFound {
			t.Errorf("%s answers %d", path, code)
		}
	}
}
