package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// model is the queue in the plainest form that does what is promised: one list
// of jobs that every question goes through from the start.
type model struct {
	project int
	queues  map[string]*store.Queue
	jobs    []*modelJob // by id
}

type modelJob struct {
	job.Job
	key string
	run string // that has it, while it runs
}

func (m *model) count(agent string, s job.State) (n int) {
	for _, j := range m.jobs {
		if (agent == "" || j.Agent == agent) && j.State == s {
			n++
		}
	}
	return n
}

func (m *model) oldest(agent string) *modelJob {
	for _, j := range m.jobs {
		if j.Agent == agent && j.State == job.Waiting {
			return j
		}
	}
	return nil
}

func (m *model) queue(agent string) *store.Queue {
	if m.queues[agent] == nil {
		m.queues[agent] = &store.Queue{Agent: agent, Capacity: 100}
	}
	return m.queues[agent]
}

func (m *model) accept(jobs []store.NewJob, at time.Time) (out store.Accepted) {
	out.Verdicts, out.IDs = make([]store.Verdict, len(jobs)), make([]int64, len(jobs))
	for i, n := range jobs {
		blocking := slices.IndexFunc(m.jobs, func(j *modelJob) bool {
			return n.Key != "" && j.Agent == n.Agent && j.key == n.Key &&
				(j.State == job.Waiting || j.State == job.Running || j.State == job.Done)
		})
		if blocking >= 0 {
			out.Verdicts[i], out.IDs[i] = store.Duplicate, m.jobs[blocking].ID
			continue
		}
		if n.OnlyIfFree {
			scale := 0
			if q := m.queues[n.Agent]; q != nil {
				scale = q.Scale
			}
			if m.count(n.Agent, job.Waiting)+m.count(n.Agent, job.Running) >= scale {
				out.Verdicts[i] = store.Busy
				continue
			}
		}
		q := m.queue(n.Agent)
		j := &modelJob{Job: job.Job{ID: int64(len(m.jobs) + 1), Agent: n.Agent, State: job.Waiting, QueuedAt: at}, key: n.Key}
		m.jobs = append(m.jobs, j)
		out.IDs[i] = j.ID
		for m.count(n.Agent, job.Waiting) > q.Capacity {
			drop := m.oldest(n.Agent)
			drop.State = job.Dropped
			q.Dropped++
			out.Dropped = append(out.Dropped, store.Drop{Agent: n.Agent, ID: drop.ID})
		}
	}
	return out
}

func (m *model) limits(l store.Limits) {
	m.project = l.Scale
	for _, q := range m.queues {
		q.Scale = 0
	}
	named := map[string]bool{}
	for _, a := range l.Agents {
		q := m.queue(a.Agent)
		q.Scale, q.Capacity = a.Scale, a.Capacity
		named[a.Agent] = true
	}
	for agent := range m.queues {
		if !named[agent] && m.count(agent, job.Waiting)+m.count(agent, job.Running) == 0 {
			delete(m.queues, agent)
		}
	}
}

func (m *model) claim(run string) *modelJob {
	if m.project > 0 && m.count("", job.Running) >= m.project {
		return nil
	}
	for _, j := range m.jobs {
		if j.State == job.Waiting && m.count(j.Agent, job.Running) < m.queues[j.Agent].Scale {
			j.State, j.run = job.Running, run
			j.Attempt++
			return j
		}
	}
	return nil
}

func (m *model) holder(run string) *modelJob {
	for _, j := range m.jobs {
		if j.State == job.Running && j.run == run {
			return j
		}
	}
	return nil
}

func (m *model) recover(maxAttempts int) (dead []int64) {
	for _, j := range m.jobs {
		if j.State != job.Running {
			continue
		}
		j.State = job.Waiting
		if j.Crashes++; j.Crashes >= maxAttempts {
			j.State = job.Dead
			dead = append(dead, j.ID)
		}
	}
	return dead
}

// view is what the model and the store have to agree on.
type view struct {
	Queues []store.Queue
	Jobs   []string // by id
}

func describe(j job.Job) string {
	return fmt.Sprintf("%d %s %s attempt %d crashes %d", j.ID, j.Agent, j.State, j.Attempt, j.Crashes)
}

func (m *model) view() (v view) {
	for agent, q := range m.queues {
		now := *q
		now.Waiting, now.Running = m.count(agent, job.Waiting), m.count(agent, job.Running)
		if j := m.oldest(agent); j != nil {
			now.Oldest = j.QueuedAt
		}
		v.Queues = append(v.Queues, now)
	}
	slices.SortFunc(v.Queues, func(a, b store.Queue) int { return strings.Compare(a.Agent, b.Agent) })
	for _, j := range m.jobs {
		v.Jobs = append(v.Jobs, describe(j.Job))
	}
	return v
}

func viewOf(ctx context.Context, s store.Store) (v view, err error) {
	if v.Queues, err = s.Queues(ctx); err != nil {
		return v, err
	}
	jobs, err := s.Jobs(ctx, store.Query{Limit: 1000})
	for _, j := range slices.Backward(jobs) {
		v.Jobs = append(v.Jobs, describe(j))
	}
	return v, err
}

// exerciseModel sends the store and the model through the same random
// sequences of operations and compares them after each.
func exerciseModel(t *testing.T, fresh func(t *testing.T) Place) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	rapid.Check(t, func(r *rapid.T) {
		place := fresh(t)
		s := place(t)
		defer func() { _ = s.Close() }()
		m := &model{queues: map[string]*store.Queue{}}
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		var runs []string

		must := func(err error) {
			if err != nil {
				r.Fatal(err)
			}
		}
		equal := func(what string, got, want any) {
			if diff := cmp.Diff(want, got); diff != "" {
				r.Fatalf("%s (-model +store):\n%s", what, diff)
			}
		}
		agents := rapid.SampledFrom([]string{"a", "b", "c"})
		setLimits := func(r *rapid.T) {
			l := store.Limits{Scale: rapid.IntRange(0, 3).Draw(r, "project")}
			for _, a := range []string{"a", "b", "c"} {
				if rapid.IntRange(0, 4).Draw(r, "named") > 0 {
					l.Agents = append(l.Agents, agent(a, rapid.IntRange(0, 3).Draw(r, "scale"), rapid.IntRange(1, 4).Draw(r, "capacity")))
				}
			}
			must(s.SetLimits(ctx, l))
			m.limits(l)
		}
		setLimits(r)
		accept := func(r *rapid.T) {
			jobs := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) store.NewJob {
				return store.NewJob{
					Agent: agents.Draw(r, "agent"), Key: rapid.SampledFrom([]string{"", "k", "l"}).Draw(r, "key"),
					OnlyIfFree: rapid.IntRange(0, 3).Draw(r, "only if free") == 0,
				}
			}), 1, 4).Draw(r, "jobs")
			got, err := s.Accept(ctx, store.Acceptance{Jobs: jobs, At: now})
			must(err)
			equal("accepted", got, m.accept(jobs, now))
		}
		claim := func(*rapid.T) {
			id := fmt.Sprintf("run-%04d", len(runs))
			runs = append(runs, id)
			got, err := s.Claim(ctx, store.Claim{Host: "host", At: now, Until: now.Add(lease), Run: id})
			must(err)
			want := m.claim(id)
			if (got == nil) != (want == nil) {
				r.Fatalf("claimed %v, want %v", got, want)
			}
			if got != nil {
				equal("claimed", describe(got.Job), describe(want.Job))
			}
		}
		// end ends a run that may be over already.
		end := func(r *rapid.T, state job.State, call func(run string) error) {
			if len(runs) == 0 {
				r.Skip("no runs yet")
			}
			run := rapid.SampledFrom(runs).Draw(r, "run")
			err := call(run)
			if j := m.holder(run); j != nil {
				must(err)
				j.State = state
			} else if err == nil {
				r.Fatalf("run %s ended, though it was not under way", run)
			}
		}
		r.Repeat(map[string]func(*rapid.T){
			"accept":       accept,
			"accept again": accept,
			"claim":        claim,
			"claim again":  claim,
			"set limits":   setLimits,
			"finish": func(r *rapid.T) {
				state := rapid.SampledFrom([]job.State{job.Done, job.Failed}).Draw(r, "state")
				end(r, state, func(run string) error {
					return s.Finish(ctx, store.Finish{Run: run, State: state, At: now})
				})
			},
			"release": func(r *rapid.T) {
				end(r, job.Waiting, func(run string) error { return s.Release(ctx, run, "test", now) })
			},
			"recover": func(r *rapid.T) {
				most := rapid.IntRange(1, 3).Draw(r, "max attempts")
				got, err := s.Recover(ctx, store.Recovery{At: now, LeaseEndedBefore: now.AddDate(1, 0, 0), MaxAttempts: most})
				must(err)
				equal("lost", len(got.Lost), m.count("", job.Running))
				dead := m.recover(most)
				slices.Sort(got.Dead) // their order is not promised
				equal("dead", got.Dead, dead)
			},
			"reopen": func(*rapid.T) {
				must(s.Close())
				s = place(t)
			},
			"": func(*rapid.T) {
				now = now.Add(time.Second)
				got, err := viewOf(ctx, s)
				must(err)
				equal("state", got, m.view())
			},
		})
	})
}
