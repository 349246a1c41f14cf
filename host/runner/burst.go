package runner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// eventJSON is what the agent is told of its event. Of a burst it is the newest
// event, so that who looks at one event only sees the one that counts, with the
// others in "earlier", the oldest first.
func eventJSON(spec Spec) ([]byte, error) {
	if len(spec.Merged) == 0 {
		return spec.Context, nil
	}
	last := len(spec.Merged) - 1
	earlier := []json.RawMessage{spec.Context}
	for _, e := range spec.Merged[:last] {
		earlier = append(earlier, e.Context)
	}
	list, err := json.Marshal(earlier)
	if err != nil {
		return nil, fmt.Errorf("earlier events: %w", err)
	}
	newest, ok := bytes.CutSuffix(bytes.TrimSpace(spec.Merged[last].Context), []byte("}"))
	if !ok || len(newest) == 0 || newest[0] != '{' {
		return nil, errors.New("the newest event is no JSON object")
	}
	out := make([]byte, 0, len(newest)+len(list)+len(`,"earlier":}`))
	out = append(out, newest...)
	if len(bytes.TrimSpace(newest)) > 1 {
		out = append(out, ',')
	}
	out = append(out, `"earlier":`...)
	out = append(out, list...)
	return append(out, '}'), nil
}

// burstSentence comes before the sentence about the event.
func burstSentence(spec Spec) string {
	if len(spec.Merged) == 0 {
		return ""
	}
	return fmt.Sprintf("%d events came in a burst, and this run is for all of them: the block above is the newest, "+
		"and its \"earlier\" has those before it, the oldest first. ", len(spec.Merged)+1)
}

// sensitiveOf returns the texts of all events of a run that are to be masked.
func sensitiveOf(spec Spec) []string {
	out := sensitiveValues(spec.Context, spec.Sensitive)
	for _, e := range spec.Merged {
		out = append(out, sensitiveValues(e.Context, e.Sensitive)...)
	}
	return out
}

// hiddenOf returns all texts that nobody but the harness may see.
func hiddenOf(spec Spec) []string { return append(sensitiveOf(spec), spec.Secrets...) }
