package app_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
)

// A run that fails is tried again, and told that it is.
func TestAFailedRunIsTriedAgain(t *testing.T) {
	t.Parallel()
	o := options(t, standard, within{})
	agent := &o.Project.Agents[0]
	agent.Retries, agent.RetryDelay = 2, time.Second
	script(t, o, `test "$AL_ATTEMPT" = 2`)
	a := run(t, o)
	ring(t, a, "1")
	c := client(t, a, o)
	runs := await(t, "a second run", func() ([]api.RunStatus, error) {
		return c.Runs(t.Context(), api.RunsQuery{Agent: "dev"})
	}, func(runs []api.RunStatus) bool { return len(runs) == 2 && runs[0].Ended() })
	if runs[0].State != api.RunDone || runs[1].State != api.RunFailed || runs[0].Job != runs[1].Job {
		t.Errorf("runs %+v", runs)
	}
}

// A burst of deliveries is one run, which is told all of them in order.
func TestABurstIsOneRun(t *testing.T) {
	t.Parallel()
	o := options(t, standard, within{})
	seen := filepath.Join(t.TempDir(), "seen")
	script(t, o, `cp "$AL_CONTEXT_FILE" `+seen)
	trigger := &o.Project.Agents[0].Triggers[0]
	trigger.Flow.Debounce = 2 * time.Second
	a := run(t, o)
	for i, want := range []string{`"queued":1`, `"queued":0,"merged":1`, `"queued":0,"merged":1`} {
		if body := ring(t, a, string(rune('1'+i))); !strings.Contains(body, want) {
			t.Errorf("answer %d is %s, want %s", i, body, want)
		}
	}
	if body := ring(t, a, "2"); !strings.Contains(body, `"duplicate":true`) {
		t.Errorf("a repeat is answered %s", body)
	}
	key, err := app.APIKey(o.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	ended(t, a, key)
	raw, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	type event struct{ DeliveryID string }
	var got struct {
		event
		Earlier []event
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if got.DeliveryID != "3" || len(got.Earlier) != 2 || got.Earlier[0].DeliveryID != "1" || got.Earlier[1].DeliveryID != "2" {
		t.Errorf("the agent was told %s", raw)
	}
}

// What can not be a key is said with its place, like every other mistake.
func TestAKeyThatMeansNothingIsRefused(t *testing.T) {
	t.Parallel()
	o := options(t, standard, within{})
	o.Project.Agents[0].Triggers[0].Flow.ConcurrencyKey = "{rpo}"
	_, err := app.New(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), `there is no {rpo}; did you mean "repo"?`) {
		t.Errorf("started with it: %v", err)
	}
}

// A job by hand ends the run that its key is busy with, where the agent says so,
// and at once: not when the lease of that run is renewed.
func TestAJobByHandCancelsTheRunWithItsKey(t *testing.T) {
	t.Parallel()
	o := options(t, standard, within{})
	script(t, o, stubborn)
	agent := &o.Project.Agents[0]
	agent.Scale, agent.Flow.ConcurrencyKey, agent.Flow.OnBusy = 2, "deploy", "cancel"
	a := run(t, o)
	c := client(t, a, o)
	var jobs [2]api.JobStatus
	for i := range jobs {
		var err error
		if jobs[i], err = c.Start(t.Context(), "dev", api.Ask{}); err != nil {
			t.Fatal(err)
		}
		awaitRun(t, c, jobs[i].ID, api.RunRunning)
	}
	// The words are those of the call; a renewal has the store's.
	if first := awaitRun(t, c, jobs[0].ID, api.RunFailed); !strings.Contains(first.Reason, "a job by hand") {
		t.Errorf("the first run ended: %s", first.Reason)
	}
	if _, err := c.KillAgent(t.Context(), "dev"); err != nil {
		t.Fatal(err)
	}
}
