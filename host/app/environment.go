package app

import (
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/action-llama/gateway/host/config"
)

// granted is what a run gets of its agent's credentials: variables that tools
// look for, a file per field, and what has to be masked in its output.
type granted struct {
	env     map[string]string
	files   map[string]string // by their path below the run's folder of credentials
	secrets []string
	// clashes name variables that several credentials are for; the one that
	// the agent lists first has it.
	clashes []clash
}

type clash struct {
	variable     string
	ref, takenBy config.CredentialRef
}

// grant reads the credentials that an agent lists. dir is where their files
// will be, for those variables that name one.
func grant(credentials config.Credentials, refs []config.CredentialRef, dir string) (granted, error) {
	sets, err := credentials.ReadSet(refs)
	if err != nil {
		return granted{}, err
	}
	g := granted{env: map[string]string{}, files: map[string]string{}}
	by := map[string]config.CredentialRef{}
	for _, ref := range refs {
		ref.Pos = config.Pos{}
		fields := sets[ref]
		tool, _ := config.ToolOf(ref.Type)
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			value := fields[name]
			file := path.Join(ref.Type, ref.Instance, name)
			g.files[file] = fileText(value)
			field, known := tool.Find(name)
			if !known || field.Secret {
				g.secrets = append(g.secrets, value)
			}
			variables := []string{config.VariableName(ref.Type, name, len(fields))}
			if known {
				variables = field.Variables(value)
				value = valueOf(field, value, filepath.Join(dir, filepath.FromSlash(file)))
			}
			for _, variable := range variables {
				if first, taken := by[variable]; taken {
					if first != ref {
						g.clashes = append(g.clashes, clash{variable, ref, first})
					}
					continue
				}
				by[variable] = ref
				g.env[variable] = value
			}
		}
	}
	return g, nil
}

func valueOf(f config.ToolField, value, file string) string {
	if f.EnvValue == "" {
		return value
	}
	return strings.NewReplacer("{file}", quoted(file), "{path}", file).Replace(f.EnvValue)
}

// quoted makes one word of a shell of a path.
func quoted(file string) string { return "'" + strings.ReplaceAll(file, "'", `'\''`) + "'" }

// fileText is a value as its file has it: what has several lines, a key, ends
// in a newline, without which ssh does not take it. A word does not, so that
// whoever reads the file has the word.
func fileText(value string) string {
	if strings.Contains(value, "\n") && !strings.HasSuffix(value, "\n") {
		return value + "\n"
	}
	return value
}
