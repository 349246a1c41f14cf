package sensitive_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/action-llama/gateway/host/sensitive"
)

func object() map[string]any {
	return map[string]any{
		"interaction": map[string]any{"id": "7001", "token": "aW50ZXJ", "nested": map[string]any{"a": "one", "b": json.Number("22")}},
		"a.b":         "dotted",
		"a":           map[string]any{"b": "parted"},
		"list":        []any{"first", map[string]any{"k": "second"}},
	}
}

func TestValuesAreFoundByTheirPaths(t *testing.T) {
	t.Parallel()
	for path, want := range map[string][]string{
		"interaction.token":  {"aW50ZXJ"},
		"interaction.nested": {"22", "one"},
		"a.b":                {"dotted", "parted"}, // whichever was meant
		"list":               {"first", "second"},
		"list.0":             nil,
		"interaction.none":   nil,
		"":                   nil,
	} {
		got := sensitive.Values(object(), []string{path})
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestHidingChangesOnlyACopy(t *testing.T) {
	t.Parallel()
	o := object()
	got := sensitive.Hidden(o, []string{"interaction.token", "a.b", "list", "interaction.nested", "absent.path"})
	want := map[string]any{
		"interaction": map[string]any{"id": "7001", "token": "***", "nested": "***"},
		"a.b":         "***",
		"a":           map[string]any{"b": "***"},
		"list":        "***",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hidden (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(object(), o); diff != "" {
		t.Errorf("the object itself (-want +got):\n%s", diff)
	}
}
