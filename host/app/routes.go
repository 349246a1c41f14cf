package app

import (
	"fmt"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/deliveries"
	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/match"
	"github.com/action-llama/gateway/sdk"
)

// lookup returns the running provider of a type, or why there is none.
type lookup func(typ string) (sdk.Provider, error)

// wiring is a configuration put together with the providers that run.
type wiring struct {
	routes *ingest.Routes
	// view is the same for those who look back at deliveries.
	view *deliveries.View
	// problems are what does not fit together; those of the settings of sources
	// are apart.
	problems, settings config.Problems
	// down says of each type whose provider does not run why. Its sources are
	// left out of matching, since nobody knows what their filters mean; their
	// deliveries are refused with 503, so nothing is lost by it.
	down map[string]error
	// credentialFiles are those of the sources, whether they exist or not.
	credentialFiles []string
}

func wire(p *config.Project, credentials config.Credentials, find lookup) wiring {
	w := wiring{routes: &ingest.Routes{Types: map[string]*ingest.Route{}, Agents: agentNames(p)}, down: map[string]error{}}
	descriptors := map[string]sdk.Descriptor{} // by source
	for _, source := range p.Sources {
		route := w.routes.Types[source.Type]
		if route == nil {
			route = &ingest.Route{Descriptor: sdk.Descriptor{Type: source.Type}}
			provider, err := find(source.Type)
			if err != nil {
				route.Unavailable, w.down[source.Type] = err, err
			} else {
				route.Provider, route.Descriptor = provider, sdk.Describe(provider)
			}
			w.routes.Types[source.Type] = route
		}
		if route.Unavailable != nil {
			route.Sources = append(route.Sources, ingest.Source{Name: source.Name})
			continue
		}
		settings, found := settle(source, route.Provider, route.Descriptor)
		w.settings = append(w.settings, found...)
		s, more := readSource(source, route.Descriptor, credentials)
		w.problems = append(w.problems, more...)
		if s.Settings = settings; found.Err() == nil {
			descriptors[source.Name] = route.Descriptor.With(settings)
		} else { // nor does anybody know what its filters mean
			s = ingest.Source{Name: source.Name, Unsettled: true, Unusable: unsettled(source, found)}
		}
		route.Sources = append(route.Sources, s)
		for _, ref := range source.Credentials {
			ref = ref.For(route.Descriptor.Credential.Type)
			w.credentialFiles = append(w.credentialFiles, credentials.Paths(ref.Type, ref.Instance, route.Descriptor.Credential.Fields)...)
		}
	}

	w.view = &deliveries.View{Routes: w.routes, Sources: sourcesOf(p)}
	enabled, disabled := triggers{places: map[string]config.Pos{}}, triggers{places: map[string]config.Pos{}}
	for _, agent := range p.Agents {
		for i, trigger := range agent.Triggers {
			at := deliveries.Trigger{
				Agent: agent.Name, Source: trigger.Source, Label: origin{agent.Name, i}.String(), At: trigger.Pos.String(),
				Disabled: agent.Scale == 0,
			}
			switch _, running := descriptors[trigger.Source]; {
			case !running:
				at.Index = -1 // nobody knows what its filters mean
			case agent.Scale == 0:
				at.Index = disabled.add(agent, i, trigger)
			default:
				at.Index = enabled.add(agent, i, trigger)
			}
			w.view.Triggers = append(w.view.Triggers, at)
		}
	}
	policies, found := policiesOf(p)
	w.problems = append(w.problems, found...)
	for _, of := range enabled.origins {
		w.routes.Policies = append(w.routes.Policies, policies[of])
	}
	matcher, faults := match.Compile(enabled.list, descriptors)
	w.problems = append(w.problems, enabled.problems(faults)...)
	idle, faults := match.Compile(disabled.list, descriptors)
	w.problems = append(w.problems, disabled.problems(faults)...)
	w.routes.Matcher, w.view.Disabled = matcher, idle
	return w
}

// readSource reads the secrets of a source. One of several that can not be read
// leaves the others working.
func readSource(source config.Source, d sdk.Descriptor, credentials config.Credentials) (ingest.Source, config.Problems) {
	out := ingest.Source{Name: source.Name, Unsigned: len(source.Credentials) == 0}
	var problems config.Problems
	for _, ref := range source.Credentials {
		ref = ref.For(d.Credential.Type)
		fail := func(err error) {
			out.Unusable = err
			problems = append(problems, config.Errorf(ref.Pos, "webhooks.%s: %v", source.Name, err))
		}
		if ref.Type != d.Credential.Type {
			fail(fmt.Errorf("credential %s is of another type; %s needs a %s", ref, d.Name, d.Credential.Type))
			continue
		}
		fields, err := credentials.Read(ref.Type, ref.Instance, d.Credential.Fields)
		if err != nil {
			fail(err)
			continue
		}
		problems = append(problems, credentials.Check(ref.Type, ref.Instance)...)
		out.Secrets = append(out.Secrets, sdk.Secret{Source: source.Name, Instance: ref.Instance, Fields: fields})
	}
	return out, problems
}

// triggers are those of several agents in the matcher's terms. Positions go
// there as text, and come back by it.
type triggers struct {
	list    []match.Trigger
	origins []origin
	places  map[string]config.Pos
}

// origin is where a trigger is in the configuration.
type origin struct {
	agent   string
	trigger int
}

func (o origin) String() string { return fmt.Sprintf("webhooks[%d]", o.trigger) }

// add returns the index of a trigger among them.
func (t *triggers) add(agent config.Agent, i int, trigger config.Trigger) int {
	m := match.Trigger{Agent: agent.Name, Source: trigger.Source, Pos: t.place(trigger.Pos)}
	for _, f := range trigger.Filters {
		m.Filters = append(m.Filters, match.Filter{Name: f.Name, Values: f.Values, List: f.IsList, Pos: t.place(f.Pos)})
	}
	t.list = append(t.list, m)
	t.origins = append(t.origins, origin{agent.Name, i})
	return len(t.list) - 1
}

func (t *triggers) place(pos config.Pos) string {
	text := pos.String()
	t.places[text] = pos
	return text
}

func (t *triggers) problems(found []match.Problem) config.Problems {
	var out config.Problems
	for _, f := range found {
		p := config.Errorf(t.places[f.Pos], "%s: %s", t.origins[f.Trigger], f.Message)
		if f.Severity == match.Warning {
			p.Severity = config.Warning
		}
		out = append(out, p)
	}
	return out
}
