package deliveries

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Tally puts the pages of a plan together, agent by agent. An event that was
// delivered several times counts once: repeats start nothing.
type Tally struct {
	seen map[string]*tallied
	plan Plan
}

type tallied struct {
	PlannedEvent
	now, then map[string]bool
}

// Plan is what a changed configuration would have made of past events.
type Plan struct {
	Since    time.Time      `json:"since"`
	Until    time.Time      `json:"until"`
	Against  string         `json:"against"` // running or recorded
	Receipts int            `json:"receipts"`
	Events   int            `json:"events"`
	Repeats  int            `json:"repeats"`        // further deliveries of events
	Lost     map[string]int `json:"lost,omitempty"` // events of sources that are gone, by source
	Unread   []Unread       `json:"unread,omitempty"`
	Agents   []PlannedAgent `json:"agents"` // that at least one event starts, now or then
}

// PlannedAgent is what changes for one agent.
type PlannedAgent struct {
	Agent  string         `json:"agent"`
	Starts []PlannedStart `json:"starts"` // events that would newly start it
	Stops  []PlannedStart `json:"stops"`  // events that would start it no longer
	Same   []PlannedStart `json:"same"`   // events that start it either way
}

// PlannedStart is an event that starts an agent, now or then.
type PlannedStart struct {
	Receipt    string    `json:"receipt"`
	ReceivedAt time.Time `json:"receivedAt"`
	Provider   string    `json:"provider"`
	Sources    []string  `json:"sources"`
	Event      string    `json:"event"`
	Subject    string    `json:"subject,omitempty"`
}

// NewTally begins a plan over a time.
func NewTally(since, until time.Time) *Tally {
	return &Tally{seen: map[string]*tallied{}, plan: Plan{Since: since, Until: until, Lost: map[string]int{}}}
}

// Add takes a page.
func (t *Tally) Add(p PlanPage) {
	t.plan.Against = p.Against
	t.plan.Receipts += p.Receipts
	t.plan.Unread = append(t.plan.Unread, p.Unread...)
	for _, e := range p.Events {
		one := t.seen[e.Identity]
		if one == nil {
			one = &tallied{PlannedEvent: e, now: map[string]bool{}, then: map[string]bool{}}
			t.seen[e.Identity] = one
			for _, source := range e.Lost {
				t.plan.Lost[source]++
			}
		} else {
			t.plan.Repeats++
		}
		for _, a := range e.Now {
			one.now[a] = true
		}
		for _, a := range e.Then {
			one.then[a] = true
		}
	}
}

// Receipts is how many were looked at so far.
func (t *Tally) Receipts() int { return t.plan.Receipts }

// Plan is the sum, agents by name and events by time, the newest first.
func (t *Tally) Plan() Plan {
	out := t.plan
	out.Events = len(t.seen)
	agents := map[string]*PlannedAgent{}
	of := func(name string) *PlannedAgent {
		a := agents[name]
		if a == nil {
			a = &PlannedAgent{Agent: name, Starts: []PlannedStart{}, Stops: []PlannedStart{}, Same: []PlannedStart{}}
			agents[name] = a
		}
		return a
	}
	events := slices.SortedFunc(maps.Values(t.seen), func(a, b *tallied) int {
		if c := strings.Compare(b.Receipt, a.Receipt); c != 0 {
			return c
		}
		return strings.Compare(a.Identity, b.Identity)
	})
	for _, e := range events {
		start := PlannedStart{
			Receipt: e.Receipt, ReceivedAt: e.ReceivedAt, Provider: e.Provider, Sources: e.Sources, Event: e.Event, Subject: e.Subject,
		}
		for name := range e.now {
			if a := of(name); e.then[name] {
				a.Same = append(a.Same, start)
			} else {
				a.Stops = append(a.Stops, start)
			}
		}
		for name := range e.then {
			if !e.now[name] {
				a := of(name)
				a.Starts = append(a.Starts, start)
			}
		}
	}
	out.Agents = []PlannedAgent{}
	for _, name := range slices.Sorted(maps.Keys(agents)) {
		out.Agents = append(out.Agents, *agents[name])
	}
	return out
}
