package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// crashEnv makes the test binary a gateway to be killed, on the file it names.
const crashEnv = "AL_SQLITE_CRASH_FILE"

// crashChild accepts and finishes jobs until it is killed, and writes a line
// for each that it was told is recorded.
func crashChild(path string, out io.Writer) error {
	ctx := context.Background()
	s, err := Open(ctx, path, Options{})
	if err != nil {
		return err
	}
	if err := s.SetLimits(ctx, store.Limits{Agents: []store.AgentLimits{{Agent: "dev", Scale: 8, Capacity: 1 << 20}}}); err != nil {
		return err
	}
	failed := make(chan error)
	for range 8 {
		go func() {
			for {
				id := job.NewID(time.Now())
				_, err := s.Accept(ctx, store.Acceptance{
					Receipt: &job.Receipt{ID: id, ReceivedAt: time.Now(), Body: noise(5000)},
					Jobs:    []store.NewJob{{Agent: "dev", Key: id}}, At: time.Now(),
				})
				if err != nil {
					failed <- err
					return
				}
				fmt.Fprintln(out, "accepted", id)
			}
		}()
	}
	for range 2 {
		go func() {
			for {
				now := time.Now()
				c, err := s.Claim(ctx, store.Claim{Host: "child", At: now, Until: now.Add(time.Hour), Run: job.NewID(now)})
				if err == nil && c != nil {
					if err = s.Finish(ctx, store.Finish{Run: c.Run.ID, State: job.Done, At: now}); err == nil {
						fmt.Fprintln(out, "finished", c.Run.ID)
					}
				}
				if err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

func TestKillLosesNothingThatWasReported(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "al.db")
	reported := map[string][]string{}
	const rounds, enough = 3, 200
	for range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashEnv+"="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if n == enough {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			if what, id, ok := strings.Cut(lines.Text(), " "); ok && len(id) == 26 { // the last may be cut off
				reported[what] = append(reported[what], id)
			}
		}
		_ = cmd.Wait() // killed
	}
	if len(reported["accepted"]) < enough || len(reported["finished"]) == 0 {
		t.Fatalf("too little happened: %d accepted, %d finished", len(reported["accepted"]), len(reported["finished"]))
	}

	ctx := context.Background()
	s := openStore(t, path, Options{})
	defer closeStore(t, s)
	for _, id := range reported["accepted"] {
		if r, err := s.Receipt(ctx, id); err != nil || len(r.Body) != 5000 {
			t.Fatalf("receipt %s was reported as accepted: %v, body of %d bytes", id, err, len(r.Body))
		}
		a, err := s.Accept(ctx, store.Acceptance{Jobs: []store.NewJob{{Agent: "dev", Key: id}}, At: noon})
		if err != nil {
			t.Fatal(err)
		}
		if a.Verdicts[0] != store.Duplicate {
			t.Fatalf("the job of receipt %s was reported as accepted, and is gone", id)
		}
	}
	err := s.read(ctx, func(c *conn) error {
		for _, id := range reported["finished"] {
			q := c.prepare("SELECT state FROM runs WHERE id = ?").text(id)
			if !q.next() || q.ColumnText(0) != "done" {
				t.Fatalf("run %s was reported as finished", id)
			}
			if err := q.Reset(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, s)

	// What ran when it was killed goes back.
	r, err := s.Recover(ctx, store.Recovery{At: time.Now(), LeaseEndedBefore: time.Now().AddDate(1, 0, 0), MaxAttempts: rounds + 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Dead) != 0 {
		t.Errorf("dead: %v", r.Dead)
	}
	checkCounts(t, s)
}
