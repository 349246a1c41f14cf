package deliveries

import (
	"fmt"
	"math"
	"slices"

	"github.com/action-llama/gateway/host/match"
	"github.com/action-llama/gateway/host/spelling"
	"github.com/action-llama/gateway/sdk"
)

// settings reads those of a proposed source, by what its provider says of them.
func (s Source) settings(d sdk.Descriptor) (sdk.Settings, []Problem) {
	var problems []Problem
	say := func(severity match.Severity, at, format string, args ...any) {
		problems = append(problems, Problem{Severity: severity.String(), At: at, Message: fmt.Sprintf(format, args...)})
	}
	names := make([]string, len(d.Settings))
	for i, known := range d.Settings {
		names[i] = known.Name
	}
	written, places := map[string]any{}, map[string]string{}
	for _, in := range s.Settings {
		if slices.Contains(names, in.Name) {
			written[in.Name], places[in.Name] = fromJSON(in.Value), in.At
			continue
		}
		hint := spelling.DidYouMean(in.Name, names)
		if hint != "" {
			hint = "; " + hint
		}
		// It may be a key of the project that has slipped down here.
		say(match.Warning, in.At, "unknown key %q%s", "webhooks."+s.Name+"."+in.Name, hint)
	}
	settings, found := d.ReadSettings(written)
	for _, p := range found {
		at, path := places[p.Setting], "webhooks."+s.Name+"."+p.Setting
		if at == "" {
			at = s.At
		}
		if p.Item != "" {
			path += "." + p.Item
		}
		say(match.Error, at, "%s %s", path, p.Message)
	}
	return settings, problems
}

// fromJSON makes whole numbers of those that JSON has made fractions of.
func fromJSON(value any) any {
	switch v := value.(type) {
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = fromJSON(item)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = fromJSON(item)
		}
		return out
	}
	return value
}
