package providerdocs

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/action-llama/gateway/sdk"
)

func settings(b *strings.Builder, d sdk.Descriptor) {
	if len(d.Settings) == 0 {
		return
	}
	b.WriteString("### Settings of a source\n\n")
	b.WriteString("Keys of `[webhooks.<name>]`, beside `type` and `credential`.\n\n")
	b.WriteString(row("Setting", "Takes", "Default", "") + "\n" + row("---", "---", "---", "---") + "\n")
	for _, s := range d.Settings {
		standard := ""
		switch {
		case s.Required:
			standard = "has to be written"
		case s.Default != nil:
			standard = code(literal(s.Default))
		}
		about := text(s.Help)
		if len(s.Values) > 0 {
			about = strings.TrimSpace(about + " It is one of " + codes(s.Values) + ".")
		}
		if s.Filters != nil {
			about = strings.TrimSpace(about + " Each key is a filter of triggers on the source.")
		}
		b.WriteString(row(code(s.Name), takesSetting(s.Kind), standard, about) + "\n")
	}
	b.WriteString("\n")
}

func takesSetting(k sdk.SettingKind) string {
	switch k {
	case sdk.BoolSetting:
		return "true or false"
	case sdk.IntegerSetting:
		return "a number"
	case sdk.DurationSetting:
		return "seconds, or a text like \"1m30s\""
	case sdk.ListSetting:
		return "a text or a list"
	case sdk.TableSetting:
		return "a table of texts"
	default:
		return "a text"
	}
}

// literal is a value as TOML has it.
func literal(value any) string {
	switch v := value.(type) {
	case string:
		return quote(v)
	case time.Duration:
		return quote(short(v))
	case []string:
		quoted := make([]string, len(v))
		for i, s := range v {
			quoted[i] = quote(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case map[string]string:
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, key+" = "+quote(v[key]))
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	case bool:
		return strconv.FormatBool(v)
	default:
		return fmt.Sprint(v)
	}
}

// short leaves out units that are zero: 5m rather than 5m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
