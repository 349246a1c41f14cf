package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/deliveries"
)

func clientOf(t *testing.T, a *app.App, o app.Options) *api.Client {
	t.Helper()
	key, err := app.APIKey(o.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	return &api.Client{URL: a.URL(), Key: key, HTTP: http.DefaultClient}
}

// receipts waits until as many are recorded: those that start nothing are
// written with the next commit.
func receipts(t *testing.T, c *api.Client, want int, f deliveries.Filter) []deliveries.Receipt {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		list, err := c.Receipts(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == want {
			return list
		}
		select {
		case <-deadline:
			t.Fatalf("%d receipts of %+v; want %d", len(list), f, want)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestDeliveriesAreLookedBackAtOverTheAPI(t *testing.T) {
	t.Parallel()
	o := options(t, standard, within{})
	a := run(t, o)
	c := clientOf(t, a, o)
	ring(t, a, "1")
	ring(t, a, "2")
	ended(t, a, c.Key)

	list := receipts(t, c, 2, deliveries.Filter{})
	first := list[1]
	if first.DeliveryID != "1" || first.Event != "ring" || len(first.Jobs) != 1 || first.Jobs[0].Agent != "dev" || !slices.Equal(first.Sources, []string{"home"}) {
		t.Errorf("receipt %+v", first)
	}
	receipts(t, c, 1, deliveries.Filter{Limit: 1, Source: "home", Provider: "bell", Outcome: "queued", Since: time.Now().Add(-time.Hour)})
	receipts(t, c, 1, deliveries.Filter{Before: list[0].ID})
	receipts(t, c, 0, deliveries.Filter{Dead: true})
	receipts(t, c, 0, deliveries.Filter{Since: time.Now().Add(time.Hour)})

	d, err := c.Receipt(t.Context(), first.ID)
	if err != nil || d.Explanation == nil || !strings.Contains(string(d.Explanation.Events[0].Context), `"opener":"***"`) {
		t.Fatalf("detail %+v, %v", d, err)
	}
	if v := d.Explanation.Events[0].Triggers; len(v) != 2 || !v[0].Starts || v[1].Agent != "off" || !strings.Contains(v[1].Why, "disabled") {
		t.Errorf("triggers %+v", v)
	}
	if len(d.Jobs[0].Runs) != 1 {
		t.Errorf("jobs %+v", d.Jobs)
	}
	body, err := c.ReceiptBody(t.Context(), first.ID)
	if err != nil || string(body) != "1" {
		t.Errorf("body %q, %v", body, err)
	}
	x, err := c.Explain(t.Context(), first.ID)
	if err != nil || !slices.Equal(x.Events[0].Agents, []string{"dev"}) {
		t.Errorf("explained %+v, %v", x, err)
	}
	x, err = c.ExplainCandidate(t.Context(), deliveries.Candidate{Type: "bell", Body: []byte("3")})
	if err != nil || !slices.Equal(x.Events[0].Agents, []string{"dev"}) {
		t.Errorf("candidate %+v, %v", x, err)
	}
	receipts(t, c, 2, deliveries.Filter{}) // nothing came of explaining

	for what, err := range map[string]error{
		"receipt": errOf(c.Receipt(t.Context(), "nobody")),
		"body":    errOf(c.ReceiptBody(t.Context(), "nobody")),
		"explain": errOf(c.Explain(t.Context(), "no/../body")),
	} {
		if !errors.Is(err, api.ErrNotFound) {
			t.Errorf("%s of nobody: %v", what, err)
		}
	}
	if _, err := c.ExplainCandidate(t.Context(), deliveries.Candidate{Type: "bel"}); !errors.Is(err, api.ErrInvalid) || !strings.Contains(err.Error(), "bel") {
		t.Errorf("a candidate of no type: %v", err)
	}
	for query, want := range map[string]string{
		"outcome=wrong": `"wrong" is none of`, "dead=perhaps": `"perhaps"`, "since=yesterday": `"yesterday"`, "limit=0": `"0"`, "limit=x": `"x"`,
	} {
		if code, body := get(t, a.URL()+"/api/webhooks?"+query, c.Key); code != http.StatusBadRequest || !strings.Contains(body, strings.ReplaceAll(want, `"`, `\"`)) {
			t.Errorf("%s: %d %s", query, code, body)
		}
	}
	for _, path := range []string{"", "/" + first.ID, "/" + first.ID + "/body", "/" + first.ID + "/explain"} {
		if code, _ := get(t, a.URL()+"/api/webhooks"+path, ""); code != http.StatusUnauthorized {
			t.Errorf("%s without a key: %d", path, code)
		}
	}
}

func errOf[T any](_ T, err error) error { return err }

func TestAReplayStartsWhatIsDoneAgain(t *testing.T) {
	t.Parallel()
	o := options(t, standard, within{})
	a := run(t, o)
	c := clientOf(t, a, o)
	ring(t, a, "1")
	ended(t, a, c.Key)
	old := receipts(t, c, 1, deliveries.Filter{})[0]
	if body := ring(t, a, "1"); !strings.Contains(body, `"duplicate":true`) {
		t.Fatalf("the vendor's repeat: %s", body)
	}

	results, err := c.Replay(t.Context(), []string{old.ID, "nobody"})
	if err != nil || len(results) != 2 {
		t.Fatalf("%+v, %v", results, err)
	}
	if r := results[0]; r.Of != old.ID || r.Queued != 1 || r.Error != "" || r.Receipt == "" {
		t.Errorf("replay %+v", r)
	}
	if r := results[1]; !strings.Contains(r.Error, "no such receipt") || r.Receipt != "" {
		t.Errorf("replay of nobody: %+v", r)
	}
	d, err := c.Receipt(t.Context(), results[0].Receipt)
	if err != nil || d.ReplayOf != old.ID || d.DeliveryID != "1" || len(d.Jobs) != 1 {
		t.Errorf("its receipt: %+v, %v", d, err)
	}
	if body := ring(t, a, "1"); !strings.Contains(body, `"duplicate":true`) {
		t.Errorf("the vendor's repeat of what was replayed: %s", body)
	}
	for name, ids := range map[string][]string{"none": nil, "too many": make([]string, api.MaxReplays+1)} {
		if _, err := c.Replay(t.Context(), ids); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// write puts a file into a project.
func write(t *testing.T, project, name, text string) {
	t.Helper()
	file := filepath.Join(project, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// agent writes an agent that wants rings at some doors.
func agent(t *testing.T, project, name, head string, doors ...string) {
	t.Helper()
	list, err := json.Marshal(doors)
	if err != nil {
		t.Fatal(err)
	}
	write(t, project, "agents/"+name+"/SKILL.md", "Look.\n")
	write(t, project, "agents/"+name+"/config.toml", head+"[[webhooks]]\nsource = \"home\"\ndoors = "+string(list)+"\n")
}

func loaded(t *testing.T, dir string) *config.Project {
	t.Helper()
	p, problems := config.Load(dir, config.Options{CheckSchedule: app.CheckSchedule, Overrides: map[string]string{"gateway.port": "0"}})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return p
}

// rings sends a ring for each door, and returns who was started by it.
func rings(t *testing.T, a *app.App, c *api.Client, id string, doors []string) []string {
	t.Helper()
	since := time.Now()
	for i, door := range doors {
		ring(t, a, fmt.Sprintf("%s-%d at the %s", id, i, door))
	}
	started := make([]string, len(doors))
	for _, r := range receipts(t, c, len(doors), deliveries.Filter{Since: since}) {
		var agents []string
		for _, j := range r.Jobs {
			agents = append(agents, j.Agent)
		}
		started[index(t, r.DeliveryID)] = fmt.Sprint(agents)
	}
	return started
}

// index is the number that rings gave to a delivery.
func index(t *testing.T, delivery string) int {
	t.Helper()
	_, n, _ := strings.Cut(delivery, "-")
	i, err := strconv.Atoi(n)
	if err != nil {
		t.Fatalf("delivery %q: %v", delivery, err)
	}
	return i
}

// planned returns for each delivery of rings whom it starts, now and then.
func planned(t *testing.T, plan func(context.Context, deliveries.PlanRequest) (deliveries.PlanPage, error), p *config.Project, n int) (now, then []string) {
	t.Helper()
	page, err := plan(t.Context(), deliveries.PlanRequest{Proposal: app.Propose(p), Since: time.Now().Add(-time.Hour)})
	if err != nil || len(page.Problems) > 0 || len(page.Events) != n {
		t.Fatalf("plan %+v, %v; want %d events", page, err, n)
	}
	now, then = make([]string, n), make([]string, n)
	for _, e := range page.Events {
		_, id, _ := strings.Cut(e.Identity, "home ")
		id, _, _ = strings.Cut(id, "#")
		now[index(t, id)], then[index(t, id)] = fmt.Sprint(e.Now), fmt.Sprint(e.Then)
	}
	return now, then
}

// What a plan says is what the gateway then does: deliveries come, a change is
// planned and made, and the same come again.
func TestAPlanIsWhatTheGatewayThenDoes(t *testing.T) {
	t.Parallel()
	o := options(t, standard, within{})
	dir := o.Project.Dir
	agent(t, dir, "front", "", "front")
	agent(t, dir, "back", "", "back", "cellar")
	o.Project = loaded(t, dir)
	doors := []string{"front", "back", "attic", "cellar", "front"}

	// The change: back wants more and less, front is switched off, attic is new.
	next := t.TempDir()
	if err := os.CopyFS(next, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	agent(t, next, "back", "", "back", "front")
	agent(t, next, "front", "scale = 0\n", "front")
	agent(t, next, "attic", "", "attic")
	changed := loaded(t, next)

	var before, after []string
	type plan struct{ now, then []string }
	plans := map[string]plan{}
	t.Run("before", func(t *testing.T) {
		a := run(t, o)
		c := clientOf(t, a, o)
		before = rings(t, a, c, "before", doors)
		now, then := planned(t, c.Plan, changed, len(doors))
		plans["what runs"] = plan{now, then}
	})
	t.Run("down", func(t *testing.T) {
		down := *changed
		down.Dir = dir
		book, done, err := app.OpenDeliveries(t.Context(), app.OfflineOptions{Project: &down, Log: hclog.NewNullLogger(), Providers: within{}})
		if err != nil {
			t.Fatal(err)
		}
		now, then := planned(t, book.Plan, changed, len(doors))
		plans["what was recorded"] = plan{now, then}
		if err := done(); err != nil {
			t.Error(err)
		}
	})
	changed.Dir = dir
	o.Project = changed
	t.Run("after", func(t *testing.T) {
		a := run(t, o)
		after = rings(t, a, clientOf(t, a, o), "after", doors)
	})

	if want := []string{"[back dev]", "[back dev]", "[attic dev]", "[dev]", "[back dev]"}; !slices.Equal(after, want) {
		t.Fatalf("after the change: %q; want %q", after, want)
	}
	for against, p := range plans {
		if !slices.Equal(p.now, before) {
			t.Errorf("against %s, plan says that now start %q; it were %q", against, p.now, before)
		}
		if !slices.Equal(p.then, after) {
			t.Errorf("against %s, plan says that then start %q; it were %q", against, p.then, after)
		}
	}
}
