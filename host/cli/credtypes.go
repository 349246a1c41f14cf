package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/spelling"
	"github.com/action-llama/gateway/sdk"
)

// credentialType is a type of credential, and who knows it.
type credentialType struct {
	Type     string
	Name     string // for people
	Provider string // type of the provider whose deliveries it proves; empty for none
	Agents   bool   // the tools of agents use it
	Fields   []config.ToolField
}

// catalog is every type that is known here: those of the providers that a
// project or the person has, and those that agents commonly use.
type catalog struct {
	types       []credentialType
	descriptors []sdk.Descriptor
	failed      error // providers that did not start, and so were not asked
}

// readCatalog asks the providers that a call from this folder would use. The
// project may be nil.
func readCatalog(ctx context.Context, s Streams, p *config.Project) (catalog, error) {
	var c catalog
	folders, err := app.FoldersOf(p)
	if err != nil {
		return c, err
	}
	busy := startProgress(s, "asking the providers")
	defer busy.stop()
	// One that does not start is not a reason to store nothing.
	c.descriptors, c.failed = app.DescribeIn(ctx, folders, app.TypesIn(folders.Dirs), hclog.NewNullLogger())
	for _, d := range c.descriptors {
		if d.Credential.Type == "" || c.has(d.Credential.Type) {
			continue
		}
		c.types = append(c.types, typeOf(d))
	}
	for _, tool := range config.Tools() {
		if !c.has(tool.Type) {
			c.types = append(c.types, credentialType{Type: tool.Type, Name: tool.Name, Agents: true, Fields: tool.Fields})
		}
	}
	return c, nil
}

// typeOf is the type of credential that a provider needs.
func typeOf(d sdk.Descriptor) credentialType {
	t := credentialType{Type: d.Credential.Type, Name: d.Name, Provider: d.Type}
	tool, known := config.ToolOf(t.Type)
	t.Agents = known
	for _, f := range d.Credential.Fields {
		field := config.ToolField{Field: f}
		if of, ok := tool.Find(f.Name); ok {
			field.Env, field.EnvByPrefix, field.EnvValue, field.Lines = of.Env, of.EnvByPrefix, of.EnvValue, of.Lines
		}
		t.Fields = append(t.Fields, field)
	}
	return t
}

func (c catalog) find(typ string) (credentialType, bool) {
	i := slices.IndexFunc(c.types, func(t credentialType) bool { return t.Type == typ })
	if i < 0 {
		return credentialType{Type: typ}, false
	}
	return c.types[i], true
}

func (c catalog) has(typ string) bool {
	_, ok := c.find(typ)
	return ok
}

func (c catalog) names() []string {
	names := make([]string, len(c.types))
	for i, t := range c.types {
		names[i] = t.Type
	}
	return names
}

// unknown says what to do about a type that nobody knows.
func (c catalog) unknown(typ string) string {
	text := "no installed provider and no tool of agents that al knows has the type " + typ
	if near := spelling.Nearest(typ, c.names()); near != "" {
		text += "; did you mean " + near + "?"
	}
	if c.failed != nil {
		text += "; a provider that did not start may: " + strings.ReplaceAll(c.failed.Error(), "\n", "; ")
	}
	return text
}

func (t credentialType) field(name string) (config.ToolField, bool) {
	return config.Tool{Fields: t.Fields}.Find(name)
}

func (t credentialType) fieldNames() string {
	names := make([]string, len(t.Fields))
	for i, f := range t.Fields {
		names[i] = f.Name
		if f.Optional {
			names[i] += " (optional)"
		}
	}
	return strings.Join(names, ", ")
}

// projectHere loads the project of -p for commands that also work without one.
// A project with faults is as good as what made sense of it.
func projectHere(dir string, named bool) (*config.Project, config.Problems) {
	p, problems := config.Load(dir, config.Options{})
	if !isProject(dir) {
		if !named {
			problems = nil
		}
		return nil, problems
	}
	return p, nil
}
