package deliveries_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/action-llama/gateway/host/deliveries"
	"github.com/action-llama/gateway/host/job"
)

func proposedAgent(name, source string, doors ...string) deliveries.ProposedAgent {
	t := deliveries.ProposedTrigger{Source: source, At: name + ".toml:2:1"}
	if len(doors) > 0 {
		t.Filters = []deliveries.ProposedFilter{{Name: "doors", Values: doors, List: true, At: name + ".toml:3:1"}}
	}
	return deliveries.ProposedAgent{Name: name, Triggers: []deliveries.ProposedTrigger{t}}
}

// sources are those of view.
func sources() []deliveries.Source {
	return []deliveries.Source{
		{Name: "work", Type: "bell", Credentials: []string{"a", "old"}}, {Name: "home", Type: "bell", Credentials: []string{"b"}},
	}
}

func planned(t *testing.T, b *deliveries.Book, p deliveries.Proposal) deliveries.Plan {
	t.Helper()
	tally := deliveries.NewTally(noon, noon.Add(time.Hour))
	for before := ""; ; {
		page, err := b.Plan(t.Context(), deliveries.PlanRequest{Proposal: p, Since: noon, Before: before})
		if err != nil || len(page.Problems) > 0 {
			t.Fatalf("%v, %+v", err, page.Problems)
		}
		tally.Add(page)
		if before = page.Next; before == "" {
			return tally.Plan()
		}
	}
}

// changes is a plan in short: by agent the receipts that + start it, - do no
// longer, or = still do.
func changes(p deliveries.Plan) []string {
	var out []string
	for _, a := range p.Agents {
		line := a.Agent
		for _, part := range []struct {
			sign   string
			starts []deliveries.PlannedStart
		}{{"+", a.Starts}, {"-", a.Stops}, {"=", a.Same}} {
			for _, s := range part.starts {
				line += " " + part.sign + s.Receipt
			}
		}
		out = append(out, line)
	}
	return out
}

func TestAPlanSaysWhatChanges(t *testing.T) {
	t.Parallel()
	r := &records{}
	r.deliver([]string{"work"}, ring{Door: "front", ID: "1"})
	r.deliver([]string{"work"}, ring{Door: "back", ID: "2"})
	r.deliver([]string{"work"}, ring{Door: "attic", ID: "3"})
	r.deliver([]string{"home"}, ring{Door: "attic", ID: "4"})
	r.deliver([]string{"work"}, ring{Door: "front", ID: "1"}) // again
	p := deliveries.Proposal{Sources: sources(), Agents: []deliveries.ProposedAgent{
		proposedAgent("dev", "work", "front", "attic"), proposedAgent("new", "home"),
	}}
	plan := planned(t, book(t, r, true), p)
	want := []string{"dev +r002 -r001 =r004", "new +r003", "ops -r003"}
	if diff := cmp.Diff(want, changes(plan)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if plan.Against != "running" || plan.Receipts != 5 || plan.Events != 4 || plan.Repeats != 1 {
		t.Errorf("plan %+v", plan)
	}
	if s := plan.Agents[0].Starts[0]; s.Event != "ring.long" || s.Subject != "home#1 at the attic" {
		t.Errorf("start %+v", s)
	}
}

// Who is ignored starts nothing, by either configuration.
func TestAPlanHoldsBackWhomTheProposalIgnores(t *testing.T) {
	t.Parallel()
	r := &records{}
	r.deliver([]string{"work"}, ring{Door: "back", Sender: "eve", ID: "1"})
	r.deliver([]string{"work"}, ring{Door: "back", Sender: "bob", ID: "2"})
	p := deliveries.Proposal{Sources: sources(), Agents: []deliveries.ProposedAgent{proposedAgent("dev", "work", "back")}}
	p.Agents[0].Triggers[0].IgnoreSenders = []string{"Bob"}
	want := []string{"dev +r000 -r001"}
	if diff := cmp.Diff(want, changes(planned(t, book(t, r, true), p))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// With no gateway running, what is compared with is what happened.
func TestAPlanAgainstWhatWasRecorded(t *testing.T) {
	t.Parallel()
	r := &records{}
	one := r.deliver([]string{"work"}, ring{Door: "front", ID: "1"}, ring{Door: "front", ID: "1"}, ring{Door: "front", ID: "2"})
	r.take(one, "dev", "1")
	r.take(one, "dev", "1")
	r.take(one, "old", "2")
	again := r.deliver([]string{"work"}, ring{Door: "front", ID: "2"}) // it failed for old, and dev is new
	r.take(again, "dev", "2")
	plan := planned(t, book(t, r, false), deliveries.Proposal{
		Sources: sources(), Agents: []deliveries.ProposedAgent{proposedAgent("dev", "work", "front")},
	})
	want := []string{"dev =r001 =r000 =r000", "old -r001"}
	if diff := cmp.Diff(want, changes(plan)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if plan.Against != "recorded" || plan.Events != 3 || plan.Repeats != 1 {
		t.Errorf("plan %+v", plan)
	}
}

func TestAPlanKnowsToWhomADeliveryWouldBelong(t *testing.T) {
	t.Parallel()
	all := func(sources ...deliveries.Source) deliveries.Proposal {
		p := deliveries.Proposal{Sources: sources}
		for _, s := range sources {
			p.Agents = append(p.Agents, proposedAgent("for-"+s.Name, s.Name))
		}
		return p
	}
	for name, tt := range map[string]struct {
		proposal deliveries.Proposal
		path     string
		want     string
		lost     int
	}{
		"the same source":                     {all(deliveries.Source{Name: "work", Type: "bell", Credentials: []string{"new"}}), "", "for-work", 0},
		"renamed, with the same credential":   {all(deliveries.Source{Name: "job", Type: "bell", Credentials: []string{"old", "new"}}), "", "for-job", 1},
		"another, with the same credential":   {all(sources()[0], deliveries.Source{Name: "too", Type: "bell", Credentials: []string{"a"}}), "", "for-too for-work", 0},
		"another, with another credential":    {all(sources()[0], deliveries.Source{Name: "too", Type: "bell", Credentials: []string{"c"}}), "", "for-work", 0},
		"another, without a credential":       {all(sources()[0], deliveries.Source{Name: "too", Type: "bell"}), "", "for-work", 0},
		"gone":                                {all(sources()[1]), "", "", 1},
		"of another type now":                 {all(deliveries.Source{Name: "work", Type: "down"}), "", "", 1},
		"renamed, but sent to its own path":   {all(deliveries.Source{Name: "job", Type: "bell", Credentials: []string{"a"}}), "/webhooks/bell/work", "", 1},
		"sent to its own path, with a sharer": {all(sources()[0], deliveries.Source{Name: "too", Type: "bell", Credentials: []string{"a"}}), "/webhooks/bell/work", "for-work", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &records{}
			r.deliver([]string{"work"}, ring{Door: "attic"})
			if tt.path != "" {
				r.receipts[0].Path = tt.path
			}
			plan := planned(t, book(t, r, true), tt.proposal)
			var agents []string
			for _, a := range plan.Agents {
				if len(a.Starts) > 0 {
					agents = append(agents, a.Agent)
				}
			}
			if got := strings.Join(agents, " "); got != tt.want || plan.Lost["work"] != tt.lost {
				t.Errorf("starts %q, lost %v; want %q and %d", got, plan.Lost, tt.want, tt.lost)
			}
		})
	}
}

func TestAPlanLeavesOutWhatItCanNotKnow(t *testing.T) {
	t.Parallel()
	r := &records{}
	bad := r.deliver([]string{"work"}, ring{})
	r.receipts[0].Body = []byte("x")
	r.deliver([]string{"work"}, ring{Door: "front"})
	r.receipts[1].Outcome = job.Handshake
	first := r.deliver([]string{"work"}, ring{Door: "back"}) // no delivery id: repeats can not be told
	r.deliver([]string{"work"}, ring{Door: "back"})
	r.deliver([]string{"work"}, ring{Door: "back"}) // but this one is known to be
	r.receipts[4].ReplayOf = first
	p := deliveries.Proposal{Sources: sources(), Agents: []deliveries.ProposedAgent{proposedAgent("new", "work")}}
	plan := planned(t, book(t, r, true), p)
	if len(plan.Unread) != 1 || plan.Unread[0].Receipt != bad || plan.Events != 2 || plan.Repeats != 1 {
		t.Errorf("plan %+v", plan)
	}
	p.Agents[0].Disabled = true
	if plan := planned(t, book(t, r, true), p); slices.ContainsFunc(plan.Agents, func(a deliveries.PlannedAgent) bool { return a.Agent == "new" }) {
		t.Errorf("a disabled agent is planned: %+v", plan.Agents)
	}
}

func TestAPlanRefusesAFaultyConfiguration(t *testing.T) {
	t.Parallel()
	r := &records{}
	r.deliver([]string{"work"}, ring{Door: "front"})
	p := deliveries.Proposal{Sources: sources(), Agents: []deliveries.ProposedAgent{proposedAgent("dev", "work", "front")}}
	p.Agents[0].Triggers[0].Filters[0].Name = "door"
	page, err := book(t, r, true).Plan(t.Context(), deliveries.PlanRequest{Proposal: p})
	if err != nil || len(page.Problems) != 1 || len(page.Events) != 0 {
		t.Fatalf("got %+v, %v", page, err)
	}
	if got := page.Problems[0]; got.Severity != "error" || got.At != "dev.toml:3:1" || !strings.Contains(got.Message, `did you mean "doors"`) {
		t.Errorf("problem %+v", got)
	}
	// Nobody can check what a provider that does not run would.
	p.Sources = append(p.Sources, deliveries.Source{Name: "later", Type: "later"})
	p.Agents[0] = proposedAgent("dev", "later", "x")
	page, err = book(t, r, true).Plan(t.Context(), deliveries.PlanRequest{Proposal: p})
	if err != nil || len(page.Problems) != 0 {
		t.Errorf("a source of a new type: %+v, %v", page, err)
	}
}

func TestAPlanGoesThroughAllPages(t *testing.T) {
	t.Parallel()
	r := &records{}
	for i := range 450 {
		r.deliver([]string{"home"}, ring{Door: "front", ID: fmt.Sprint(i)})
	}
	plan := planned(t, book(t, r, true), deliveries.Proposal{Sources: sources(), Agents: []deliveries.ProposedAgent{proposedAgent("ops", "home")}})
	if plan.Receipts != 450 || plan.Events != 450 || len(plan.Agents[0].Same) != 450 {
		t.Errorf("%d receipts, %d events", plan.Receipts, plan.Events)
	}
}
