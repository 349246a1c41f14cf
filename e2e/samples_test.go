//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// Every sample of every provider goes the whole way: made and signed by the
// provider, sent, taken, and recorded as something that started the agent. Then
// all of it is looked back at, held against the same configuration, and happens
// again.
func TestSamplesOfEveryVendor(t *testing.T) {
	p, types, _ := everyVendor(t)
	g := p.start()
	var receipts []string
	for _, typ := range types {
		var offers struct {
			Samples []struct{ Name string }
		}
		printed(t, p, &offers, "webhook", "send", typ, "--json")
		if len(offers.Samples) < 2 {
			t.Errorf("%s has %d samples", typ, len(offers.Samples))
		}
		for _, s := range offers.Samples {
			var sent struct {
				Status  int
				Signed  bool
				Answer  string
				Receipt string
			}
			printed(t, p, &sent, "webhook", "send", typ, s.Name, "--json")
			if sent.Status/100 != 2 || !sent.Signed || sent.Receipt == "" {
				t.Errorf("%s %s: %+v", typ, s.Name, sent)
			}
			receipts = append(receipts, sent.Receipt)
		}
	}

	var list struct {
		Receipts []struct {
			ID, Event, Outcome, Provider string
			Jobs                         []struct{ Agent string }
		}
	}
	printed(t, p, &list, "webhook", "ls", "-n", "0", "--json")
	if len(list.Receipts) != len(receipts) {
		t.Errorf("%d receipts of %d deliveries", len(list.Receipts), len(receipts))
	}
	for _, r := range list.Receipts {
		if r.Outcome != "queued" || len(r.Jobs) != 1 || r.Event == "" {
			t.Errorf("%s %s: %+v", r.Provider, r.Event, r)
		}
		shown, code := p.al("webhook", "show", r.ID, "-p", p.dir, "--json")
		if code != 0 || !strings.Contains(shown, `"starts": true`) {
			t.Errorf("%s %s: %s", r.Provider, r.Event, shown)
		}
	}

	var plan struct {
		Events int
		Agents []struct{ Starts, Stops, Same []any }
	}
	printed(t, p, &plan, "plan", "--json")
	if plan.Events != len(receipts) || len(plan.Agents) != 1 || len(plan.Agents[0].Same) != len(receipts) {
		t.Errorf("plan against what runs: %+v", plan)
	}

	g.await("all runs are over", func() bool {
		out, _ := p.al("webhook", "ls", "-n", "0", "-p", p.dir)
		return strings.Count(out, "dev done") == len(receipts)
	})
	var again struct {
		Replays []struct {
			Queued int
			Error  string
		}
	}
	printed(t, p, &again, "webhook", "replay", "--since", "1h", "--yes", "--json")
	if len(again.Replays) != len(receipts) {
		t.Errorf("%d of %d replayed", len(again.Replays), len(receipts))
	}
	for _, r := range again.Replays {
		if r.Queued != 1 || r.Error != "" {
			t.Errorf("replay %+v", r)
		}
	}
}

// printed runs a command on the project and reads its JSON.
func printed(t *testing.T, p *project, into any, args ...string) {
	t.Helper()
	out, code := p.al(append(args, "-p", p.dir)...)
	if err := json.Unmarshal([]byte(out), into); err != nil || code != 0 {
		t.Fatalf("al %s: exit code %d, %v\n%s", strings.Join(args, " "), code, err, out)
	}
}
