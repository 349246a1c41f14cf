package ingest_test

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

func recorded(sources ...string) job.Receipt {
	return job.Receipt{
		ID: "old", Provider: "bell", Sources: sources, DeliveryID: "d-1", ReceivedAt: time.Unix(1700000000, 0),
		Method: http.MethodPost, Path: "/webhooks/bell", Header: http.Header{"X-Id": {"d-1"}}, Body: []byte(`"front"`),
	}
}

func TestAReplayIsADeliveryOfNowWithoutASignature(t *testing.T) {
	t.Parallel()
	f := setup(t, &bell{verify: nil})
	sum, err := f.handler.Replay(t.Context(), recorded("home", "removed"))
	if err != nil || sum.Queued != 2 || sum.Events != 1 || f.woken != 1 {
		t.Fatalf("got %+v, %v; woken %d times", sum, err, f.woken)
	}
	a := f.store.accepted[0]
	r := a.Receipt
	if r.ID != sum.Receipt || r.ID == "old" || r.ReplayOf != "old" || r.Event != "ring" || string(r.Body) != `"front"` {
		t.Errorf("receipt %+v: wants an id of its own, what it repeats, and the same body", r)
	}
	if !reflect.DeepEqual(r.Sources, []string{"home"}) {
		t.Errorf("sources %v; want those that there still are", r.Sources)
	}
	for _, j := range a.Jobs {
		if !j.Again || j.Key != "d-1" || !strings.Contains(string(j.Context), `"receiptId":"`+r.ID+`"`) {
			t.Errorf("job %+v: wants to be done again, under the vendor's key and the new receipt", j)
		}
	}
	// What a vendor sends stands as it was.
	f.post("/webhooks/bell", "s1", "d-2", `"front"`)
	if a := f.store.accepted[1]; a.Receipt.ReplayOf != "" || a.Jobs[0].Again {
		t.Errorf("a delivery counts as a replay: %+v", a)
	}
}

func TestAReplayThatNobodyWantsIsRecorded(t *testing.T) {
	t.Parallel()
	f := setup(t, &bell{})
	r := recorded("home")
	r.Body = []byte(`"attic"`)
	sum, err := f.handler.Replay(t.Context(), r)
	if err != nil || sum.Matched != 0 || f.woken != 0 {
		t.Fatalf("got %+v, %v", sum, err)
	}
	if len(f.store.noted) != 1 || f.store.noted[0].ReplayOf != "old" || f.store.noted[0].Outcome != job.Unmatched {
		t.Errorf("noted %+v", f.store.noted)
	}
}

func TestReplaysThatCanNotBe(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*job.Receipt)
		want   string
	}{
		"its source is gone":    {func(r *job.Receipt) { r.Sources = []string{"removed"} }, "it came for removed"},
		"its type is gone":      {func(r *job.Receipt) { r.Provider = "nosuch" }, "has the type nosuch any more"},
		"its provider is down":  {func(r *job.Receipt) { r.Provider, r.Sources = "gone", []string{"g"} }, "crashed"},
		"still not understood":  {func(r *job.Receipt) { r.Body = []byte("{") }, "not a JSON string"},
		"a handshake":           {func(r *job.Receipt) { r.Outcome = job.Handshake }, "handshake"},
		"proved for no sources": {func(r *job.Receipt) { r.Sources = nil }, "no such source"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, &bell{})
			r := recorded("home")
			tt.change(&r)
			_, err := f.handler.Replay(t.Context(), r)
			if !errors.Is(err, ingest.ErrReplay) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v; want %q", err, tt.want)
			}
			if len(f.store.accepted) > 0 || len(f.store.noted) > 0 {
				t.Error("something was recorded")
			}
		})
	}
	f := setup(t, &bell{})
	f.store.err = store.ErrUnavailable
	if _, err := f.handler.Replay(t.Context(), recorded("home")); !errors.Is(err, store.ErrUnavailable) || errors.Is(err, ingest.ErrReplay) {
		t.Errorf("a store that fails: %v", err)
	}
}
