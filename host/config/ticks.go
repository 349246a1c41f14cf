package config

import "time"

// maxJitter is far more than a spread has to be, and short enough that nobody
// wonders where a run is.
const maxJitter = time.Hour

// What catchUp may be.
var catchUpWords = []string{"none", "latest"}

// checkTicks looks at what says more about an agent's schedule.
func (l *loader) checkTicks(a *Agent, root *value) {
	for _, key := range []string{"jitter", "catchUp"} {
		e := root.get(key)
		if e == nil {
			continue
		}
		if key == "catchUp" && e.value.kind == textKind {
			l.word(e, key, &a.CatchUp, catchUpWords)
		}
		if root.get("schedule") == nil {
			l.problems.add(Warnf(e.value.pos, "%s has no effect without a schedule", key).
				WithFix("add a schedule, or remove the line"))
		}
	}
}
