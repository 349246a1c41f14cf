//go:build e2e

package e2e

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// deck is what there is of something, in an order by chance, and again in
// another: all of it comes, also when there is not much time.
type deck struct {
	of int

	mu   sync.Mutex
	left []int
}

func (d *deck) draw() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.left) == 0 {
		d.left = rand.Perm(d.of)
	}
	one := d.left[0]
	d.left = d.left[1:]
	return one
}

// hurtHost does something to a host, and undoes it after a while.
func (f *fleet) hurtHost(h *fleetHost) {
	switch f.hostFaults.draw() {
	case 0, 1:
		f.note("host killed")
		f.down(h)
		f.pause(aWhile())
		if rand.IntN(3) == 0 {
			f.note("host killed while starting")
			g := h.launch()
			f.marks.say("up", g.cmd.Process.Pid)
			f.pause(rand.N(500 * time.Millisecond))
			g.kill()
			f.marks.say("dead", g.cmd.Process.Pid)
		}
		f.up(h)
	case 2:
		f.note("host stopped in order")
		_ = h.now.cmd.Process.Signal(syscall.SIGTERM)
		await(f.t, "the host has stopped", func() bool { return alive(h.now) == nil }, func() string { return tail(h.now) })
		f.gone(h)
		f.pause(aWhile())
		f.up(h)
	case 3, 4:
		f.note("machine frozen")
		f.frozen(h, true)
	case 5:
		f.note("gateway frozen, its harnesses not")
		f.frozen(h, false)
	case 6:
		f.note("host cut off")
		h.wire.cut()
		f.pause(aWhile())
		h.wire.heal()
	case 7:
		f.note("network silent")
		h.wire.silence()
		f.pause(aWhile())
		if rand.IntN(2) == 0 { // else what was held back arrives now
			h.wire.reset()
		}
		h.wire.heal()
	case 8:
		f.note("connections reset")
		for range 1 + rand.IntN(5) {
			h.wire.reset()
			f.pause(rand.N(500 * time.Millisecond))
		}
	case 9:
		f.note("network slow")
		h.wire.slowDown(20*time.Millisecond + rand.N(300*time.Millisecond))
		f.pause(aWhile())
		h.wire.heal()
	}
}

// settleWithin is what a host that wakes up gets to notice what it missed.
const settleWithin = 3 * time.Second

func (f *fleet) frozen(h *fleetHost, all bool) {
	pid := h.now.cmd.Process.Pid
	f.marks.say("frozen", pid)
	h.freeze(all)
	f.pause(aWhile())
	f.marks.say("thawed", pid)
	h.signal(syscall.SIGCONT)
	f.pause(settleWithin)
	f.marks.say("settled", pid)
}

// hurtDatabase does the same to the database.
func (f *fleet) hurtDatabase() {
	switch f.databaseFaults.draw() {
	case 0:
		f.note("database restarted")
		f.restartDatabase(syscall.SIGINT, rand.N(time.Second))
	case 1:
		f.note("database crashed")
		f.restartDatabase(syscall.SIGQUIT, aWhile())
	case 2:
		f.note("database killed")
		f.restartDatabase(syscall.SIGKILL, aWhile())
	case 3:
		f.note("a process of the database killed")
		if all := f.db.Processes(); len(all) > 1 {
			_ = syscall.Kill(all[1+rand.IntN(len(all)-1)], syscall.SIGKILL)
		}
		f.databaseAnswers()
	case 4:
		f.note("database stands still")
		f.db.Signal(syscall.SIGSTOP)
		f.pause(aWhile())
		f.db.Signal(syscall.SIGCONT)
	case 5:
		f.note("database read-only")
		f.must(`ALTER SYSTEM SET default_transaction_read_only = on`, `SELECT pg_reload_conf()`)
		f.pause(aWhile())
		f.must(`SET default_transaction_read_only = off`, `ALTER SYSTEM RESET default_transaction_read_only`, `SELECT pg_reload_conf()`)
	case 6:
		f.note("connections ended by the database")
		f.must(endConnections)
	case 7:
		f.note("no connection to spare")
		f.exhausted(aWhile())
	}
}

const endConnections = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'al'`

func (f *fleet) restartDatabase(how syscall.Signal, pause time.Duration) {
	if err := f.db.Stop(how); err != nil {
		f.t.Error(err)
	}
	f.pause(pause)
	await(f.t, "the database starts", func() bool { return f.db.Start(fleetSettings...) == nil }, func() string { return "" })
}

// must has the database do something as soon as it can.
func (f *fleet) must(statements ...string) {
	var err error
	await(f.t, statements[0], func() bool {
		err = f.ask(f.t.Context(), func(ctx context.Context, c *pgx.Conn) error {
			var errs []error
			for _, sql := range statements {
				_, err := c.Exec(ctx, sql)
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		})
		return err == nil
	}, func() string { return err.Error() })
}

func (f *fleet) databaseAnswers() { f.must(`SELECT 1`) }

// exhausted takes all the connections that the database has for so long, also
// those that hosts had.
func (f *fleet) exhausted(d time.Duration) { f.exhaustedWhile(func() { f.pause(d) }) }

func (f *fleet) exhaustedWhile(something func()) {
	ctx, cancel := context.WithCancel(f.t.Context())
	var taking sync.WaitGroup
	taking.Go(func() {
		var taken []*pgx.Conn
		defer func() {
			for _, c := range taken {
				_ = c.Close(context.WithoutCancel(ctx))
			}
		}()
		for ctx.Err() == nil {
			c, err := pgx.Connect(ctx, f.db.URL())
			if err == nil {
				taken = append(taken, c)
				continue
			}
			if len(taken) > 0 {
				_, _ = taken[0].Exec(ctx, endConnections)
			}
			pauseFor(ctx, 50*time.Millisecond)
		}
	})
	something()
	cancel()
	taking.Wait()
}
