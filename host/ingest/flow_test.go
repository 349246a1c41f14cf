package ingest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/action-llama/gateway/host/flow"
	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/match"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/sdk"
)

// flowing is a gateway with one agent, whose triggers have these policies.
func flowing(t *testing.T, e sdk.Event, policies ...flow.Policy) *fixture {
	t.Helper()
	e.Name, e.DeliveryID = "ring", "d-1"
	e.Taken, e.Ignored = &sdk.Reply{Status: http.StatusAccepted}, &sdk.Reply{Status: http.StatusNoContent}
	provider := &bell{events: func(sdk.Request) ([]sdk.Event, error) { return []sdk.Event{e}, nil }}
	f := setup(t, provider)
	d := sdk.Describe(provider)
	var triggers []match.Trigger
	for range policies {
		triggers = append(triggers, match.Trigger{Agent: "dev", Source: "home"})
	}
	matcher, problems := match.Compile(triggers, map[string]sdk.Descriptor{"home": d})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	f.handler.Update(&ingest.Routes{Matcher: matcher, Policies: policies, Types: map[string]*ingest.Route{
		"bell": {Provider: provider, Descriptor: d, Sources: []ingest.Source{{Name: "home", Secrets: []sdk.Secret{
			{Source: "home", Fields: map[string]string{"secret": "s1"}},
		}}}},
	}})
	return f
}

func (f *fixture) events(outcome job.Outcome) float64 {
	f.Helper()
	got, err := f.registry.Gather()
	if err != nil {
		f.Fatal(err)
	}
	for _, family := range got {
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if family.GetName() == "al_events_total" && l.GetName() == "outcome" && l.GetValue() == string(outcome) {
					if v := m.GetCounter().GetValue(); v > 0 {
						return v
					}
				}
			}
		}
	}
	return 0
}

func TestWhatAnAgentIgnoresStartsNothing(t *testing.T) {
	t.Parallel()
	noBots := flow.Policy{Ignore: flow.NewSenders([]string{"bots"})}
	f := flowing(t, sdk.Event{Sender: "helper[bot]", Automated: true}, noBots)
	if a := f.post("/webhooks/bell", "s1", "1", `""`); a.code != http.StatusNoContent {
		t.Errorf("answered %d; want what nobody's is answered", a.code)
	}
	if len(f.store.accepted) > 0 || len(f.store.noted) != 1 || f.store.noted[0].Outcome != job.HeldBack {
		t.Errorf("accepted %+v, noted %+v", f.store.accepted, f.store.noted)
	}
	if f.events(job.HeldBack) != 1 {
		t.Error("it is not counted as held back")
	}

	// Another trigger of the agent may want it.
	f = flowing(t, sdk.Event{Sender: "helper[bot]", Automated: true}, noBots, flow.Policy{})
	if a := f.post("/webhooks/bell", "s1", "1", `""`); a.code != http.StatusAccepted || len(f.store.accepted) != 1 {
		t.Errorf("answered %d, accepted %d", a.code, len(f.store.accepted))
	}
}

func TestJobsGoThroughTheQueueAsTheirTriggerSays(t *testing.T) {
	t.Parallel()
	key, err := flow.ParseTemplate("{repo}#{number}")
	if err != nil {
		t.Fatal(err)
	}
	f := flowing(t, sdk.Event{Repo: "acme/repo", Number: 42, Sender: "ann"},
		flow.Policy{Key: key, OnBusy: store.BusySkip, Debounce: time.Minute, MaxSelfTriggers: 3})
	f.post("/webhooks/bell", "s1", "1", `""`)
	j := f.store.accepted[0].Jobs[0]
	if j.Concurrency != (store.Concurrency{Key: "acme/repo#42", OnBusy: store.BusySkip}) ||
		j.Debounce.Quiet != time.Minute || j.Loop.Limit != 3 {
		t.Errorf("%+v", j)
	}
}

func TestAnswersSayWhatBecameOfTheJobs(t *testing.T) {
	t.Parallel()
	for verdict, want := range map[store.Verdict]struct {
		body    string
		outcome job.Outcome
		woken   int
	}{
		store.Enqueued:  {`"queued":1,"dropped":0}`, job.Queued, 1},
		store.Merged:    {`"queued":0,"merged":1,"dropped":0}`, job.Merged, 1},
		store.Duplicate: {`"queued":0,"dropped":0,"duplicate":true}`, job.Duplicate, 0},
		store.Skipped:   {`"queued":0,"dropped":1}`, job.NotQueued, 0},
		store.Limited:   {`"queued":0,"dropped":1}`, job.NotQueued, 0},
	} {
		f := setup(t, &bell{})
		f.store.verdicts = []store.Verdict{verdict}
		a := f.post("/webhooks/bell", "s1", "1", `"back"`)
		if a.code != http.StatusOK || !strings.Contains(a.body, want.body) {
			t.Errorf("verdict %d: answered %d %s, want %s", verdict, a.code, a.body, want.body)
		}
		if f.events(want.outcome) != 1 || f.woken != want.woken {
			t.Errorf("verdict %d: outcome %s counted %v times, woken %d times", verdict, want.outcome, f.events(want.outcome), f.woken)
		}
	}
}

func TestWhatACommitAsksForIsDone(t *testing.T) {
	t.Parallel()
	f := setup(t, &bell{})
	f.store.more = store.Accepted{Cancelled: []string{"run-1"}, Tripped: []store.Trip{{Agent: "dev", Reason: "it keeps starting itself"}}}
	f.post("/webhooks/bell", "s1", "1", `"back"`)
	if len(f.ended) != 1 || f.ended[0] != "run-1" {
		t.Errorf("cancelled %v", f.ended)
	}
	if log := f.log.String(); !strings.Contains(log, "[ERROR]") || !strings.Contains(log, "it keeps starting itself") || !strings.Contains(log, "al resume") {
		t.Errorf("a tripped agent is not called out: %s", log)
	}
	if n, err := testutil.GatherAndCount(f.registry, "al_agent_loops_total"); err != nil || n != 1 {
		t.Errorf("%d series of trips, %v", n, err)
	}
}
