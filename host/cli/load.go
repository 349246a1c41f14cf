package cli

import (
	"encoding/json"
	"fmt"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
)

// load reads a project and shows what keeps it from being used, if anything
// does; warnings are for those commands that run it.
func load(s Streams, dir string, overrides map[string]string) (*config.Project, config.Credentials, config.Problems, error) {
	credentials, err := config.DefaultCredentials()
	if err != nil {
		return nil, credentials, nil, err
	}
	p, problems := config.Load(dir, config.Options{CheckSchedule: app.CheckSchedule, Overrides: overrides})
	if problems.Err() != nil {
		showProblems(s, problems)
		return nil, credentials, nil, errShown
	}
	return p, credentials, problems, nil
}

// showProblems prints problems for a person, on stderr.
func showProblems(s Streams, problems config.Problems) {
	for _, p := range problems {
		var colour string
		switch p.Severity {
		case config.Fault:
			colour = red
		case config.Warning:
			colour = yellow
		case config.Note:
			colour = dim
		}
		fmt.Fprintf(s.Err, "%s %s\n", s.errPaint(colour, p.Severity.String()+":"), p.Error())
	}
}

func writeJSON(s Streams, v any) error {
	enc := json.NewEncoder(s.Out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// logger writes to stderr: stdout is for data. All that are made of it have its
// level, also when that changes.
func logger(s Streams, level string, asJSON bool) hclog.Logger {
	colour := hclog.ColorOff
	if s.ErrTerminal && !s.NoColor {
		colour = hclog.ForceColor
	}
	return hclog.New(&hclog.LoggerOptions{
		Name: "al", Level: hclog.LevelFromString(level), Output: s.Err, JSONFormat: asJSON, Color: colour,
		ColorHeaderOnly: true, TimeFormat: "15:04:05.000",
	})
}
