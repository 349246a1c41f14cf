package page

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/deliveries"
)

const (
	// maxAgents is how many are shown at once; a name finds the others.
	maxAgents = 100
	// fewReceipts and fewRuns are the newest on the overview.
	fewReceipts = 12
	fewRuns     = 8
)

// overviewView is the first page.
type overviewView struct {
	frame
	Agents   []agentRow
	Hidden   int // agents beyond those
	Query    string
	Receipts []deliveries.Receipt
	Runs     []api.RunStatus
	Running  int
	Waiting  int
	Oldest   time.Time // zero when nothing waits
	Up       int       // providers
}

// agentRow is an agent and how its queue went.
type agentRow struct {
	api.AgentStatus
	Chart chart
}

// Slots are its runs, for a picture of them: true is taken. There is none of a
// scale that is too large for one.
func (a agentRow) Slots() []bool {
	const most = 8
	n := max(a.Scale, a.Running)
	if n > most {
		return nil
	}
	out := make([]bool, n)
	for i := range out {
		out[i] = i < a.Running
	}
	return out
}

// Oldest is when the job that has waited longest was queued.
func (a agentRow) Oldest() time.Time {
	return time.Now().Add(-time.Duration(a.OldestSeconds * float64(time.Second)))
}

func (p *Page) overview(r *http.Request) (string, any, error) {
	s, err := p.watch.look(r.Context())
	if err != nil {
		return "", nil, err
	}
	v := overviewView{
		frame: frame{Title: "Overview", Nav: "overview", Live: topicAgents + " " + topicDeliveries + " " + topicRuns, Status: s.status, Totals: s.totals},
		Query: cut(100, r.FormValue("q")), Receipts: s.receipts[:min(len(s.receipts), fewReceipts)], Runs: s.runs[:min(len(s.runs), fewRuns)],
	}
	var longest float64
	for _, a := range s.status.Agents {
		v.Running += a.Running
		v.Waiting += a.Waiting
		longest = max(longest, a.OldestSeconds)
	}
	if v.Waiting > 0 {
		v.Oldest = time.Now().Add(-time.Duration(longest * float64(time.Second)))
	}
	for _, one := range s.status.Providers {
		if one.State == "up" {
			v.Up++
		}
	}
	agents := slices.DeleteFunc(slices.Clone(s.status.Agents), func(a api.AgentStatus) bool {
		return !strings.Contains(strings.ToLower(a.Name), strings.ToLower(v.Query))
	})
	if len(agents) > maxAgents { // those with something to see first
		slices.SortStableFunc(agents, func(a, b api.AgentStatus) int { return urgency(b) - urgency(a) })
		v.Hidden = len(agents) - maxAgents
		agents = agents[:maxAgents]
	}
	for _, a := range agents {
		v.Agents = append(v.Agents, p.row(a))
	}
	return "overview", v, nil
}

func (p *Page) row(a api.AgentStatus) agentRow {
	return agentRow{AgentStatus: a, Chart: p.watch.depths.chart(a.Name, a.Waiting)}
}

func urgency(a api.AgentStatus) int {
	switch {
	case a.Running > 0:
		return 3
	case a.Waiting > 0:
		return 2
	case a.Paused || a.State == "limited":
		return 1
	default:
		return 0
	}
}

// agentView is one agent.
type agentView struct {
	frame
	Agent agentRow
	Runs  []api.RunStatus
}

func (p *Page) agent(r *http.Request) (string, any, error) {
	name := r.PathValue("agent")
	f, err := p.frameOf(r.Context(), name, "overview", topicAgents+" "+topicRuns)
	if err != nil {
		return "", nil, err
	}
	i := slices.IndexFunc(f.Status.Agents, func(a api.AgentStatus) bool { return a.Name == name })
	if i < 0 {
		return "", nil, notFound("There is no agent %q.", cut(80, name))
	}
	runs, err := p.gateway.Runs(r.Context(), api.RunsQuery{Agent: name, Limit: 20})
	return "agent", agentView{frame: f, Agent: p.row(f.Status.Agents[i]), Runs: runs}, err
}

// Capacity is how full the queue is.
func (v agentView) Capacity() string {
	return fmt.Sprintf("%d of %d", v.Agent.Waiting, v.Agent.Capacity)
}
