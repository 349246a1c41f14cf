package app

import (
	"slices"
	"strings"

	"github.com/action-llama/gateway/host/config"
)

// lacking are the labels of an agent that this host has not: it runs elsewhere.
func lacking(p *config.Project, a config.Agent) []string {
	var out []string
	for _, label := range a.RunsOn {
		if !slices.Contains(p.Labels, label) {
			out = append(out, label)
		}
	}
	return out
}

// checkLabels tells of an agent that this host does not run.
func (c *checker) checkLabels(a config.Agent) {
	missing := lacking(c.p, a)
	switch list := strings.Join(missing, ", "); {
	case len(missing) == 0:
	case c.p.Store.URL.IsZero():
		c.found(AboutConfig, config.Warnf(a.Pos, "nothing runs %s: runsOn asks for a host with the labels %s, and the only one has them not", a.Name, list).
			WithFix("add them to labels in [runner] of config.toml, or to AL_RUNNER_LABELS, or let [store] url lead to a database that several hosts share"))
	default:
		c.found(AboutConfig, config.Notef(a.Pos, "%s does not run on this host, which has not the labels %s", a.Name, list))
	}
}
