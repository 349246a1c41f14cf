package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/host/store/pgtest"
	"github.com/action-llama/gateway/host/store/postgres"
)

// fleetLease is short, for the row about a dead host. Nothing else depends on it.
const fleetLease = 10 * time.Second

// database is a PostgreSQL server on this machine that waits for its disk, as one
// in use does.
type database struct {
	*pgtest.Cluster
	schemas int
}

func newDatabase() (*database, error) {
	c, err := pgtest.NewCluster(0)
	if err == nil {
		err = c.Start("fsync=on", "full_page_writes=on", "max_wal_size=4GB", "shared_buffers=256MB")
	}
	if err != nil {
		c.Remove()
		return nil, err
	}
	return &database{Cluster: c}, nil
}

// schema makes an empty one, and returns its URL.
func (d *database) schema(ctx context.Context) (string, error) {
	d.schemas++
	name := fmt.Sprintf("bench_%d", d.schemas)
	c, err := pgx.Connect(ctx, d.URL())
	if err != nil {
		return "", err
	}
	_, err = c.Exec(ctx, "CREATE SCHEMA "+name)
	return d.URL() + "&search_path=" + name, errors.Join(err, c.Close(ctx))
}

// fleet measures several hosts on one database, beside one host with its file.
// Hosts, database and senders share this machine, so that more hosts are more of
// everything but processors.
func fleet(ctx context.Context, o options, t *table) error {
	d, err := newDatabase()
	if err != nil {
		t.add("several hosts", fmt.Sprintf("not measured: %v", err))
		return nil
	}
	defer d.Remove()
	for _, part := range []func(context.Context, options, *table, *database) error{fleetThroughput, fleetClaims, fleetDeath} {
		if err := part(ctx, o, t, d); err != nil {
			return err
		}
	}
	return nil
}

func fleetThroughput(ctx context.Context, o options, t *table, d *database) error {
	alone, err := launch(ctx, o, project{agents: 1}, false)
	if err != nil {
		return err
	}
	defer alone.stop()
	counts := []int{1, 2, 4}
	hosts := map[int][]*gateway{}
	for _, n := range counts {
		url, err := d.schema(ctx)
		if err != nil {
			return err
		}
		for range n {
			g, err := launch(ctx, o, project{agents: 1, store: url}, false)
			if err != nil {
				return err
			}
			defer g.stop()
			hosts[n] = append(hosts[n], g)
		}
	}
	var file []result
	shared := map[int][]result{}
	for range o.rounds {
		r, err := load(ctx, alone, o.clients, o.round, 0)
		if err != nil {
			return err
		}
		file = append(file, r)
		for _, n := range counts {
			if r, err = loadAll(ctx, hosts[n], o.clients, o.round); err != nil {
				return err
			}
			shared[n] = append(shared[n], r)
		}
	}
	base := medianOf(file)
	t.add("a host with its file (SQLite)", append(base.figures(), base.cost())...)
	for _, n := range counts {
		r := medianOf(shared[n])
		t.add(fmt.Sprintf("%d on one PostgreSQL, the same machine", n), append(r.figures(), r.cost(),
			fmt.Sprintf("%.0f %% of SQLite", 100*r.rate()/base.rate()))...)
	}
	return nil
}

// loadAll splits the senders among several hosts.
func loadAll(ctx context.Context, hosts []*gateway, clients int, round time.Duration) (sum result, err error) {
	results, errs := make([]result, len(hosts)), make([]error, len(hosts))
	used := selfCPU()
	var loading sync.WaitGroup
	for i, g := range hosts {
		loading.Go(func() { results[i], errs[i] = load(ctx, g, max(1, clients/len(hosts)), round, 0) })
	}
	loading.Wait()
	for _, r := range results {
		sum.latencies = append(sum.latencies, r.latencies...)
		sum.took = max(sum.took, r.took)
		sum.host += r.host
		sum.provider += r.provider
	}
	sum.senders = selfCPU() - used // each counts those of all
	slices.Sort(sum.latencies)
	return sum, errors.Join(errs...)
}

// fleetClaims measures what a host waits for when it looks for a job, with few
// and many jobs waiting and agents.
func fleetClaims(ctx context.Context, o options, t *table, d *database) error {
	for _, c := range []struct{ agents, waiting int }{{1, 1}, {1, o.depth}, {o.fleetAgents, o.depth}} {
		file, err := newScratch(ctx, c.agents)
		if err != nil {
			return err
		}
		lone, err := claims(ctx, o, file, c.agents, c.waiting)
		file.close()
		if err != nil {
			return err
		}
		url, err := d.schema(ctx)
		if err != nil {
			return err
		}
		s, err := postgres.Open(ctx, url, postgres.Options{})
		if err != nil {
			return err
		}
		err = s.SetLimits(ctx, manyLimits(c.agents))
		var shared []string
		if err == nil {
			shared, err = claims(ctx, o, s, c.agents, c.waiting)
		}
		if err := errors.Join(err, s.Close()); err != nil {
			return err
		}
		what := fmt.Sprintf("%d jobs waiting, %d agents", c.waiting, c.agents)
		t.add("claim a job, SQLite: "+what, lone...)
		t.add("claim a job, PostgreSQL: "+what, shared...)
	}
	return nil
}

// claims fills a store, and then takes jobs out of it, one after the other. Each
// is replaced by another.
func claims(ctx context.Context, o options, s store.Store, agents, waiting int) ([]string, error) {
	if err := fill(ctx, s, agents, waiting, "waiting-"); err != nil {
		return nil, err
	}
	var took []time.Duration
	for end := time.Now().Add(o.round); time.Now().Before(end); {
		began := time.Now()
		c, err := s.Claim(ctx, store.Claim{Host: "bench", At: began, Until: began.Add(time.Minute), Run: job.NewID(began)})
		took = append(took, time.Since(began))
		if err != nil || c == nil {
			return nil, errors.Join(err, errors.New("nothing to claim"))
		}
		now := time.Now()
		if err := s.Finish(ctx, store.Finish{Run: c.Run.ID, State: job.Done, At: now}); err != nil {
			return nil, err
		}
		if _, err := s.Accept(ctx, store.Acceptance{Jobs: []store.NewJob{newJob(c.Job.Agent, job.NewID(now))}, At: now}); err != nil {
			return nil, err
		}
	}
	return quantiles(took), nil
}

// fleetDeath kills a host with a run, and waits until another has begun that.
func fleetDeath(ctx context.Context, o options, t *table, d *database) error {
	url, err := d.schema(ctx)
	if err != nil {
		return err
	}
	b, err := newBell()
	if err != nil {
		return err
	}
	defer b.close()
	p := project{agents: 1, store: url, command: fmt.Sprintf(`["sh", "-c", "echo >%s; echo $PPID >%s; exec sleep 100000"]`,
		b.file, b.file+".host")}
	var hosts []*gateway
	for range 2 {
		g, err := launch(ctx, o, p, false)
		if err != nil {
			return err
		}
		defer g.stop()
		hosts = append(hosts, g)
	}
	if _, err := load(ctx, hosts[0], 1, time.Minute, 1); err != nil {
		return err
	}
	if _, err := b.wait(ctx); err != nil {
		return err
	}
	runner, err := readNumber(ctx, b.file+".host")
	if err != nil {
		return err
	}
	began := time.Now()
	for _, g := range hosts {
		if g.cmd.Process.Pid == runner {
			g.kill()
		}
	}
	at, err := b.wait(ctx)
	if err != nil {
		return err
	}
	t.add(fmt.Sprintf("from a host's death to its job's next run, lease %s", fleetLease), fmt.Sprintf("%.1f s", at.Sub(began).Seconds()))
	return nil
}

// readNumber waits for a file with a number in it.
func readNumber(ctx context.Context, file string) (n int, err error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		raw, err := os.ReadFile(filepath.Clean(file))
		if err == nil {
			if _, err = fmt.Sscanf(string(raw), "%d\n", &n); err == nil {
				return n, nil
			}
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
	}
}
