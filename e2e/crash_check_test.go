//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"strconv"
	"testing"
	"time"
)

// checkRecord reads the store's file and looks for each delivery that was
// accepted.
func (c *crashTest) checkRecord() *crashRecord {
	c.t.Helper()
	r := readCrashRecord(c.t, c.dir, c.after)
	r.check(c.t, crashMaxAttempts)
	c.ledger.check(c.t, r)
	return r
}

// checkStopped does the same while no gateway runs, when al stat has to say it
// too.
func (c *crashTest) checkStopped() *crashRecord {
	c.t.Helper()
	r := c.checkRecord()
	for _, a := range c.stat().Agents {
		if got := (crashDepth{int64(a.Waiting), int64(a.Running)}); got != r.depths[a.Name] {
			c.t.Errorf("al stat says %+v of %s, and the record %+v", got, a.Name, r.depths[a.Name])
		}
		if int64(a.Dropped) != r.dropped[a.Name] {
			c.t.Errorf("al stat says that %d jobs of %s were dropped, and the record %d", a.Dropped, a.Name, r.dropped[a.Name])
		}
	}
	return r
}

// checkMetrics waits for a moment in which the metrics and the record say the
// same: they can not be read at once, but a count that is wrong stays wrong.
func (c *crashTest) checkMetrics() {
	var metric, stored map[string]crashDepth
	c.now.await("the metrics say what the record says", func() bool {
		metric = map[string]crashDepth{}
		for series, v := range c.now.metrics() {
			if agent, ok := labelled(series, "al_queue_depth", "agent"); ok {
				d := metric[agent]
				d.waiting = int64(v)
				metric[agent] = d
			}
			if agent, ok := labelled(series, "al_runs_active", "agent"); ok {
				d := metric[agent]
				d.running = int64(v)
				metric[agent] = d
			}
		}
		stored = readCrashRecord(c.t, c.dir, maxJob).depths
		return maps.Equal(metric, stored)
	})
}

const maxJob = 1 << 62

// checkRequests compares what was sent to the gateway that runs with what it
// counted: every request was answered, every answer is counted, and so is every
// event of those that were accepted.
func (c *crashTest) checkRequests() {
	counted, events := map[int]int{}, 0
	for series, v := range c.now.metrics() {
		if code, ok := labelled(series, "al_webhook_requests_total", "code"); ok && v > 0 {
			n, err := strconv.Atoi(code)
			if err != nil {
				c.t.Fatal(err)
			}
			counted[n] += int(v)
		}
		if _, ok := labelled(series, "al_events_total", "outcome"); ok {
			events += int(v)
		}
	}
	if !maps.Equal(counted, c.ledger.codes) {
		c.t.Errorf("answers by status, as they were received: %v; as the metrics count them: %v", c.ledger.codes, counted)
	}
	if events != counted[200] {
		c.t.Errorf("%d deliveries of one event each were accepted, and %d events are counted", counted[200], events)
	}
}

// checkJobs waits until the metrics of every agent add up: what waited or ran
// before this gateway, and what it took in, has ended, waits or runs.
func (c *crashTest) checkJobs(before *crashRecord) {
	var wrong string
	deadline := time.Now().Add(patience)
	for {
		wrong = ""
		m := c.now.metrics()
		for _, a := range crashAgents() {
			of := func(name string) int64 { return int64(m[fmt.Sprintf("%s{agent=%q}", name, a.name)]) }
			by := func(name, outcome string) int64 {
				return int64(m[fmt.Sprintf("%s{agent=%q,outcome=%q}", name, a.name, outcome)])
			}
			taken := by("al_jobs_accepted_total", "queued") + by("al_jobs_accepted_total", "skipped") + by("al_jobs_accepted_total", "limited")
			ended := by("al_jobs_ended_total", "done") + by("al_jobs_ended_total", "failed") + by("al_jobs_ended_total", "dead") +
				of("al_queue_dropped_total") - before.dropped[a.name]
			was, is := before.depths[a.name], crashDepth{of("al_queue_depth"), of("al_runs_active")}
			if was.waiting+was.running+taken != ended+is.waiting+is.running {
				wrong = fmt.Sprintf("%s: %+v before, %d taken, %d ended, %+v now", a.name, was, taken, ended, is)
			}
		}
		// The clock ticks on, and not all of it is read at once.
		if wrong == "" || time.Now().After(deadline) {
			break
		}
		pauseFor(c.t.Context(), 10*time.Millisecond)
	}
	if wrong != "" {
		c.t.Errorf("the metrics do not add up: %s", wrong)
	}
}

// checkEnds compares the record with what the harnesses did, when all work is
// over, and closes the book on it.
func (c *crashTest) checkEnds(r *crashRecord) {
	for id, run := range r.runs {
		mark := c.marks.runs[id]
		switch {
		case run.state == "done" && (mark == nil || !mark.ended || mark.code != 0):
			c.t.Errorf("run %s of job %d is done, and its harness says %+v", id, run.job, mark)
		case run.state == "failed" && run.code > 0 && run.code < 100 && (mark == nil || int64(mark.code) != run.code):
			c.t.Errorf("run %s of job %d failed with %d, and its harness says %+v", id, run.job, run.code, mark)
		}
		if j := r.jobs[run.job]; mark != nil && j != nil {
			if want := 1 + j.merged; j.trigger != "schedule" && int64(mark.events) != want {
				c.t.Errorf("run %s of job %d was told %d events of %d", id, run.job, mark.events, want)
			}
		}
	}
	for id := range c.marks.runs {
		if _, ok := r.runs[id]; !ok {
			c.t.Errorf("run %s was started, and there is no record of it", id)
		}
	}
	last, open := c.after, r.last
	for id, j := range r.jobs {
		last = max(last, id)
		switch j.state {
		case "waiting", "running":
			// A tick may have come just before the end.
			if open = min(open, id-1); j.agent != "clock" {
				c.t.Errorf("%+v: not worked off", *j)
			}
			continue
		case "failed":
			if j.agent != "newest" && (j.agent != "stubborn" || j.failures != crashRetries) {
				c.t.Errorf("%+v: no reason to fail", *j)
			}
		case "dropped":
			if !c.marks.agents[j.agent].drops {
				c.t.Errorf("%+v: no reason to be dropped", *j)
			}
		}
		if !c.seen[id] {
			c.seen[id] = true
			c.ended[j.state]++
			c.runs += int(j.attempt)
		}
	}
	if r.last != last {
		c.t.Errorf("the last job was %d, and the last in the record is %d", r.last, last)
	}
	c.after = open
	maps.DeleteFunc(c.seen, func(id int64, _ bool) bool { return id <= c.after })
	c.marks.forget(func(run string) bool { return r.runs[run].job <= c.after })
	c.ledger.close()
}

// check looks for every delivery that was sent.
func (l *crashLedger) check(t *testing.T, r *crashRecord) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, s := range l.open {
		found := 0
		for _, agent := range s.agents {
			jobs := r.byID[agent+" "+id]
			if len(jobs) > 0 {
				found++
			}
			active := 0
			for _, j := range jobs {
				if j.state == "waiting" || j.state == "running" || j.state == "done" {
					active++
				}
			}
			if len(jobs) > s.times || active > 1 {
				t.Errorf("delivery %s was sent %d times and became %d jobs of %s, %d of them at work or done", id, s.times, len(jobs), agent, active)
			}
			if s.accepted && len(jobs) == 0 {
				t.Errorf("delivery %s was accepted, and there is no job of %s for it", id, agent)
			}
		}
		if found != 0 && found != len(s.agents) {
			t.Errorf("delivery %s became jobs of %d of its %d agents", id, found, len(s.agents))
		}
	}
}

// close forgets what has ended.
func (l *crashLedger) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.open)
}
