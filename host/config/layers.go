package config

import (
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/viper"

	"github.com/action-llama/gateway/host/spelling"
)

// commandLine stands for a position where there is none.
const commandLine = "command line"

// override is a text from the command line, to be told from one of the
// environment.
type override string

// settings fills in the project's settings: the default, then the file, then
// the environment, then the command line. Viper decides which of them counts;
// it is given nothing whose letter case or dots matter, since it keeps neither.
func (l *loader) settings(root *value) {
	v := viper.New()
	file := map[string]any{}
	all := projectSettings()
	byKey := map[string]setting[Project]{}
	for _, s := range all {
		byKey[s.key] = s
		v.SetDefault(s.key, s.standard)
		if err := v.BindEnv(s.key, s.env()); err != nil {
			l.fault(Pos{File: s.env()}, "%v", err)
		}
		e := settingEntry(root, s.key)
		if e == nil {
			continue
		}
		parsed, wrong := s.read(e.value)
		if !wrong.none() {
			l.problems.add(Errorf(e.value.pos, "%s %s", s.key, wrong.what).WithFix("%s", wrong.fix))
			continue
		}
		// Viper sees keys of one level only, so a dotted one is spelled out.
		section, key, dotted := strings.Cut(s.key, ".")
		if !dotted {
			file[section] = parsed
			continue
		}
		if file[section] == nil {
			file[section] = map[string]any{}
		}
		if m, ok := file[section].(map[string]any); ok {
			m[key] = parsed
		}
	}
	if err := v.MergeConfigMap(file); err != nil {
		l.fault(Pos{File: projectFile, Line: 1, Column: 1}, "%v", err)
	}
	for _, key := range slices.Sorted(maps.Keys(l.opts.Overrides)) {
		if _, ok := byKey[key]; !ok {
			l.fault(Pos{File: commandLine}, "unknown setting %q", key)
			continue
		}
		v.Set(key, override(l.opts.Overrides[key]))
	}

	for _, s := range all {
		var wrong complaint
		pos := Pos{}
		parsed := v.Get(s.key)
		switch from := parsed.(type) {
		case override:
			pos.File = commandLine
			parsed, wrong = s.parse(string(from))
		case string:
			// A string may be a file's or the default, too; those were checked.
			if os.Getenv(s.env()) != "" {
				pos.File = s.env()
				parsed, wrong = s.parse(from)
			}
		}
		if !wrong.none() {
			l.problems.add(Errorf(pos, "%s %s", s.key, wrong.what).WithFix("%s", wrong.fix))
			parsed = s.standard
		}
		s.put(l.project, parsed)
	}
	l.misspelledEnv(all)
}

// misspelledEnv warns of variables that were probably meant to be one of ours:
// nothing else would ever tell.
func (l *loader) misspelledEnv(all []setting[Project]) {
	known := []string{labelsEnv}
	for _, s := range all {
		known = append(known, s.env())
	}
	for _, line := range os.Environ() {
		name, _, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, envPrefix) || contains(known, name) {
			continue
		}
		// One slip only: AL_ names of other tools must not be called misspelled.
		if s := spelling.Nearest(name, known); s != "" {
			l.problems.add(Warnf(Pos{File: name}, "this environment variable has no effect").WithFix("did you mean %s?", s))
		}
	}
}

// origin is where a setting's value came from.
func (l *loader) origin(root *value, key string) Pos {
	if _, ok := l.opts.Overrides[key]; ok {
		return Pos{File: commandLine}
	}
	if name := envName(key); os.Getenv(name) != "" {
		return Pos{File: name}
	}
	if e := settingEntry(root, key); e != nil {
		return e.value.pos
	}
	return Pos{File: projectFile, Line: 1, Column: 1}
}

// settingEntry finds "gateway.port" in a file.
func settingEntry(root *value, key string) *entry {
	section, key, dotted := strings.Cut(key, ".")
	e := root.get(section)
	if e == nil || !dotted {
		return e
	}
	return e.value.get(key)
}
