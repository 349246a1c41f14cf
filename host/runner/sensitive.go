package runner

import (
	"bytes"
	"encoding/json"

	"github.com/action-llama/gateway/host/sensitive"
)

// sensitiveValues returns the texts in a context that a provider marked
// sensitive: paths are dotted and start at the top of the context.
func sensitiveValues(context []byte, paths []string) []string {
	if len(paths) == 0 {
		return nil
	}
	var c map[string]any
	d := json.NewDecoder(bytes.NewReader(context))
	d.UseNumber()
	if err := d.Decode(&c); err != nil {
		return nil // not a context; prompt says so
	}
	return sensitive.Values(c, paths)
}
