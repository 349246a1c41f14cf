package config

import (
	"bytes"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"

	"github.com/action-llama/gateway/sdk"
)

// Tool is a type of credential that the tools of agents commonly use. What a
// source needs is its provider's to say; what git, ssh and the programs of
// vendors look for in a run is in a table (tools.toml), so that an agent that
// lists the type finds everything where it expects it. A type that is not in it
// works all the same: see [VariableName].
type Tool struct {
	Type   string
	Name   string // for people
	Fields []ToolField
}

// ToolField is a field, and what a run sees of it in its environment.
type ToolField struct {
	sdk.Field
	// Env are the variables that get the value.
	Env []string
	// EnvByPrefix are those that get it instead when it begins like this:
	// some keys are told apart only by that.
	EnvByPrefix map[string][]string
	// EnvValue is what the variables get instead of the value. "{file}" stands
	// for the field's file, quoted for a shell, and "{path}" for it as it is.
	EnvValue string
	// Lines says that the value has several, so that nobody types it.
	Lines bool
}

// Variables returns the environment variables that a value is for.
func (f ToolField) Variables(value string) []string {
	for prefix, names := range f.EnvByPrefix {
		if strings.HasPrefix(value, prefix) {
			return names
		}
	}
	return f.Env
}

// AllVariables returns every variable that a value may be for.
func (f ToolField) AllVariables() []string {
	names := append([]string{}, f.Env...)
	for _, prefix := range slices.Sorted(maps.Keys(f.EnvByPrefix)) {
		names = append(names, f.EnvByPrefix[prefix]...)
	}
	return names
}

// Find returns the field with a name, or with an older one.
func (t Tool) Find(name string) (ToolField, bool) {
	for _, f := range t.Fields {
		if f.Name == name || slices.Contains(f.Aliases, name) {
			return f, true
		}
	}
	return ToolField{}, false
}

// ToolOf returns what is known of a type that agents use.
func ToolOf(typ string) (Tool, bool) {
	for _, t := range Tools() {
		if t.Type == typ {
			return t, true
		}
	}
	return Tool{}, false
}

// VariableName is the variable of a field of a type that is in no table: the
// type, and where it has several fields, the field after it. acme_token is
// ACME_TOKEN, which is how the tools of most vendors name what they look for.
func VariableName(typ, field string, fields int) string {
	name := typ
	if fields > 1 {
		name += "_" + field
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		default:
			return '_'
		}
	}, name)
}

// anyWord is what a secret is unless the table says otherwise: one that was
// copied with a blank or a line too many is not.
const anyWord = `\S+`

//go:embed tools.toml
var toolsTable []byte

// readTools reads the table once: every run asks for it.
var readTools = sync.OnceValues(func() ([]Tool, error) { return parseTools(toolsTable) })

// Tools lists the types that agents commonly use, in the order of the table.
// That it can be read is what a test is for.
func Tools() []Tool {
	tools, err := readTools()
	if err != nil {
		return nil
	}
	return tools
}

func parseTools(table []byte) ([]Tool, error) {
	var file struct {
		Tool []struct {
			Type, Name string
			Field      []struct {
				Name, Label, Help      string
				Aliases                []string
				Plain, Optional, Lines bool
				Pattern                *string
				Env                    []string
				EnvByPrefix            map[string][]string
				EnvValue               string
			}
		}
	}
	if err := toml.NewDecoder(bytes.NewReader(table)).DisallowUnknownFields().Decode(&file); err != nil {
		return nil, fmt.Errorf("read the table of tools: %w", err)
	}
	tools := make([]Tool, 0, len(file.Tool))
	for _, t := range file.Tool {
		tool := Tool{Type: t.Type, Name: t.Name}
		for _, f := range t.Field {
			field := ToolField{
				Field: sdk.Field{
					Name: f.Name, Label: f.Label, Help: f.Help, Aliases: f.Aliases,
					Secret: !f.Plain, Optional: f.Optional,
				},
				Env: f.Env, EnvByPrefix: f.EnvByPrefix, EnvValue: f.EnvValue, Lines: f.Lines,
			}
			switch {
			case f.Pattern != nil:
				field.Pattern = *f.Pattern
			case field.Secret:
				field.Pattern = anyWord
			}
			tool.Fields = append(tool.Fields, field)
		}
		tools = append(tools, tool)
	}
	return tools, nil
}
