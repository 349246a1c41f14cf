package spelling_test

import (
	"strings"
	"testing"

	"github.com/action-llama/gateway/host/spelling"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	keys := []string{"scale", "schedule", "timezone", "workQueueSize", "labels", "branches", "source"}
	types := []string{"alpha", "beta", "gamma"}
	for _, tt := range []struct {
		typed string
		known []string
		want  string
	}{
		{"schedul", keys, "schedule"},
		{"shedule", keys, "schedule"},
		{"cshedule", keys, "schedule"},
		{"Scale", keys, "scale"},
		{"label", keys, "labels"},
		{"work_queue_size", keys, "workQueueSize"},
		{"workqueuesize", keys, "workQueueSize"},
		{"time-zone", keys, "timezone"},
		{"sorce", keys, "source"},
		{"colour", keys, ""},
		{"x", keys, ""},
		{"", keys, ""},
		{strings.Repeat("s", 1000), keys, ""},
		{"aplha", types, "alpha"},
		{"bet", types, "beta"},
		{"GAMMA", types, "gamma"},
		{"delta", types, "beta"},
		{"zzzzzz", types, ""},
		{"beta", types, ""},
		{"any", []string{""}, ""},
		{"any", nil, ""},
	} {
		if got := spelling.Nearest(tt.typed, tt.known); got != tt.want {
			t.Errorf("%.20q: got %q, want %q", tt.typed, got, tt.want)
		}
	}
}
