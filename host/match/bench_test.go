package match

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/action-llama/gateway/sdk"
)

// load is a configuration and an event that matches a few of its triggers.
type load struct {
	name     string
	triggers []Trigger
	event    map[string][]string
	hits     int // agents, by the plain rule
}

func bigForge() map[string]sdk.Descriptor {
	return map[string]sdk.Descriptor{"work": {
		Type: "forge",
		Filters: []sdk.Filter{
			{Name: "events", Attribute: "event"},
			{Name: "actions", Attribute: "action"},
			{Name: "repos", Attribute: "repo"},
			{Name: "labels", Attribute: "label"},
			{Name: "author", Attribute: "author"},
			{Name: "branches", Attribute: "branch", PassAbsent: true, MatchCase: true},
			{Name: "from", Attribute: "from", Values: []string{"person", "bot"}, OptIn: []string{"bot"}},
		},
	}}
}

func filter(name string, values ...string) Filter {
	return Filter{Name: name, Values: values, List: true}
}

func agentTrigger(agent int, filters ...Filter) Trigger {
	return Trigger{Agent: fmt.Sprint("agent-", agent), Source: "work", Filters: filters}
}

func usual() []Filter { return []Filter{filter("events", "issues"), filter("actions", "labeled")} }

// loads are the shapes that configurations have, all but the first two with as
// many triggers as asked for.
func loads(many int) []load {
	event := map[string][]string{
		"event": {"issues"}, "action": {"labeled"}, "repo": {"Acme/Repo-7"}, "author": {"Ann"}, "label": {"Label-7"},
	}
	few := load{name: "10 triggers", event: event}
	for i := range 10 {
		few.triggers = append(few.triggers, agentTrigger(i, append(usual(), filter("repos", fmt.Sprint("acme/repo-", i)))...))
	}
	agents := load{name: "1,000 agents", event: event}
	for i := range 1000 {
		agents.triggers = append(agents.triggers, agentTrigger(i, append(usual(), filter("repos", fmt.Sprint("acme/repo-", i%100)))...))
	}
	repos := load{name: "distinct repos", event: event}
	labels := load{name: "same event and action, distinct labels", event: event}
	mixed := load{name: "1,000 agents, everything mixed", event: event}
	pairs := load{name: "repo and label tell only together", event: event}
	grid := load{name: "three attributes tell only together", event: event}
	branches := load{name: "distinct branches, which not every event has",
		event: map[string][]string{"event": {"push"}, "branch": {"branch-7"}, "repo": {"acme/repo-7"}}}
	common := load{name: "distinct repos, long lists of common labels", event: event}
	var labelsOfAll []string
	for i := range 40 {
		labelsOfAll = append(labelsOfAll, fmt.Sprint("label-", i))
	}
	for i := range many {
		common.triggers = append(common.triggers, agentTrigger(i,
			filter("labels", labelsOfAll...), filter("repos", fmt.Sprint("acme/repo-", i%(many/10)))))
		repos.triggers = append(repos.triggers, agentTrigger(i, append(usual(), filter("repos", fmt.Sprint("acme/repo-", i%(many/10))))...))
		labels.triggers = append(labels.triggers, agentTrigger(i, append(usual(), filter("labels", fmt.Sprint("Label-", i%(many/10))))...))
		pairs.triggers = append(pairs.triggers, agentTrigger(i, append(usual(),
			filter("repos", fmt.Sprint("acme/repo-", i%100)), filter("labels", fmt.Sprint("label-", i/100%100)))...))
		grid.triggers = append(grid.triggers, agentTrigger(i, append(usual(),
			filter("repos", fmt.Sprint("acme/repo-", i%22)), filter("labels", fmt.Sprint("label-", i/22%22)),
			filter("author", []string{"ann", fmt.Sprint("user-", i/22/22%22)}[min(1, i/22/22%22)]))...))
		branches.triggers = append(branches.triggers, agentTrigger(i, filter("events", "push"),
			filter("branches", fmt.Sprint("branch-", i%(many/10)))))
		own := []Filter{filter("events", []string{"issues", "push", "pull_request"}[i%3])}
		switch i / 1000 % 4 {
		case 0:
			own = append(own, filter("repos", fmt.Sprint("acme/repo-", i)))
		case 1:
			own = append(own, filter("labels", fmt.Sprint("area-", i), fmt.Sprint("team-", i%500)))
		case 2:
			own = append(own, filter("branches", "main", fmt.Sprint("release-", i)), filter("author", fmt.Sprint("user-", i%5000)))
		default:
			own = append(own, filter("actions", "opened", "closed"), filter("repos", fmt.Sprint("acme/repo-", i%2000)))
		}
		if i < 10 {
			own = []Filter{filter("labels", "label-7", "label-8"), filter("repos", "acme/repo-7")}
		}
		mixed.triggers = append(mixed.triggers, agentTrigger(i%1000, own...))
	}
	open := load{name: "no filters, and an event that has to be asked for",
		event: map[string][]string{"event": {"issues"}, "from": {"bot"}, "repo": {"acme/repo-7"}}}
	for i := range many {
		own := []Filter{}
		switch {
		case i%(many/2) == 7:
			own = append(own, filter("from", "person", "bot"))
		case i%2 == 0:
			own = append(own, filter("repos", "acme/repo-7"))
		}
		open.triggers = append(open.triggers, agentTrigger(i, own...))
	}
	all := []load{few, agents, repos, labels, mixed, pairs, grid, branches, common, open}
	for i := range all {
		all[i].hits = len(wantedOf(all[i]))
	}
	return all
}

func wantedOf(l load) []Hit {
	var hits []Hit
	for i, t := range l.triggers {
		if allows(bigForge()["work"], t, l.event) {
			hits = append(hits, Hit{t.Agent, t.Source, i})
		}
	}
	return firsts(hits)
}

// lookedAt counts the triggers and the branches that an event leads to.
func lookedAt(m *Matcher, source string, attributes map[string][]string) (triggers, steps int) {
	s := m.sources[source]
	e := s.read(attributes, nil, nil)
	var walk func(at uint32)
	walk = func(at uint32) {
		n := m.index.nodes[at]
		triggers += n.rest.len()
		for _, a := range m.index.branches[n.branches.from:n.branches.to] {
			for _, id := range e.of(a) {
				steps++
				if child, ok := m.index.edges[edge{at, id}]; ok {
					walk(child)
				}
			}
		}
	}
	walk(s.root)
	return triggers, steps
}

// Time is for the benchmarks; what a machine can not blur is how many triggers
// are looked at.
func TestTheCostOfAnEventDoesNotGrowWithTriggersThatCanNotMatch(t *testing.T) {
	t.Parallel()
	for _, l := range loads(20_000) {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			m, problems := Compile(l.triggers, bigForge())
			if len(problems) > 0 {
				t.Fatalf("problems: %+v", problems[0])
			}
			if got := m.Match([]string{"work"}, l.event); len(got) != l.hits {
				t.Errorf("%d agents, want %d", len(got), l.hits)
			}
			triggers, steps := lookedAt(m, "work", l.event)
			if triggers > 4*l.hits+2*leafSize || steps > 64 {
				t.Errorf("looked at %d triggers in %d steps to find %d", triggers, steps, l.hits)
			}
		})
	}
}

func TestATriggerWithLongListsDoesNotFillTheMemory(t *testing.T) {
	t.Parallel()
	var long [5][]string
	for i := range long {
		for j := range 50 {
			long[i] = append(long[i], fmt.Sprint("value-", j))
		}
	}
	var triggers []Trigger
	for i := range 100 {
		triggers = append(triggers, agentTrigger(i, filter("events", long[0]...), filter("actions", long[1]...),
			filter("repos", long[2]...), filter("labels", long[3]...), filter("branches", long[4]...)))
	}
	m, _ := Compile(triggers, bigForge())
	if n := len(m.index.rest); n > 2*100*50 {
		t.Errorf("%d entries for 100 triggers", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, l := range loads(100_000) {
		b.Run(l.name, func(b *testing.B) {
			m, _ := Compile(l.triggers, bigForge())
			sources := []string{"work"}
			b.ReportAllocs()
			for b.Loop() {
				if got := m.Match(sources, l.event); len(got) != l.hits {
					b.Fatalf("%d agents, want %d", len(got), l.hits)
				}
			}
		})
	}
}

func BenchmarkMatchNothing(b *testing.B) {
	l := loads(100_000)[2]
	m, _ := Compile(l.triggers, bigForge())
	event := map[string][]string{"event": {"issues"}, "action": {"labeled"}, "repo": {"acme/unheard-of"}}
	b.ReportAllocs()
	for b.Loop() {
		m.Match([]string{"work"}, event)
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, l := range loads(100_000) {
		b.Run(l.name, func(b *testing.B) {
			before := heap()
			m, _ := Compile(l.triggers, bigForge())
			held := heap() - before
			b.ReportAllocs()
			for b.Loop() {
				Compile(l.triggers, bigForge())
			}
			b.ReportMetric(float64(held)/float64(len(l.triggers)), "heap-B/trigger")
			runtime.KeepAlive(m)
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
