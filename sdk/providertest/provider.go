package providertest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

// describeTimes is how often the descriptor is asked for to be compared. An
// order that comes from a map differs sooner.
const describeTimes = 12

// CheckProvider looks at what is not about one case: the descriptor, and that
// cases can be delivered at the same time.
func (s *Suite) CheckProvider(ctx context.Context, t *Target) []Finding {
	k := s.checker(ctx, t, nil)
	k.descriptor()
	if !k.stopped() {
		k.together()
	}
	if !k.stopped() {
		k.samples()
	}
	return k.found()
}

func (k *checker) descriptor() {
	if err := k.desc.Validate(); err != nil {
		for line := range strings.Lines(err.Error()) {
			k.reportLike(line, checkDescriptor, "%s", strings.TrimSpace(line))
		}
	}
	times := describeTimes
	if k.target.log != nil {
		times = 1 // each is a process; the rest is asked in process
	}
	for range times {
		again, err := guard(k, "Describe", describeLimit, k.target.describe)
		if err != nil || k.stopped() {
			return
		}
		if part := differingPart(k.desc, again); part != "" {
			k.report(checkDescriptor, "Describe does not return the same each time (%s); it must be constant, so sort what comes from a map", part)
			return
		}
	}
}

// differingPart names the field in which two descriptors differ.
func differingPart(a, b sdk.Descriptor) string {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range va.NumField() {
		fa, fb := va.Field(i), vb.Field(i)
		if settings, ok := fa.Interface().([]sdk.Setting); ok {
			if other, _ := fb.Interface().([]sdk.Setting); settingsText(settings) != settingsText(other) {
				return va.Type().Field(i).Name
			}
			continue
		}
		if written(fa) != written(fb) {
			return va.Type().Field(i).Name
		}
	}
	return ""
}

// written does not tell an empty list from none, as the wire does not.
func written(v reflect.Value) string {
	return strings.NewReplacer("[]string{}", "[]string(nil)", "{}", "(nil)").Replace(fmt.Sprintf("%#v", v))
}

// CheckCases looks at the cases alone: whether filters do as the cases say, and
// whether every filter and event of a provider shows in them.
func (s *Suite) CheckCases(d sdk.Descriptor) []Finding {
	k := &checker{suite: s, target: new(Target), desc: d, more: map[string]int{}}
	var events []wantEvent
	for _, c := range s.Cases {
		if c.want == nil {
			continue
		}
		events = append(events, c.want.Events...)
		if err := c.settle(d); err != nil {
			k.report(checkCase, "case %s: %v", c.Name, err)
			continue
		}
		k.c, k.desc = c, c.with(d)
		if fault := c.lost(c.want); fault != "" {
			k.report(checkCase, "%s", fault)
		}
		for _, line := range c.filters {
			k.filterLine(line)
		}
	}
	k.c, k.desc = nil, d
	for _, name := range s.Events {
		if !slices.ContainsFunc(events, func(e wantEvent) bool { return e.Name == name }) {
			k.reportLike(checkEvents+name, checkEvents, "no case has the event %q; add one, as the vendor documents it", name)
		}
	}
	for _, f := range d.Filters {
		k.filter(f, events)
		k.optIn(f)
		k.known(f)
	}
	var example []setting
	for name, values := range d.Example {
		example = append(example, setting{name, values})
	}
	if len(example) > 0 && !slices.ContainsFunc(events, func(e wantEvent) bool { return starts(d, example, e) }) {
		k.report(checkDescriptor, "no case has an event that the example lets pass; a new project starts with it, so add the case or correct Descriptor.Example")
	}
	return k.found()
}

func (k *checker) filterLine(line filterLine) {
	kind := checkFilters + k.c.Name
	for _, s := range line.filters {
		i := slices.IndexFunc(k.desc.Filters, func(f sdk.Filter) bool { return f.Name == s.name })
		if i < 0 {
			k.reportLike(kind, checkFilters, "the descriptor has no filter %q", s.name)
			return
		}
		if k.desc.Filters[i].Kind == sdk.String && len(s.values) != 1 {
			k.reportLike(kind, checkFilters, "filter %q takes one string", s.name)
			return
		}
	}
	pass := slices.ContainsFunc(k.c.want.Events, func(e wantEvent) bool { return starts(k.desc, line.filters, e) })
	if pass == line.pass {
		return
	}
	has := make([]map[string][]string, len(k.c.want.Events))
	for i, e := range k.c.want.Events {
		has[i] = e.Attributes
	}
	verb := "holds it back"
	if pass {
		verb = "lets it pass"
	}
	k.reportLike(kind, checkFilters, "a trigger with %s %s; the attributes are %q", line, verb, has)
}

// filter asks for three kinds of deliveries, by what the cases say of triggers
// with the filter: one that it lets pass, one that it holds back, and one whose
// event has nothing for it to look at.
func (k *checker) filter(f sdk.Filter, events []wantEvent) {
	var passed, held, lacked bool
	for _, c := range k.suite.Cases {
		for _, line := range c.filters {
			i := slices.IndexFunc(line.filters, func(s setting) bool { return s.name == f.Name })
			if i < 0 || c.want == nil {
				continue
			}
			for _, e := range c.want.Events {
				switch has := e.Attributes[f.Attribute]; {
				case len(has) == 0:
					lacked = true
				case passes(f, line.filters[i].values, has):
					passed = passed || starts(c.with(k.desc), line.filters, e)
				default:
					held = true
				}
			}
		}
	}
	report := func(format string, args ...any) {
		k.reportLike(checkFilters+f.Name, checkFilters, "filter %q looks at attribute %q: "+format, append([]any{f.Name, f.Attribute}, args...)...)
	}
	if !slices.ContainsFunc(events, func(e wantEvent) bool { return len(e.Attributes[f.Attribute]) > 0 }) {
		report("no event of any case has it; add a case, or correct the name")
		return
	}
	if !passed {
		report("no case has a line \"pass %s = ...\" for an event that it lets pass", f.Name)
	}
	if !held {
		report("no case has a line \"hold %s = ...\" for an event that it holds back, with another value", f.Name)
	}
	always := !slices.ContainsFunc(events, func(e wantEvent) bool { return len(e.Attributes[f.Attribute]) == 0 })
	_, reason := k.suite.AlwaysPresent[f.Attribute]
	switch {
	case reason && !always:
		report("an event of a case lacks it, so Options.AlwaysPresent is wrong")
	case lacked || reason || always && isName(f, events):
	case always:
		report("every event has it; add a case without, or say why there is none in Options.AlwaysPresent")
	default:
		report("no case says what becomes of an event without it; add a line \"%s %s = ...\" to one", map[bool]string{true: "pass", false: "hold"}[f.PassAbsent], f.Name)
	}
}

// isName says that an attribute is the event's name, which every event has.
func isName(f sdk.Filter, events []wantEvent) bool {
	return !slices.ContainsFunc(events, func(e wantEvent) bool { return !slices.Equal(e.Attributes[f.Attribute], []string{e.Name}) })
}

// optIn asks for each value that a trigger has to name: for an event that has
// it, a trigger that names it and gets it, and one that says nothing and does
// not.
func (k *checker) optIn(f sdk.Filter) {
	for _, value := range f.OptIn {
		var asked, held bool
		for _, c := range k.suite.Cases {
			if c.want == nil || !slices.ContainsFunc(c.want.Events, func(e wantEvent) bool { return names(f, e.Attributes[f.Attribute], value) }) {
				continue
			}
			for _, line := range c.filters {
				wanted := k.wanted(line, f.Attribute)
				asked = asked || line.pass && names(f, wanted, value)
				held = held || !line.pass && wanted == nil
			}
		}
		if !asked || !held {
			k.reportLike(checkFilters+f.Name+value, checkFilters,
				"filter %q has the opt-in value %q; let a case show an event with it, by a line \"pass %s = ...\" that names it and a line \"hold\" that looks at something else or nothing", f.Name, value, f.Name)
		}
	}
}

// wanted are the values that a trigger wants of an attribute.
func (k *checker) wanted(line filterLine, attribute string) []string {
	var values []string
	for _, s := range line.filters {
		if slices.ContainsFunc(k.desc.Filters, func(f sdk.Filter) bool { return f.Name == s.name && f.Attribute == attribute }) {
			values = append(values, s.values...)
		}
	}
	return values
}

// known compares the values in cases with those that a filter says it knows:
// people are warned about others. What is not in the descriptor on purpose, such
// as an event that the vendor has not invented yet, is in a case that says so.
func (k *checker) known(f sdk.Filter) {
	if len(f.Values) == 0 {
		return
	}
	known := map[string]bool{}
	for _, value := range f.Values {
		if known[value] {
			k.reportLike(checkDescriptor+f.Name, checkDescriptor, "filter %q knows the value %q twice", f.Name, value)
		}
		known[value] = true
	}
	for _, c := range k.suite.Cases {
		if c.want == nil || c.unknown {
			continue
		}
		for _, e := range c.want.Events {
			for _, value := range e.Attributes[f.Attribute] {
				if !known[value] && !names(f, f.Values, value) {
					k.c = c
					k.report(checkFilters, "attribute %q is %q, which filter %q does not know; add it to Filter.Values, or \"unknown: true\" to the options of the case", f.Attribute, value, f.Name)
					k.c = nil
				}
			}
		}
	}
}
