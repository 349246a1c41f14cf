package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

func openAt(t *testing.T, path string, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Two gateways on one file for a while: what they write together adds up, a
// repeat is one whoever had the first, and the one that closes leaves the other
// alone.
func TestTwoBesideEachOther(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "al.db")
	old := openAt(t, path, Options{})
	const scale, each, senders = 3, 100, 4
	limits := store.Limits{Scale: scale, Agents: []store.AgentLimits{{Agent: "dev", Scale: scale, Capacity: 10000}}, At: time.Now()}
	if err := old.SetLimits(t.Context(), limits); err != nil {
		t.Fatal(err)
	}
	if err := CheckBeside(path); err != nil {
		t.Fatal(err)
	}
	next := openAt(t, path, Options{Beside: true})
	var work sync.WaitGroup
	var mu sync.Mutex
	done := map[int64]int{}
	for i, s := range []*Store{old, next} {
		for sender := range senders {
			work.Go(func() {
				for n := range each {
					key := fmt.Sprintf("%d-%d", sender, n) // the same for both: one of the two is a repeat
					_, err := s.Accept(t.Context(), store.Acceptance{At: time.Now(), Jobs: []store.NewJob{{Agent: "dev", Trigger: job.Webhook, Source: "s", Key: key}}})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		work.Go(func() {
			for n, idle := 0, 0; idle < 200; n++ {
				now := time.Now()
				c, err := s.Claim(t.Context(), store.Claim{Host: fmt.Sprint(i), At: now, Until: now.Add(time.Hour), Run: fmt.Sprintf("run-%d-%d", i, n)})
				if err != nil {
					t.Error(err)
					return
				}
				if c == nil {
					idle++
					continue
				}
				idle = 0
				mu.Lock()
				done[c.Job.ID]++
				mu.Unlock()
				if err := s.Finish(t.Context(), store.Finish{Run: c.Run.ID, State: job.Done, At: time.Now()}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	queues, err := next.Queues(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if q := queues[0]; len(done)+q.Waiting != senders*each || q.Running != 0 {
		t.Errorf("%d jobs were done and %d wait; %d were sent, each twice", len(done), q.Waiting, senders*each)
	}
	for id, n := range done {
		if n != 1 {
			t.Errorf("job %d was done %d times", id, n)
		}
	}
	if _, err := next.Accept(t.Context(), store.Acceptance{At: time.Now(), Jobs: []store.NewJob{{Agent: "dev", Trigger: job.Manual}}}); err != nil {
		t.Errorf("after the other has closed: %v", err)
	}
}

// The runs of one hold the limits of the other.
func TestLimitsHoldOverBoth(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "al.db")
	old := openAt(t, path, Options{})
	limits := store.Limits{Scale: 2, Agents: []store.AgentLimits{{Agent: "a", Scale: 1, Capacity: 10}, {Agent: "b", Scale: 5, Capacity: 10}}, At: time.Now()}
	if err := old.SetLimits(t.Context(), limits); err != nil {
		t.Fatal(err)
	}
	accept := func(agent string, onlyIfFree bool) store.Verdict {
		t.Helper()
		out, err := old.Accept(t.Context(), store.Acceptance{At: time.Now(), Jobs: []store.NewJob{{Agent: agent, Trigger: job.Manual, OnlyIfFree: onlyIfFree}}})
		if err != nil {
			t.Fatal(err)
		}
		return out.Verdicts[0]
	}
	claim := func(s *Store, run string) string {
		t.Helper()
		now := time.Now()
		c, err := s.Claim(t.Context(), store.Claim{Host: "h", At: now, Until: now.Add(time.Hour), Run: run})
		if err != nil {
			t.Fatal(err)
		}
		if c == nil {
			return ""
		}
		return c.Job.Agent
	}
	accept("a", false)
	accept("a", false)
	if got := claim(old, "1"); got != "a" {
		t.Fatalf("claimed %q", got)
	}
	next := openAt(t, path, Options{Beside: true})
	if err := next.SetLimits(t.Context(), limits); err != nil {
		t.Fatal(err)
	}
	if got := claim(next, "2"); got != "" {
		t.Errorf("claimed %q beyond the agent's scale", got)
	}
	if got := accept("a", true); got != store.Busy {
		t.Errorf("a tick is %v", got)
	}
	accept("b", false)
	accept("b", false)
	if got := claim(next, "3"); got != "b" {
		t.Errorf("claimed %q", got)
	}
	if got := claim(next, "4"); got != "" {
		t.Errorf("claimed %q beyond the project's scale", got)
	}
	asked, err := next.Cancel(t.Context(), "1", "by the next")
	if err != nil || len(asked) != 1 {
		t.Fatal(asked, err)
	}
	renewed, err := old.Renew(t.Context(), []string{"1"}, time.Now().Add(time.Hour))
	if err != nil || renewed.Cancelled["1"] != "by the next" {
		t.Errorf("renewed: %+v, %v", renewed, err)
	}
	if err := old.Finish(t.Context(), store.Finish{Run: "1", State: job.Failed, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if got := claim(next, "5"); got != "a" {
		t.Errorf("claimed %q when there is room again", got)
	}
}

// A file is shared only when the gateway that has it can go on with it.
func TestWhatFitsBeside(t *testing.T) {
	t.Parallel()
	steps := []step{{"0001.sql", "CREATE TABLE a (x)"}, {"0002.sql", additive + " a table\nCREATE TABLE b (x)"}, {"0003.sql", "DROP TABLE a"}}
	for _, tt := range []struct {
		version int
		steps   []step
		beside  bool
		want    string
	}{
		{1, steps[:1], true, ""},
		{1, steps[:2], true, ""},
		{1, steps, true, "0003.sql"},
		{0, steps[:1], true, "0001.sql"},
		{0, steps, false, ""},
		{3, steps[:2], true, "written by a newer al"},
		{3, steps[:2], false, "written by a newer al"},
	} {
		err := fits("al.db", tt.version, tt.steps, tt.beside)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("version %d of %d, beside %v: %v; want %q", tt.version, len(tt.steps), tt.beside, err, tt.want)
		}
	}
}

// A gateway goes on with a file that the next one has added to, and the next one
// does not touch one that it would have to change.
func TestASchemaThatGrowsUnderAGateway(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "al.db")
	old := openAt(t, path, Options{})
	if err := old.SetLimits(t.Context(), store.Limits{Agents: []store.AgentLimits{{Agent: "dev", Scale: 2, Capacity: 10}}}); err != nil {
		t.Fatal(err)
	}
	work := func(id string) {
		t.Helper()
		r := job.Receipt{ID: job.NewID(time.Now()), Provider: "p", ReceivedAt: time.Now(), Outcome: job.Queued, Body: []byte("{}")}
		if _, err := old.Accept(t.Context(), store.Acceptance{Receipt: &r, At: time.Now(), Jobs: []store.NewJob{{Agent: "dev", Trigger: job.Webhook}}}); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		c, err := old.Claim(t.Context(), store.Claim{Host: "h", At: now, Until: now.Add(time.Hour), Run: id})
		if err != nil || c == nil {
			t.Fatal(c, err)
		}
		if err := old.Finish(t.Context(), store.Finish{Run: id, State: job.Done, At: now}); err != nil {
			t.Fatal(err)
		}
	}
	work("before")
	steps, err := migrationSteps()
	if err != nil {
		t.Fatal(err)
	}
	c, err := dialWriter(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.close() }()
	more := append(steps, step{"9999.sql", `DROP INDEX runs_by_job`})
	if err := migrate(c, path, more, true); !errors.Is(err, ErrBeside) {
		t.Errorf("a step that takes something away: %v", err)
	}
	more[len(steps)].text = additive + ` what each table could get
ALTER TABLE runs ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN colour TEXT NOT NULL DEFAULT '';
ALTER TABLE receipts ADD COLUMN colour TEXT;
ALTER TABLE queues ADD COLUMN colour TEXT NOT NULL DEFAULT '';
ALTER TABLE totals ADD COLUMN colour TEXT NOT NULL DEFAULT '';
CREATE TABLE colours (name TEXT PRIMARY KEY) STRICT;
CREATE INDEX runs_by_owner ON runs (owner);`
	if why := notAdditive(more[len(steps)].text); why != "" {
		t.Fatalf("%q is taken for something else", why)
	}
	if err := migrate(c, path, more, true); err != nil {
		t.Fatal(err)
	}
	work("after")
	if err := CheckBeside(path); err == nil || !strings.Contains(err.Error(), "written by a newer al") {
		t.Errorf("one of the version before, beside it: %v", err)
	}
}

// adds is what a statement of an additive step may be. The version before names
// the columns that it writes, so that it does not mind others, with defaults.
var adds = regexp.MustCompile(`(?i)^(CREATE TABLE|CREATE INDEX|ALTER TABLE \w+ ADD COLUMN) `)

// notAdditive returns a statement that the version before would mind.
func notAdditive(text string) string {
	text = regexp.MustCompile(`--[^\n]*`).ReplaceAllString(text, "")
	for statement := range strings.SplitSeq(text, ";") {
		s := strings.Join(strings.Fields(statement), " ")
		upper := strings.ToUpper(s)
		bare := strings.Contains(upper, "NOT NULL") && !strings.Contains(upper, "DEFAULT") && strings.HasPrefix(upper, "ALTER")
		if s != "" && (!adds.MatchString(s) || bare) {
			return s
		}
	}
	return ""
}

func TestAdditiveStepsOnlyAdd(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"DROP TABLE a", "ALTER TABLE a RENAME TO b", "ALTER TABLE a ADD COLUMN x TEXT NOT NULL", "UPDATE a SET x = 1",
		"CREATE UNIQUE INDEX a ON b (c)", "CREATE TRIGGER a AFTER INSERT ON b BEGIN SELECT 1; END", "ALTER TABLE a DROP COLUMN x",
	} {
		if notAdditive("CREATE TABLE x (y); "+bad) == "" {
			t.Errorf("%q passes for one that only adds", bad)
		}
	}
	steps, err := migrationSteps()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		if !s.additive() {
			continue
		}
		if why := notAdditive(s.text); why != "" {
			t.Errorf("%s says that it only adds, and has %q", s.name, why)
		}
	}
}
