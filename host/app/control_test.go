package app_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
)

// script makes an agent's harness, which gets the project's folder as $1 and may
// wait there for the file "go".
func script(t *testing.T, o app.Options, text string) {
	t.Helper()
	file := filepath.Join(o.Project.Dir, "harness.sh")
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range o.Project.Agents {
		o.Project.Agents[i].Runner.Command = []string{"sh", file, o.Project.Dir}
	}
}

// stubborn ends only when it is told to.
const stubborn = `trap 'exit 7' TERM; echo "start"; while :; do sleep 0.02; done`

// client talks to a gateway as al does.
func client(t *testing.T, a *app.App, o app.Options) *api.Client {
	t.Helper()
	key, err := app.APIKey(o.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	return &api.Client{URL: a.URL(), Key: key, HTTP: http.DefaultClient}
}

// patience is for what a test waits for, far above what it takes.
const patience = time.Minute

// await asks until what it gets is what was waited for.
func await[T any](t *testing.T, what string, ask func() (T, error), enough func(T) bool) T {
	t.Helper()
	deadline := time.After(patience)
	for {
		got, err := ask()
		if err != nil {
			t.Fatalf("waiting for %s: %v", what, err)
		}
		if enough(got) {
			return got
		}
		select {
		case <-deadline:
			t.Fatalf("waited too long for %s; last was %+v", what, got)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func awaitRun(t *testing.T, c *api.Client, job int64, state api.RunState) api.RunStatus {
	t.Helper()
	j := await(t, "a run that is "+string(state), func() (api.JobStatus, error) { return c.Job(t.Context(), job) },
		func(j api.JobStatus) bool { return j.Run != nil && j.Run.State == state })
	return *j.Run
}

func output(t *testing.T, runs api.Runs, run string, from int64) string {
	t.Helper()
	out, err := runs.Output(t.Context(), run, from)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(out)
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// What a person asks for runs, can be watched, and is told of afterwards, by the
// gateway and without it.
func TestManualJob(t *testing.T) {
	t.Parallel()
	o := options(t, standard, within{})
	script(t, o, `cat; until [ -e "$1/go" ]; do sleep 0.02; done; echo; echo "end"; exit 3`)
	a := run(t, o)
	c := client(t, a, o)
	ctx := t.Context()

	job, err := c.Start(ctx, "dev", api.Ask{Prompt: "water the plants"})
	if err != nil || job.Agent != "dev" || job.Trigger != "manual" || job.ID == 0 {
		t.Fatalf("started %+v, %v", job, err)
	}
	running := awaitRun(t, c, job.ID, api.RunRunning)
	await(t, "output", func() (string, error) { return output(t, c, running.ID, 0), nil },
		func(text string) bool { return strings.Contains(text, "water the plants") })
	if err := os.WriteFile(filepath.Join(o.Project.Dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	failed := awaitRun(t, c, job.ID, api.RunFailed)
	if failed.ExitCode != 3 || failed.Agent != "dev" || failed.Attempt != 1 || failed.EndedAt == nil || !strings.Contains(failed.Reason, "exit code 3") {
		t.Errorf("the run ended as %+v", failed)
	}

	offline, done, err := app.OpenHistory(t.Context(), o.Project)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = done() }()
	for name, h := range map[string]interface {
		api.Runs
		api.Statistics
	}{"gateway": c, "files": offline} {
		if all, end := output(t, h, failed.ID, 0), output(t, h, failed.ID, -4); !strings.Contains(all, "water the plants") || end != "end\n" {
			t.Errorf("%s: output is %q, its end %q", name, all, end)
		}
		if rest := output(t, h, failed.ID, 1<<40); rest != "" {
			t.Errorf("%s: behind the end is %q", name, rest)
		}
		runs, err := h.Runs(ctx, api.RunsQuery{Agent: "dev", State: api.RunFailed})
		if err != nil || len(runs) != 1 || runs[0].ID != failed.ID {
			t.Errorf("%s: failed runs are %+v, %v", name, runs, err)
		}
		stats, err := h.Stats(ctx, "dev", time.Hour)
		if err != nil || len(stats.Agents) != 1 || stats.Agents[0].Failed != 1 || *stats.Agents[0].SuccessRate != 0 || stats.Agents[0].WaitSeconds == nil {
			t.Errorf("%s: stats are %+v, %v", name, stats, err)
		}
		for what, err := range map[string]error{
			"runs":   second(h.Runs(ctx, api.RunsQuery{Agent: "dve"})),
			"stats":  second(h.Stats(ctx, "dve", time.Hour)),
			"run":    second(h.Run(ctx, "01arz3ndektsv4rrffq69g5fav")),
			"output": second(h.Output(ctx, "../../config.toml", 0)),
		} {
			if !errors.Is(err, api.ErrNotFound) {
				t.Errorf("%s: %s of what there is not: %v", name, what, err)
			}
		}
	}

	for agent, want := range map[string]error{"dve": api.ErrNotFound, "off": api.ErrConflict} {
		if _, err := c.Start(ctx, agent, api.Ask{}); !errors.Is(err, want) {
			t.Errorf("start of %s: %v", agent, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestKill(t *testing.T) {
	t.Parallel()
	o := options(t, standard, within{})
	script(t, o, stubborn)
	c := client(t, run(t, o), o)
	ctx := t.Context()
	for _, kill := range []func(api.RunStatus) (api.Killed, error){
		func(r api.RunStatus) (api.Killed, error) { return c.KillRun(ctx, r.ID) },
		func(r api.RunStatus) (api.Killed, error) { return c.KillAgent(ctx, r.Agent) },
	} {
		job, err := c.Start(ctx, "dev", api.Ask{})
		if err != nil {
			t.Fatal(err)
		}
		r := awaitRun(t, c, job.ID, api.RunRunning)
		if killed, err := kill(r); err != nil || len(killed.Runs) != 1 {
			t.Errorf("killed %+v, %v", killed, err)
		}
		if r := awaitRun(t, c, job.ID, api.RunFailed); !strings.Contains(r.Reason, "killed") {
			t.Errorf("a killed run ended as %+v", r)
		}
		if _, err := c.KillRun(ctx, r.ID); !errors.Is(err, api.ErrConflict) {
			t.Errorf("kill of what has ended: %v", err)
		}
	}
	if killed, err := c.KillAgent(ctx, "dev"); err != nil || len(killed.Runs) != 0 {
		t.Errorf("kill of an idle agent: %+v, %v", killed, err)
	}
	for _, err := range []error{second(c.KillAgent(ctx, "dve")), second(c.KillRun(ctx, "01arz3ndektsv4rrffq69g5fav"))} {
		if !errors.Is(err, api.ErrNotFound) {
			t.Errorf("kill of what there is not: %v", err)
		}
	}
}

// While runs have their grace, deliveries are still taken, and nobody is told
// that the gateway is ready for more. Who does not want to wait says so.
func TestStop(t *testing.T) {
	t.Parallel()
	o := options(t, standard, within{})
	o.Project.Gateway.ShutdownGrace = 10 * patience // nobody waits for that
	script(t, o, stubborn)
	a, err := app.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(context.Background()) }()
	c := client(t, a, o)
	ctx := t.Context()
	job, err := c.Start(ctx, "dev", api.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	awaitRun(t, c, job.ID, api.RunRunning)

	graceful, err := c.Stop(ctx, api.StopAsk{})
	if err != nil || time.Until(graceful.Until) < patience {
		t.Fatalf("stop: %+v, %v", graceful, err)
	}
	if code, body := get(t, a.URL()+"/ready", ""); code != http.StatusServiceUnavailable || !strings.Contains(body, "stopping") {
		t.Errorf("ready: %d %s", code, body)
	}
	if body := ring(t, a, "late"); !strings.Contains(body, `"queued":1`) {
		t.Errorf("a delivery during the grace was answered %s", body)
	}
	status, err := c.Status(ctx)
	if err != nil || status.StopsAt == nil || !status.StopsAt.Equal(graceful.Until) || status.Agents[0].Running != 1 || status.Agents[0].Waiting != 1 {
		t.Errorf("status: %+v, %v", status, err)
	}

	hurried, err := c.Stop(ctx, api.StopAsk{Now: true})
	if err != nil || time.Until(hurried.Until) > 0 {
		t.Fatalf("stop now: %+v, %v", hurried, err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("the gateway did not stop at once")
	}
	http.DefaultClient.CloseIdleConnections()

	offline, done, err := app.OpenHistory(t.Context(), o.Project)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = done() }()
	j, err := offline.Job(ctx, job.ID)
	if err != nil || j.State != "waiting" || j.Run == nil || j.Run.State != api.RunReturned {
		t.Errorf("the job of the run that was cut short: %+v, %v", j, err)
	}
}
