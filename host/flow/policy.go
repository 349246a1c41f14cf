package flow

import (
	"fmt"
	"strings"
	"time"

	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/sdk"
)

// Policy is how the jobs of one trigger go through the queue. The zero Policy
// lets every event by at once.
type Policy struct {
	Key      Template
	OnBusy   store.OnBusy
	Debounce time.Duration
	MaxWait  time.Duration // 0 for ten times Debounce
	Ignore   Senders
	// MaxSelfTriggers is how many events in a row may come of the agent's own
	// runs before it is paused; 0 for any number.
	MaxSelfTriggers int
}

// wholeAgent is the burst that all events of an agent belong to which says
// nothing of what its jobs are about.
const wholeAgent = "*"

const defaultMaxWait = 10 // debounces

// selfWindow is how long after the end of a run an event may come of it.
// Vendors deliver within seconds, and a busy one within a minute.
const selfWindow = time.Minute

// Apply says in a job of an event how it goes through the queue.
func (p *Policy) Apply(j *store.NewJob, e *sdk.Event) {
	key := p.Key.Key(j.Source, e)
	if key != "" {
		j.Concurrency = store.Concurrency{Key: key, OnBusy: p.OnBusy}
	}
	if p.Debounce > 0 {
		longest := p.MaxWait
		if longest == 0 {
			longest = defaultMaxWait * p.Debounce
		}
		switch {
		case key != "":
			j.Debounce = store.Debounce{Group: key, Quiet: p.Debounce, Max: longest}
		case len(p.Key.parts) == 0:
			j.Debounce = store.Debounce{Group: wholeAgent, Quiet: p.Debounce, Max: longest}
		}
	}
	if p.MaxSelfTriggers > 0 {
		j.Loop = store.Loop{
			Entity: entity(key, e), Sender: bounded(e.Sender), Limit: p.MaxSelfTriggers, Window: selfWindow,
		}
	}
}

// ApplyTick is Apply for what comes without an event: a tick of a schedule, or a
// person's request.
func (p *Policy) ApplyTick(j *store.NewJob) {
	if key, ok := p.Key.Fixed(); ok {
		j.Concurrency = store.Concurrency{Key: key, OnBusy: p.OnBusy}
	}
}

// entity is what an event is about, for those who do not say it with a key.
func entity(key string, e *sdk.Event) string {
	switch {
	case key != "":
		return key
	case e.Number != 0:
		return bounded(fmt.Sprintf("%s#%d", e.Repo, e.Number))
	case e.URL != "":
		return bounded(e.URL)
	default:
		return bounded(e.Repo)
	}
}

// bots stands for everybody who acts like a person and is none.
const bots = "bots"

// Senders are those whose events a trigger does not want. Letter case does not
// count: it does in none of the vendors' names.
type Senders struct {
	names map[string]bool
	bots  bool
}

// NewSenders reads a list of names, in which "bots" stands for all of them.
func NewSenders(list []string) Senders {
	s := Senders{names: map[string]bool{}}
	for _, name := range list {
		if name == bots {
			s.bots = true
		} else {
			s.names[strings.ToLower(name)] = true
		}
	}
	return s
}

// HoldsBack says whether an event is not for the trigger because of who caused
// it, and why, for people.
func (p *Policy) HoldsBack(e *sdk.Event) (reason string, held bool) {
	switch {
	case p.Ignore.bots && e.Automated:
		return fmt.Sprintf("ignoreSenders has %q, and %s is one", bots, named(e.Sender)), true
	case e.Sender != "" && p.Ignore.names[strings.ToLower(e.Sender)]:
		return fmt.Sprintf("ignoreSenders has %s", named(e.Sender)), true
	default:
		return "", false
	}
}

func named(sender string) string {
	if sender == "" {
		return "its sender"
	}
	return fmt.Sprintf("%q", sender)
}
