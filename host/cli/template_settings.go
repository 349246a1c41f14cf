package cli

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// settingsOf are the lines of a new source about the settings of its provider:
// what has to be written is left open, everything else stands there as it is
// without being written.
func settingsOf(d sdk.Descriptor) string {
	var b strings.Builder
	for _, s := range d.Settings {
		b.WriteString("\n" + comment(s.Help))
		mark, value := "# ", literal(s.Default)
		switch {
		case s.Required:
			mark, value = "", emptyOf(s.Kind)
		case s.Default == nil:
			value = emptyOf(s.Kind)
		}
		if len(s.Values) > 0 {
			b.WriteString(comment("One of " + strings.Join(s.Values, ", ") + "."))
		}
		fmt.Fprintf(&b, "%s%s = %s\n", mark, s.Name, value)
	}
	return b.String()
}

// comment breaks a text into lines behind "# ".
func comment(text string) string {
	const width = 78
	var b strings.Builder
	length := 0
	for _, word := range strings.Fields(text) {
		switch {
		case length == 0:
			b.WriteString("#")
			length = 1
		case length+1+len(word) > width:
			b.WriteString("\n#")
			length = 1
		}
		b.WriteString(" " + word)
		length += 1 + len(word)
	}
	if length > 0 {
		b.WriteString("\n")
	}
	return b.String()
}

func emptyOf(k sdk.SettingKind) string {
	switch k {
	case sdk.BoolSetting:
		return "false"
	case sdk.IntegerSetting, sdk.DurationSetting:
		return "0"
	case sdk.ListSetting:
		return "[]"
	case sdk.TableSetting:
		return "{}"
	default:
		return `""`
	}
}

// literal is a value as TOML has it.
func literal(value any) string {
	switch v := value.(type) {
	case string:
		return strconv.Quote(v)
	case time.Duration:
		return strconv.Quote(v.String())
	case []string:
		quoted := make([]string, len(v))
		for i, s := range v {
			quoted[i] = strconv.Quote(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case map[string]string:
		parts := make([]string, 0, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, key+" = "+strconv.Quote(v[key]))
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	default:
		return fmt.Sprint(v)
	}
}
