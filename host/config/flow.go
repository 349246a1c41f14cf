package config

import (
	"slices"
	"strings"
	"time"

	"github.com/action-llama/gateway/host/spelling"
)

// Flow says how the jobs of a trigger go through the queue. An agent's is that
// of its schedule, and of each of its triggers where that says nothing else.
type Flow struct {
	ConcurrencyKey string // with {placeholders}; empty for none
	OnBusy         string // "queue", "skip", "latest" or "cancel"
	Debounce       time.Duration
	MaxWait        time.Duration // 0 means what ten debounces take
	// IgnoreSenders are those whose events start nothing; "bots" stands for
	// all that act like people and are none.
	IgnoreSenders []string
	// MaxSelfTriggers is how many events in a row may come of the agent's own
	// runs before it is paused. 0 means any number.
	MaxSelfTriggers int

	KeyPos Pos // of concurrencyKey; zero when there is none
}

// What onBusy and onLimit may be.
var (
	onBusyWords  = []string{"queue", "skip", "latest", "cancel"}
	onLimitWords = []string{"wait", "drop"}
)

// flowSettings are the keys of a flow that take a single value, in an agent and
// in its triggers.
func flowSettings() []setting[Flow] {
	type f = Flow
	return []setting[Flow]{
		text("concurrencyKey", "", func(f *f) *string { return &f.ConcurrencyKey },
			`What a job is about, for example "{repo}#{number}": of the agent's jobs with one key only one runs at a time.`),
		text("onBusy", "queue", func(f *f) *string { return &f.OnBusy },
			`What happens to an event whose key is busy: "queue" (it waits in line), "skip", "latest" (it replaces those that wait), "cancel" (it also ends the run).`),
		duration("debounce", 0, 0, func(f *f) *time.Duration { return &f.Debounce },
			`Wait until no further event came for so long, and give the whole burst to one run. "0s" starts at once.`),
		duration("maxWait", 0, 0, func(f *f) *time.Duration { return &f.MaxWait },
			"The longest wait of a burst that does not end. Without it, ten times debounce."),
		number("maxSelfTriggers", 0, 0, maxNumber, func(f *f) *int { return &f.MaxSelfTriggers },
			"Events in a row that may come of the agent's own runs before it is paused. 0 sets no limit."),
	}
}

const ignoreSendersKey = "ignoreSenders"

func defaultIgnoreSenders() []string { return []string{"bots"} }

// flowKeys are the keys of a flow, in the order of the documentation.
func flowKeys() []string {
	var keys []string
	for _, s := range flowSettings() {
		keys = append(keys, s.key)
	}
	return append(keys, ignoreSendersKey)
}

// standardFlow is that of an agent which says nothing.
func standardFlow() Flow {
	f := Flow{IgnoreSenders: defaultIgnoreSenders()}
	for _, s := range flowSettings() {
		s.put(&f, s.standard)
	}
	return f
}

// flow reads the keys of a flow in an agent (with an empty path) or a trigger.
// What is not said there is as in base.
func (l *loader) flow(table *value, path string, base Flow) Flow {
	f := base
	if path != "" {
		path += "."
	}
	for _, s := range flowSettings() {
		e := table.get(s.key)
		if e == nil || e.value.kind == nullKind {
			continue
		}
		parsed, wrong := s.read(e.value)
		if !wrong.none() {
			l.problems.add(Errorf(e.value.pos, "%s%s %s", path, s.key, wrong.what).WithFix("%s", wrong.fix))
			continue
		}
		s.put(&f, parsed)
	}
	if e := table.get(ignoreSendersKey); e != nil {
		if senders, ok := l.texts(e, path+ignoreSendersKey, true); ok {
			f.IgnoreSenders = senders
		}
	}
	l.checkFlow(&f, table, path)
	return f
}

// checkFlow looks at what one key alone does not tell.
func (l *loader) checkFlow(f *Flow, table *value, path string) {
	if e := table.get("concurrencyKey"); e != nil {
		f.KeyPos = e.value.pos
	}
	if e := table.get("onBusy"); e != nil {
		l.word(e, path+"onBusy", &f.OnBusy, onBusyWords)
		if f.ConcurrencyKey == "" && f.OnBusy != "queue" {
			l.problems.add(Errorf(e.value.pos, "%sonBusy = %q needs a concurrencyKey", path, f.OnBusy).
				WithFix(`say what must not run twice at once, for example concurrencyKey = "{repo}#{number}"`))
		}
	}
	if e := table.get("maxWait"); e != nil {
		switch {
		case f.Debounce == 0:
			l.problems.add(Errorf(e.value.pos, "%smaxWait has no meaning without debounce", path).
				WithFix(`add debounce = "30s", or remove the line`))
		case f.MaxWait < f.Debounce:
			l.problems.add(Errorf(e.value.pos, "%smaxWait (%s) is shorter than debounce (%s)", path, formatDuration(f.MaxWait), formatDuration(f.Debounce)).
				WithFix("raise it, or remove it for ten times debounce"))
		}
	}
}

// word checks a text that may only be one of a few, and puts the first in its
// place when it is none.
func (l *loader) word(e *entry, path string, got *string, known []string) {
	if slices.Contains(known, *got) {
		return
	}
	p := Errorf(e.value.pos, "%s is none of %s: %q", path, list(known), shorten(*got))
	if hint := spelling.DidYouMean(*got, known); hint != "" {
		p = p.WithFix("%s", hint)
	}
	l.problems.add(p)
	*got = known[0]
}

// checkBudget looks at an agent's onLimit.
func (l *loader) checkBudget(a *Agent, root *value) {
	e := root.get("onLimit")
	if e == nil || e.value.kind != textKind {
		return
	}
	l.word(e, "onLimit", &a.OnLimit, onLimitWords)
	p := l.project
	if a.OnLimit == "drop" && a.MaxRunsPerHour == 0 && a.MaxRunsPerDay == 0 && p.MaxRunsPerHour == 0 && p.MaxRunsPerDay == 0 {
		l.problems.add(Warnf(e.value.pos, "onLimit has no effect without a limit").
			WithFix("add %s to this agent or to the project", strings.Join([]string{"maxRunsPerHour", "maxRunsPerDay"}, " or ")))
	}
}
