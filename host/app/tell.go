package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/ingest"
)

// tell says what a reload changed, in the log and to whoever asked.
func (k *keeper) tell(before *snapshot, t attempted) api.Reloaded {
	k.metrics.reloads.WithLabelValues(api.ReloadDone).Inc()
	k.metrics.configuration(true, t.next.loadedAt)
	changes := changesOf(before, t.next)
	out := api.Reloaded{
		OK: true, Outcome: api.ReloadDone, Config: *k.status(),
		Changes: changes, Problems: problemsOf(t.problems),
	}
	log := k.app.log.Info
	if len(changes) == 0 {
		log = k.app.log.Debug // a comment, or blanks
	}
	log("configuration reloaded", "digest", t.next.digest, "changes", summary(changes))
	if keys := out.Config.NeedRestart; len(keys) > 0 && !slices.Equal(keys, config.NeedRestart(k.started, before.project)) {
		k.app.log.Warn("some settings take effect when the gateway is started again", "keys", strings.Join(keys, ", "))
	}
	var news config.Problems
	k.warned, news = newsOf(t.problems, k.warned)
	k.app.warn(news)
	return out
}

// newsOf returns the warnings among problems, and those that are not known yet.
func newsOf(problems config.Problems, known map[string]bool) (all map[string]bool, news config.Problems) {
	all = map[string]bool{}
	for _, p := range problems.Of(config.Warning) {
		if all[p.Error()] = true; !known[p.Error()] {
			news = append(news, p)
		}
	}
	return all, news
}

// most bounds what is told of a configuration in one place; the rest is where
// somebody asks for it.
const most = 20

func (k *keeper) tellFailure(t attempted) {
	k.app.log.Error("configuration not reloaded, the one before stays", "digest", k.app.config.get().digest, "error", brief(t))
	faults := t.problems.Of(config.Fault)
	if len(faults) < 2 {
		return // that was it
	}
	for _, p := range faults[:min(most, len(faults))] {
		k.app.log.Error("configuration", "at", p.Pos.String(), "problem", p.Message, "fix", p.Fix)
	}
	if n := len(faults) - most; n > 0 {
		k.app.log.Error("configuration has more problems; al doctor shows all of them", "more", n)
	}
}

// brief is why a reload failed, in one line.
func brief(t attempted) string {
	faults := t.problems.Of(config.Fault)
	switch {
	case t.err != nil:
		return t.err.Error()
	case len(faults) == 1:
		return faults[0].Error()
	default:
		return fmt.Sprintf("%s (and %d more)", faults[0].Error(), len(faults)-1)
	}
}

// status is what the API shows of the configuration.
func (k *keeper) status() *api.ConfigStatus {
	now := k.app.config.get()
	out := &api.ConfigStatus{
		LoadedAt: now.loadedAt.UTC(), Digest: now.digest,
		NeedRestart: config.NeedRestart(k.started, now.project),
	}
	if f := k.failed.Load(); f != nil {
		at := f.at.UTC()
		out.Error, out.FailedAt = f.text, &at
	}
	return out
}

// changesOf lists what is different: what was written, and which secrets.
func changesOf(before, after *snapshot) []api.Change {
	out := []api.Change{}
	for _, c := range config.Changes(before.project, after.project) {
		out = append(out, api.Change{Subject: c.Subject, Name: c.Name, Change: string(c.How)})
	}
	for _, name := range slices.Sorted(maps.Keys(after.secrets)) {
		if old, ok := before.secrets[name]; ok && old != after.secrets[name] {
			out = append(out, api.Change{Subject: "credential", Name: name, Change: string(config.Changed)})
		}
	}
	return out
}

func summary(changes []api.Change) string {
	var words []string
	for _, c := range changes[:min(most, len(changes))] {
		words = append(words, c.String())
	}
	if n := len(changes) - most; n > 0 {
		words = append(words, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(words, ", ")
}

func problemsOf(problems config.Problems) []api.Problem {
	out := []api.Problem{}
	for _, p := range problems.Sorted() {
		out = append(out, api.Problem{
			Severity: p.Severity.String(), File: p.Pos.File, Line: p.Pos.Line, Column: p.Pos.Column,
			Message: p.Message, Fix: p.Fix,
		})
	}
	return out
}

// keepSecrets lets sources whose credential can not be read at this moment keep
// what was read before.
func keepSecrets(next, before *ingest.Routes) {
	for typ, route := range next.Types {
		old := before.Types[typ]
		if old == nil {
			continue
		}
		for i, source := range route.Sources {
			at := slices.IndexFunc(old.Sources, func(s ingest.Source) bool { return s.Name == source.Name })
			if source.Unusable != nil && !source.Unsettled && at >= 0 && old.Sources[at].Unusable == nil && len(old.Sources[at].Secrets) > 0 {
				route.Sources[i] = old.Sources[at]
				route.Sources[i].Settings = source.Settings
			}
		}
	}
}
