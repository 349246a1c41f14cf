package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/store/pgtest"
)

// Several gateways, each with a folder of its own, are one when they share a
// database: whichever is asked, all of them know.
func TestFleet(t *testing.T) {
	t.Parallel()
	server := pgtest.Start()
	t.Cleanup(server.Stop)
	url := server.URL(t)
	marks := t.TempDir()
	logged := &syncBuffer{}
	host := func() (*app.App, string) {
		o := options(t, standard, within{})
		o.Project.Store.URL = config.NewSecret(url)
		o.Project.Agents[0].Scale = 1
		o.Project.Agents[0].Runner.Command = []string{"sh", "-c", `touch "$0/$AL_RUN_ID"; exec sleep 600`, marks}
		o.Log = hclog.New(&hclog.LoggerOptions{Output: logged, Level: hclog.Debug})
		a := run(t, o)
		key, err := app.APIKey(o.Credentials)
		if err != nil {
			t.Fatal(err)
		}
		return a, key
	}
	one, keyOne := host()
	two, keyTwo := host()

	// A delivery that reaches both at once starts one job.
	var both sync.WaitGroup
	for _, a := range []*app.App{one, two} {
		both.Go(func() { ring(t, a, "1") })
	}
	both.Wait()
	ring(t, two, "2")
	until(t, "a run has started", func() bool { return len(files(t, marks)) == 1 })

	// Both know of it, and that the agent's scale is used up.
	for _, h := range []struct {
		a   *app.App
		key string
	}{{one, keyOne}, {two, keyTwo}} {
		if q := statusOf(t, h.a, h.key).Agents[0]; q.Running != 1 || q.Waiting != 1 {
			t.Errorf("%d run and %d wait; want one each", q.Running, q.Waiting)
		}
	}

	// Who asks for its end need not know where it runs. Then the next one starts.
	for range 2 {
		before := len(files(t, marks))
		if code, body := post(t, one.URL()+"/api/agents/dev/kill", keyOne); code != http.StatusOK {
			t.Fatalf("kill: %d %s", code, body)
		}
		if before == 2 {
			break
		}
		until(t, "the next run has started", func() bool { return len(files(t, marks)) == 2 })
	}
	until(t, "both have ended", func() bool {
		q := statusOf(t, two, keyTwo).Agents[0]
		return q.Running == 0 && q.Waiting == 0
	})
	if strings.Contains(logged.String(), url) {
		t.Error("the URL of the database is in a log")
	}
}

func statusOf(t *testing.T, a *app.App, key string) (s api.Status) {
	t.Helper()
	code, body := get(t, a.URL()+"/api/status", key)
	if err := json.Unmarshal([]byte(body), &s); err != nil || code != http.StatusOK {
		t.Fatalf("status: %d %s %v", code, body, err)
	}
	return s
}

func post(t *testing.T, url, key string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, fmt.Sprint(resp.Status, resp.Body.Close())
}

func files(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	list, err := os.ReadDir(filepath.Clean(dir))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// until waits for a fact.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for !is() {
		select {
		case <-deadline:
			t.Fatalf("never: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

type syncBuffer struct {
	mu  sync.Mutex
	all strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}
