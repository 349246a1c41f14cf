package config

import (
	"slices"
	"strconv"

	"github.com/action-llama/gateway/host/spelling"
	"github.com/action-llama/gateway/sdk"
)

// SourceSetting is a key of a source that is not one of the host's. What it
// means, and whether it means anything, is in the descriptor of the provider.
type SourceSetting struct {
	Name     string
	Value    any // as sdk.Descriptor.ReadSettings takes it
	Pos      Pos
	ValuePos Pos
	Items    []SettingItem // of a list or a table
}

// SettingItem is where a part of a setting's value is.
type SettingItem struct {
	Name string // the key of a table, the index of a list
	Pos  Pos
}

func sourceSetting(e *entry) SourceSetting {
	s := SourceSetting{Name: e.key, Value: e.value.plain(), Pos: e.pos, ValuePos: e.value.pos}
	for i, item := range e.value.items {
		s.Items = append(s.Items, SettingItem{strconv.Itoa(i), item.pos})
	}
	for _, in := range e.value.entries {
		s.Items = append(s.Items, SettingItem{in.key, in.pos})
	}
	return s
}

// at is the place of a part of the value, or of the value.
func (s SourceSetting) at(item string) Pos {
	for _, known := range s.Items {
		if item != "" && known.Name == item {
			return known.Pos
		}
	}
	return s.ValuePos
}

// ReadSettings makes settings of a source's keys, by what its provider says of
// them.
func (s Source) ReadSettings(d sdk.Descriptor) (sdk.Settings, Problems) {
	var problems Problems
	written := map[string]any{}
	for _, in := range s.Settings {
		if slices.ContainsFunc(d.Settings, func(known sdk.Setting) bool { return known.Name == in.Name }) {
			written[in.Name] = in.Value
		} else {
			problems.add(s.unknown(in, d))
		}
	}
	settings, found := d.ReadSettings(written)
	for _, p := range found {
		problems.add(s.SettingProblem(p))
	}
	return settings, problems
}

// SettingProblem gives what is wrong with a setting its place.
func (s Source) SettingProblem(p sdk.SettingProblem) Problem {
	path := "webhooks." + s.Name
	if p.Setting == "" {
		return Errorf(s.Pos, "%s: %s", path, p.Message)
	}
	path += "." + p.Setting
	i := slices.IndexFunc(s.Settings, func(in SourceSetting) bool { return in.Name == p.Setting })
	if i < 0 { // it is missing
		return Errorf(s.Pos, "%s %s", path, p.Message)
	}
	at := s.Settings[i].at(p.Item)
	switch s.Settings[i].Value.(type) {
	case []any:
		if p.Item != "" {
			path += "[" + p.Item + "]"
		}
	default:
		if p.Item != "" {
			path += "." + p.Item
		}
	}
	return Errorf(at, "%s %s", path, p.Message)
}

// unknown reports a key that is neither the host's nor a setting.
func (s Source) unknown(in SourceSetting, d sdk.Descriptor) Problem {
	known := keysOf(projectFile, "webhooks.<name>")
	for _, setting := range d.Settings {
		known = append(known, setting.Name)
	}
	path := "webhooks." + s.Name + "."
	nearest := spelling.Nearest(in.Name, known)
	_, isForeign := foreignProjectKeys()[in.Name]
	if _, isTop := topKeysHere()[in.Name]; (isTop || isForeign) && nearest == "" {
		// The original's own documentation has such lines this far down,
		// so they must not keep a project from loading.
		return Warnf(in.Pos, "%s%s has no effect in a source", path, in.Name).
			WithFix("move the line above the first [section]")
	}
	p := Errorf(in.Pos, "unknown key %q", path+in.Name)
	if nearest != "" {
		return p.WithFix("did you mean %q?", path+nearest)
	}
	if d.Type != "" && len(d.Settings) > 0 {
		return p.WithFix("keys of a source of the type %s: %s", d.Type, list(known))
	}
	return p.WithFix("keys here: %s", list(known))
}
