package api

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"github.com/action-llama/gateway/host/deliveries"
)

func description(t *testing.T) *v3.Document {
	t.Helper()
	doc, err := libopenapi.NewDocument(Description)
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(doc)
	for _, err := range errs {
		t.Fatal(err)
	}
	if ok, found := v.ValidateDocument(); !ok {
		for _, f := range found {
			t.Errorf("openapi.yaml:%d: %s: %s", f.SpecLine, f.Message, f.Reason)
		}
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	return &model.Model
}

// Every route is described, and every described route exists.
func TestDescriptionHasTheRoutes(t *testing.T) {
	t.Parallel()
	var described, served []string
	for path, item := range description(t).Paths.PathItems.FromOldest() {
		for method := range item.GetOperations().FromOldest() {
			described = append(described, strings.ToUpper(method)+" "+path)
		}
	}
	for _, r := range routes(nil) {
		served = append(served, r.pattern)
	}
	for _, r := range openRoutes(Options{Metrics: http.NotFoundHandler()}) {
		served = append(served, r.pattern)
	}
	slices.Sort(described)
	slices.Sort(served)
	if diff := cmp.Diff(served, described); diff != "" {
		t.Errorf("openapi.yaml (+) and the server (-) differ:\n%s", diff)
	}
}

// What is described of each type is what its JSON has: names, and which of them
// are always there.
func TestDescriptionHasTheTypes(t *testing.T) {
	t.Parallel()
	types := map[string]any{
		"OK": struct {
			OK bool `json:"ok"`
		}{},
		"Failure": failure{},

		"Status": Status{}, "AgentStatus": AgentStatus{}, "ProviderStatus": ProviderStatus{}, "PreviousStatus": PreviousStatus{},
		"Stats": Stats{}, "AgentStats": AgentStats{}, "Percentiles": Percentiles{},
		"RunList": runList{}, "RunStatus": RunStatus{}, "JobStatus": JobStatus{}, "Prompt": Prompt{},
		"Reloaded": Reloaded{}, "ProviderReloaded": ProviderReloaded{}, "Change": Change{}, "Problem": Problem{}, "ConfigStatus": ConfigStatus{},
		"Killed": Killed{}, "Paused": Paused{}, "Stopping": Stopping{},

		"ReceiptList": Receipts{}, "Receipt": deliveries.Receipt{}, "ReceiptDetail": deliveries.Detail{},
		"ReceiptJob": deliveries.Job{}, "ReceiptRun": deliveries.Run{}, "ReceiptBody": deliveries.Body{},
		"Explanation": deliveries.Explanation{}, "ExplainedEvent": deliveries.Event{},
		"TriggerVerdict": deliveries.Verdict{}, "FilterCheck": deliveries.Check{}, "Candidate": deliveries.Candidate{},
		"Replays": Replays{}, "ReplayResults": ReplayResults{}, "Replayed": deliveries.Replayed{},
		"PlanRequest": deliveries.PlanRequest{}, "Proposal": deliveries.Proposal{}, "ProposedSource": deliveries.Source{}, "ProposedSetting": deliveries.SourceSetting{},
		"ProposedAgent": deliveries.ProposedAgent{}, "ProposedTrigger": deliveries.ProposedTrigger{},
		"ProposedFilter": deliveries.ProposedFilter{}, "PlanPage": deliveries.PlanPage{},
		"PlanProblem": deliveries.Problem{}, "PlannedEvent": deliveries.PlannedEvent{}, "Unread": deliveries.Unread{},

		// Of these requests nothing is required.
		"Ask": Ask{}, "PauseAsk": PauseAsk{}, "StopAsk": StopAsk{},
	}
	for name, proxy := range description(t).Components.Schemas.FromOldest() {
		schema := proxy.Schema()
		if !slices.Contains(schema.Type, "object") {
			continue
		}
		value, known := types[name]
		delete(types, name)
		if !known {
			t.Errorf("schema %s is of no type that this test knows; add it here", name)
			continue
		}
		var properties, required []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(value)) {
			if f.Anonymous { // its fields are visible, too
				continue
			}
			field, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			properties = append(properties, field)
			if options == "" && !strings.HasSuffix(name, "Ask") {
				required = append(required, field)
			}
		}
		got := slices.Collect(maps.Keys(maps.Collect(schema.Properties.FromOldest())))
		if diff := cmp.Diff(slices.Sorted(slices.Values(properties)), slices.Sorted(slices.Values(got))); diff != "" {
			t.Errorf("schema %s: properties of the type (-) and of openapi.yaml (+):\n%s", name, diff)
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(required)), slices.Sorted(slices.Values(schema.Required))); diff != "" {
			t.Errorf("schema %s: what is always there in the type (-) and required in openapi.yaml (+):\n%s", name, diff)
		}
	}
	for name := range types {
		t.Errorf("openapi.yaml has no schema %s", name)
	}
}
