//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Much more is sent than can be worked off: the queue keeps its bound and drops
// the oldest, memory stays as it is, and the metrics add up to what was sent.
func TestOverload(t *testing.T) {
	files := standard(anyIssue)
	files["agents/dev/config.toml"] = strings.Replace(anyIssue, "1000000", "20", 1) + "[runner]\ncommand = [\"sleep\", \"0.2\"]\n"
	g := newProject(t, files).start()
	const rounds, clients, each = 3, 8, 100
	sent, memory := 0, [rounds]int{}
	for round := range rounds {
		refused := flood(t, g, fmt.Sprintf("r%d", round), clients, each)
		sent += clients * each
		memory[round] = g.residentKiB()
		m := g.metrics()
		if depth := m[`al_queue_depth{agent="dev"}`]; depth > 20 {
			t.Errorf("%v jobs wait in a queue of 20", depth)
		}
		if n := rejected(m); n != refused {
			t.Errorf("%d deliveries were refused, the metrics say %d", refused, n)
		}
	}
	if grown := memory[rounds-1] - memory[0]; grown > 64<<10 {
		t.Errorf("resident memory went from %d to %d KiB while a bounded queue was full", memory[0], memory[rounds-1])
	}
	var sum string
	g.await("the metrics add up to what was sent", func() bool { // not all of them are read at once
		m := g.metrics()
		dropped := int(m[`al_queue_dropped_total{agent="dev"}`])
		accepted := int(m[`al_jobs_ended_total{agent="dev",outcome="done"}`] + m[`al_queue_depth{agent="dev"}`] + m[`al_runs_active{agent="dev"}`])
		sum = fmt.Sprintf("%d accepted + %d dropped + %d rejected, %d sent", accepted, dropped, rejected(m), sent)
		return accepted+dropped+rejected(m) == sent && dropped > sent/2
	})
	t.Log(sum)
}

// flood sends deliveries as fast as they are answered, and returns how many
// were refused.
func flood(t *testing.T, g *gateway, name string, clients, each int) (refused int) {
	t.Helper()
	failed := make(chan int, clients)
	for c := range clients {
		go func() {
			n := 0
			for i := range each {
				if a, err := g.send(issue(fmt.Sprintf("%s-%d-%d", name, c, i))); err != nil || a.code != http.StatusOK {
					n++
				}
			}
			failed <- n
		}()
	}
	for range clients {
		refused += <-failed
	}
	return refused
}

// rejected are the deliveries that were not answered 2xx.
func rejected(metrics map[string]float64) int {
	n := 0
	for series, v := range metrics {
		if code, ok := labelled(series, "al_webhook_requests_total", "code"); ok && code != "200" {
			n += int(v)
		}
	}
	return n
}

func (g *gateway) residentKiB() int {
	g.t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		g.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		g.t.Fatal(err)
	}
	return kib
}

// metrics reads the gateway's metrics.
func (g *gateway) metrics() map[string]float64 {
	g.t.Helper()
	out := map[string]float64{}
	for line := range strings.Lines(g.body("/metrics")) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil && !strings.HasPrefix(line, "#") {
			out[series] = v
		}
	}
	return out
}

// labelled returns the value of a label of a series with the given name.
func labelled(series, name, label string) (string, bool) {
	rest, ok := strings.CutPrefix(series, name+"{")
	if !ok {
		return "", false
	}
	_, rest, ok = strings.Cut(rest, label+`="`)
	if !ok {
		return "", false
	}
	value, _, ok := strings.Cut(rest, `"`)
	return value, ok
}
