package config

import (
	"reflect"
	"slices"
	"strings"
)

// Change is a difference between two configurations of a project.
type Change struct {
	Subject string // ChangedSetting, ChangedSource or ChangedAgent
	Name    string // "scale", or what the source or agent is called
	How     How
}

// What a change is about.
const (
	ChangedSetting = "setting"
	ChangedSource  = "source"
	ChangedAgent   = "agent"
)

// How something changed.
type How string

const (
	Added   How = "added"
	Changed How = "changed"
	Removed How = "removed"
)

// Changes lists what is different in a later configuration: first settings, then
// sources, then agents. That something stands on another line is no difference.
func Changes(before, after *Project) []Change {
	var out []Change
	for _, key := range changedSettings(before, after) {
		out = append(out, Change{ChangedSetting, key, Changed})
	}
	out = append(out, changed(ChangedSource, before.Sources, after.Sources, func(s Source) string { return s.Name })...)
	return append(out, changed(ChangedAgent, before.Agents, after.Agents, func(a Agent) string { return a.Name })...)
}

func changedSettings(before, after *Project) []string {
	var out []string
	for _, s := range projectSettings() {
		if !same(reflect.ValueOf(s.get(before)), reflect.ValueOf(s.get(after))) {
			out = append(out, s.key)
		}
	}
	if !slices.Equal(before.Runner.Command, after.Runner.Command) {
		out = append(out, "runner.command")
	}
	if !slices.Equal(before.Labels, after.Labels) {
		out = append(out, "runner.labels")
	}
	if !reflect.DeepEqual(before.Plugins.Env, after.Plugins.Env) {
		out = append(out, "plugins.env")
	}
	return out
}

// needRestart are the keys whose values a gateway takes when it starts, for good.
func needRestart() []string {
	return []string{
		"gateway.host", "gateway.port", "gateway.maxBodyBytes", "gateway.maxInflightBytes", "gateway.readTimeout",
		"gateway.otlpEndpoint",
		"store.url", "store.urlFile", "store.lease", "maxAttempts",
		"plugins.dir", "plugins.startTimeout", "plugins.callTimeout", "plugins.maxMemoryBytes", "plugins.env",
	}
}

// NeedRestart lists the keys with other values than those that a gateway was
// started with, and that it can not take up before it is started again.
func NeedRestart(started, now *Project) []string {
	var out []string
	for _, key := range changedSettings(started, now) {
		if slices.Contains(needRestart(), key) {
			out = append(out, key)
		}
	}
	return out
}

func changed[T any](subject string, before, after []T, name func(T) string) []Change {
	old := make(map[string]T, len(before))
	for _, b := range before {
		old[name(b)] = b
	}
	var out []Change
	for _, a := range after {
		b, ok := old[name(a)]
		delete(old, name(a))
		switch {
		case !ok:
			out = append(out, Change{subject, name(a), Added})
		case !same(reflect.ValueOf(b), reflect.ValueOf(a)):
			out = append(out, Change{subject, name(a), Changed})
		}
	}
	for gone := range old {
		out = append(out, Change{subject, gone, Removed})
	}
	slices.SortFunc(out, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// same compares values of one type, but for the places they were read from.
func same(a, b reflect.Value) bool {
	if a.Type() == reflect.TypeFor[Pos]() {
		return true
	}
	if s, ok := reflect.TypeAssert[Secret](a); ok {
		other, _ := reflect.TypeAssert[Secret](b)
		return s.Equal(other)
	}
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			if !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	default: // maps hold no places
		return reflect.DeepEqual(a.Interface(), b.Interface())
	}
}
