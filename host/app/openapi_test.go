package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
)

// conversation holds what a gateway is asked, and answers, against the
// description of its API.
type conversation struct {
	t         *testing.T
	url, key  string
	validator validator.Validator
	asked     map[string]bool // operations, by method and path of the description
}

func newConversation(t *testing.T, a *app.App, o app.Options) *conversation {
	t.Helper()
	doc, err := libopenapi.NewDocument(api.Description)
	if err != nil {
		t.Fatal(err)
	}
	// Strict: what is not described is an error, too.
	v, errs := validator.NewValidator(doc, config.WithStrictMode(), config.WithFormatAssertions(),
		config.WithStrictIgnoredHeadersExtra("X-Content-Type-Options", "Content-Disposition"),
		config.WithStrictIgnorePaths("$.body.header.*", // names that strangers choose
			"$.body.**.attributes.*", "$.body.**.context.*"))
	for _, err := range errs {
		t.Fatal(err)
	}
	key, err := app.APIKey(o.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	c := &conversation{t: t, url: a.URL(), key: key, validator: v, asked: map[string]bool{}}
	model, err := doc.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for method := range item.GetOperations().FromOldest() {
			c.asked[strings.ToUpper(method)+" "+path] = false
		}
	}
	return c
}

// ask makes one request and returns the body of its answer.
func (c *conversation) ask(operation string, want int, method, path, body string) string {
	c.t.Helper()
	if _, known := c.asked[operation]; !known {
		c.t.Fatalf("openapi.yaml has no %s", operation)
	}
	request := func() *http.Request {
		req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
		if err != nil {
			c.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+c.key)
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		return req
	}
	resp, err := http.DefaultClient.Do(request())
	if err != nil {
		c.t.Fatal(err)
	}
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != want {
		c.t.Fatalf("%s %s answered %d; want %d: %s", method, path, resp.StatusCode, want, answer)
	}
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	check := c.validator.ValidateHttpRequestResponse
	if want/100 == 4 { // what was wrong with the request is the point
		check = c.validator.ValidateHttpResponse
	}
	if ok, found := check(request(), resp); !ok {
		for _, f := range found {
			c.t.Errorf("%s: not as described: %s: %s\n%s", operation, f.Message, f.Reason, answer)
			for _, s := range f.SchemaValidationErrors {
				c.t.Errorf("  %s: %s", s.FieldPath, s.Reason)
			}
		}
	}
	if want/100 == 2 {
		c.asked[operation] = true
	}
	return string(answer)
}

// What a gateway really answers is what openapi.yaml says, for each operation in
// it.
func TestAPIAnswersAsDescribed(t *testing.T) {
	t.Parallel()
	o := options(t, standard, within{})
	script(t, o, `echo "start"; until [ -e "$1/go" ]; do sleep 0.02; done`)
	a, err := app.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(context.Background()) }()
	stopped := false
	defer func() {
		if !stopped {
			a.RequestStop(true)
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		http.DefaultClient.CloseIdleConnections()
	}()
	c := newConversation(t, a, o)
	client := client(t, a, o)

	c.ask("GET /health", 200, "GET", "/health", "")
	c.ask("GET /ready", 200, "GET", "/ready", "")
	c.ask("GET /metrics", 200, "GET", "/metrics", "")
	if body := c.ask("GET /api/openapi.yaml", 200, "GET", "/api/openapi.yaml", ""); body != string(api.Description) {
		t.Error("GET /api/openapi.yaml answers something else")
	}
	c.ask("GET /api/status", 200, "GET", "/api/status", "") // before anything ran
	c.ask("GET /api/stats", 200, "GET", "/api/stats", "")
	c.ask("GET /api/runs", 200, "GET", "/api/runs", "")

	// One job that runs, one behind it, and all that can be told of them.
	c.ask("POST /api/agents/{agent}/jobs", 200, "POST", "/api/agents/dev/jobs", `{"prompt":"go"}`)
	running := awaitRun(t, client, 1, api.RunRunning)
	c.ask("POST /api/agents/{agent}/jobs", 200, "POST", "/api/agents/dev/jobs", "")
	c.ask("GET /api/jobs/{job}", 200, "GET", "/api/jobs/1", "")
	c.ask("GET /api/jobs/{job}", 200, "GET", "/api/jobs/2", "")
	c.ask("GET /api/runs", 200, "GET", "/api/runs?agent=dev&state=running&limit=5&before=zzz", "")
	c.ask("GET /api/runs/{run}", 200, "GET", "/api/runs/"+running.ID, "")
	await(t, "output", func() (string, error) {
		return c.ask("GET /api/runs/{run}/output", 200, "GET", "/api/runs/"+running.ID+"/output?from=-100", ""), nil
	}, func(text string) bool { return text == "start\n" })
	if body := c.ask("GET /api/runs/{run}/prompt", 200, "GET", "/api/runs/"+running.ID+"/prompt", ""); !strings.Contains(body, "Look.") {
		t.Errorf("the prompt is %s", body)
	}
	c.ask("POST /api/agents/{agent}/pause", 200, "POST", "/api/agents/dev/pause", `{"reason":"lunch"}`)
	c.ask("POST /api/pause", 200, "POST", "/api/pause", "")
	c.ask("GET /api/status", 200, "GET", "/api/status", "")
	c.ask("POST /api/runs/{run}/kill", 200, "POST", "/api/runs/"+running.ID+"/kill", "")
	awaitRun(t, client, 1, api.RunFailed)
	c.ask("GET /api/runs/{run}", 200, "GET", "/api/runs/"+running.ID, "")
	c.ask("GET /api/jobs/{job}", 200, "GET", "/api/jobs/1", "")
	c.ask("POST /api/agents/{agent}/kill", 200, "POST", "/api/agents/dev/kill", "")
	if err := os.WriteFile(filepath.Join(o.Project.Dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.ask("POST /api/agents/{agent}/resume", 200, "POST", "/api/agents/dev/resume", "")
	c.ask("POST /api/resume", 200, "POST", "/api/resume", "")
	awaitRun(t, client, 2, api.RunDone)
	c.ask("GET /api/stats", 200, "GET", "/api/stats?agent=dev&since=1h30m", "")

	// Deliveries.
	if body := ring(t, a, "1"); !strings.Contains(body, `"queued":1`) {
		t.Fatalf("a delivery was answered %s", body)
	}
	var list api.Receipts
	if err := json.Unmarshal([]byte(c.ask("GET /api/webhooks", 200, "GET", "/api/webhooks?source=home&provider=bell&outcome=queued&limit=5", "")), &list); err != nil || len(list.Receipts) != 1 {
		t.Fatalf("%d receipts, %v", len(list.Receipts), err)
	}
	receipt := list.Receipts[0].ID
	awaitRun(t, client, list.Receipts[0].Jobs[0].ID, api.RunDone)
	c.ask("GET /api/webhooks/{id}", 200, "GET", "/api/webhooks/"+receipt, "")
	c.ask("GET /api/webhooks/{id}/body", 200, "GET", "/api/webhooks/"+receipt+"/body", "")
	c.ask("GET /api/webhooks/{id}/explain", 200, "GET", "/api/webhooks/"+receipt+"/explain", "")
	c.ask("POST /api/webhooks/explain", 200, "POST", "/api/webhooks/explain", `{"type":"bell","header":{"X-A":["b"]},"body":"MQ=="}`)
	c.ask("POST /api/webhooks/replay", 200, "POST", "/api/webhooks/replay", `{"ids":["`+receipt+`","none"]}`)
	plan := `{"since":"2020-01-01T00:00:00Z","proposal":{"sources":[{"name":"home","type":"bell","credentials":["home"]}],
		"agents":[{"name":"new","triggers":[{"source":"home","at":"a:1:1","filters":[{"name":"doors","values":["front"],"list":true,"at":"a:2:1"}]}]}]}}`
	c.ask("POST /api/plan", 200, "POST", "/api/plan", plan)
	c.ask("POST /api/plan", 200, "POST", "/api/plan", strings.Replace(plan, "doors", "dors", 1))

	// The configuration.
	c.ask("POST /api/reload", 200, "POST", "/api/reload", "")
	c.ask("POST /api/providers/{type}/reload", 200, "POST", "/api/providers/bell/reload", "")
	agent := filepath.Join(o.Project.Dir, "agents", "dev", "config.toml")
	if err := os.WriteFile(agent, []byte("scale = \"two\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.ask("POST /api/reload", 422, "POST", "/api/reload", "")
	c.ask("GET /api/status", 200, "GET", "/api/status", "")

	// What does not work.
	for _, wrong := range []struct {
		operation string
		status    int
		method    string
		path      string
		body      string
	}{
		{"GET /api/stats", 400, "GET", "/api/stats?since=never", ""},
		{"GET /api/stats", 404, "GET", "/api/stats?agent=nobody", ""},
		{"GET /api/runs", 400, "GET", "/api/runs?state=odd", ""},
		{"GET /api/runs", 400, "GET", "/api/runs?limit=many", ""},
		{"GET /api/runs", 404, "GET", "/api/runs?agent=nobody", ""},
		{"GET /api/runs/{run}", 404, "GET", "/api/runs/none", ""},
		{"GET /api/runs/{run}/output", 404, "GET", "/api/runs/none/output", ""},
		{"GET /api/runs/{run}/prompt", 404, "GET", "/api/runs/none/prompt", ""},
		{"GET /api/runs/{run}/output", 400, "GET", "/api/runs/" + running.ID + "/output?from=here", ""},
		{"POST /api/runs/{run}/kill", 404, "POST", "/api/runs/none/kill", ""},
		{"POST /api/runs/{run}/kill", 409, "POST", "/api/runs/" + running.ID + "/kill", ""},
		{"GET /api/jobs/{job}", 404, "GET", "/api/jobs/99", ""},
		{"GET /api/jobs/{job}", 400, "GET", "/api/jobs/first", ""},
		{"POST /api/agents/{agent}/jobs", 404, "POST", "/api/agents/nobody/jobs", "{}"},
		{"POST /api/agents/{agent}/jobs", 409, "POST", "/api/agents/off/jobs", "{}"},
		{"POST /api/agents/{agent}/jobs", 400, "POST", "/api/agents/dev/jobs", `{"prompt":7}`},
		{"POST /api/agents/{agent}/jobs", 400, "POST", "/api/agents/dev/jobs", `{"prompt`},
		{"POST /api/agents/{agent}/jobs", 413, "POST", "/api/agents/dev/jobs", `{"prompt":"` + strings.Repeat("x", 1<<20) + `"}`},
		{"POST /api/agents/{agent}/kill", 404, "POST", "/api/agents/nobody/kill", ""},
		{"POST /api/agents/{agent}/pause", 404, "POST", "/api/agents/nobody/pause", ""},
		{"POST /api/agents/{agent}/resume", 404, "POST", "/api/agents/nobody/resume", ""},
		{"GET /api/webhooks", 400, "GET", "/api/webhooks?outcome=odd", ""},
		{"GET /api/webhooks", 400, "GET", "/api/webhooks?since=monday", ""},
		{"GET /api/webhooks/{id}", 404, "GET", "/api/webhooks/none", ""},
		{"GET /api/webhooks/{id}/body", 404, "GET", "/api/webhooks/none/body", ""},
		{"GET /api/webhooks/{id}/explain", 404, "GET", "/api/webhooks/none/explain", ""},
		{"POST /api/webhooks/explain", 400, "POST", "/api/webhooks/explain", `{"type":"gong"}`},
		{"POST /api/webhooks/replay", 400, "POST", "/api/webhooks/replay", `{"ids":[]}`},
		{"POST /api/plan", 400, "POST", "/api/plan", `{"proposal":7}`},
		{"POST /api/providers/{type}/reload", 404, "POST", "/api/providers/gong/reload", ""},
		{"POST /api/stop", 400, "POST", "/api/stop", `{"now":"yes"}`},
	} {
		c.ask(wrong.operation, wrong.status, wrong.method, wrong.path, wrong.body)
	}
	if code, _ := get(t, a.URL()+"/api/nothing", c.key); code != http.StatusNotFound {
		t.Errorf("what there is not: %d", code)
	}
	right := c.key
	c.key = "guess"
	for operation := range c.asked { // nothing below /api goes without the key
		method, path, _ := strings.Cut(operation, " ")
		if strings.HasPrefix(path, "/api/") {
			c.ask(operation, 401, method, strings.NewReplacer("{agent}", "dev", "{run}", running.ID, "{job}", "1", "{id}", receipt, "{type}", "bell").Replace(path), "")
		}
	}
	c.key = right

	c.ask("POST /api/stop", 200, "POST", "/api/stop", `{"now":true}`)
	select {
	case err := <-ended:
		stopped = true
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("the gateway did not stop")
	}
	for operation, asked := range c.asked {
		if !asked {
			t.Errorf("%s never worked in this test; ask for it, so that its answer is looked at", operation)
		}
	}
}
