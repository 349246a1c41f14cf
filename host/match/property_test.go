package match

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/action-llama/gateway/sdk"
)

// values are few, so that triggers and events meet, and include pairs that only
// folding joins.
var values = []string{"a", "A", "b", "B", "k", "\u212a", "s", "ſ", "é", "É", "x/y", "X/Y"}

func drawDescriptor(t *rapid.T) sdk.Descriptor {
	d := sdk.Descriptor{Type: "forge"}
	for a := range rapid.IntRange(1, 4).Draw(t, "attributes") {
		name := fmt.Sprint("attribute", a)
		absent, exact := rapid.Bool().Draw(t, "pass absent"), rapid.Bool().Draw(t, "match case")
		optIn := rapid.SliceOfN(rapid.SampledFrom(values), 0, 3).Draw(t, "opt in")
		for f := range rapid.IntRange(1, 2).Draw(t, "filters") {
			d.Filters = append(d.Filters, sdk.Filter{
				Name: fmt.Sprint(name, "-", f), Attribute: name, PassAbsent: absent, MatchCase: exact, OptIn: optIn,
			})
		}
	}
	return d
}

func drawTriggers(t *rapid.T, sources map[string]sdk.Descriptor) []Trigger {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Trigger {
		trigger := Trigger{
			Agent:  rapid.SampledFrom([]string{"ann", "bob", "cid"}).Draw(t, "agent"),
			Source: rapid.SampledFrom([]string{"home", "work"}).Draw(t, "source"),
		}
		known := sources[trigger.Source].Filters
		for range rapid.IntRange(0, 4).Draw(t, "filters") {
			trigger.Filters = append(trigger.Filters, Filter{
				Name:   rapid.SampledFrom(known).Draw(t, "filter").Name,
				Values: rapid.SliceOfN(rapid.SampledFrom(values), 1, 3).Draw(t, "values"),
				List:   true,
			})
		}
		return trigger
	}), 0, 30).Draw(t, "triggers")
}

func drawEvent(t *rapid.T) map[string][]string {
	e := map[string][]string{}
	for a := range 4 {
		if rapid.Bool().Draw(t, "has it") {
			e[fmt.Sprint("attribute", a)] = rapid.SliceOfN(rapid.SampledFrom(append(values, "", "other")), 0, 3).Draw(t, "event values")
		}
	}
	return e
}

// allows is the rule again, as plainly as it can be said.
func allows(d sdk.Descriptor, t Trigger, e map[string][]string) bool {
	wanted := map[string][]string{}
	described := map[string]sdk.Filter{}
	for _, f := range t.Filters {
		i := slices.IndexFunc(d.Filters, func(known sdk.Filter) bool { return known.Name == f.Name })
		described[d.Filters[i].Attribute] = d.Filters[i]
		wanted[d.Filters[i].Attribute] = append(wanted[d.Filters[i].Attribute], f.Values...)
	}
	for attribute, f := range described {
		got := valuesOf(e, attribute)
		holds := len(got) == 0 && f.PassAbsent
		for _, g := range got {
			holds = holds || names(f, wanted[attribute], g)
		}
		if !holds {
			return false
		}
	}
	for _, f := range d.Filters {
		if _, asked := described[f.Attribute]; asked {
			continue
		}
		got := valuesOf(e, f.Attribute)
		if len(got) > 0 && !slices.ContainsFunc(got, func(g string) bool { return !names(f, f.OptIn, g) }) {
			return false
		}
	}
	return true
}

func valuesOf(e map[string][]string, attribute string) []string {
	return slices.DeleteFunc(slices.Clone(e[attribute]), func(v string) bool { return v == "" })
}

// names says that a value is in a list, compared as the filter does.
func names(f sdk.Filter, list []string, value string) bool {
	return slices.ContainsFunc(list, func(w string) bool {
		return value == w || !f.MatchCase && strings.EqualFold(value, w)
	})
}

// firsts keeps each agent's first trigger, in order.
func firsts(hits []Hit) []Hit {
	slices.SortFunc(hits, func(a, b Hit) int { return cmp.Compare(a.Trigger, b.Trigger) })
	var out []Hit
	for _, h := range hits {
		if !slices.ContainsFunc(out, func(o Hit) bool { return o.Agent == h.Agent }) {
			out = append(out, h)
		}
	}
	return out
}

func matchesAsExplained(t *rapid.T) {
	sources := map[string]sdk.Descriptor{"home": drawDescriptor(t), "work": drawDescriptor(t)}
	triggers := drawTriggers(t, sources)
	// Small leaves make a deep index of few triggers.
	m, problems := compile(triggers, sources, rapid.IntRange(0, leafSize).Draw(t, "leaf size"))
	if len(problems) > 0 {
		t.Fatalf("problems: %+v", problems)
	}
	for range 4 {
		e := drawEvent(t)
		proved := rapid.SliceOfN(rapid.SampledFrom([]string{"home", "work", "none"}), 0, 3).Draw(t, "proved")
		var ruled, explained []Hit
		for i, trigger := range triggers {
			if slices.Contains(proved, trigger.Source) && allows(sources[trigger.Source], trigger, e) {
				ruled = append(ruled, Hit{trigger.Agent, trigger.Source, i})
			}
		}
		for _, source := range proved {
			for _, x := range m.Explain(source, e) {
				if held := !slices.ContainsFunc(x.Checks, func(c Check) bool { return !c.Holds }); held != x.Matched {
					t.Fatalf("trigger %d: matched is %v, but the checks are %+v", x.Trigger, x.Matched, x.Checks)
				}
				if x.Matched {
					explained = append(explained, Hit{x.Agent, source, x.Trigger})
				}
			}
		}
		got := m.Match(proved, e)
		if want := firsts(ruled); !slices.Equal(got, want) {
			t.Fatalf("event %v from %v: Match says %+v, the rule says %+v", e, proved, got, want)
		}
		if want := firsts(explained); !slices.Equal(got, want) {
			t.Fatalf("event %v from %v: Match says %+v, Explain says %+v", e, proved, got, want)
		}
	}
}

func TestMatchAgreesWithTheRuleAndWithExplain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, matchesAsExplained)
}

func FuzzMatchAgreesWithTheRuleAndWithExplain(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte(strings.Repeat("\x01\x02\x03\x00\x00\x00\x00\x00", 64)))
	f.Add([]byte(strings.Repeat("\xff\x00\x07", 300)))
	f.Fuzz(rapid.MakeFuzz(matchesAsExplained))
}
