// Command bench measures the gateway on this machine: deliveries a second from
// signed request to durable answer, what the separate provider process costs,
// and what depth, agents and a long life change. It prints rows of figures; it
// judges nothing and fails only when something does not work.
//
// What is compared is measured side by side, in turn, in one run: the machine's
// speed may drift, the ratios hold.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// gatewayMode makes this program the gateway with its provider in process.
const gatewayMode = "in-process-gateway"

func main() {
	if len(os.Args) == 3 && os.Args[1] == gatewayMode {
		if err := runInProcess(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if filepath.Base(os.Args[0]) == batchProvider {
		if err := serveBatches(); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.StringVar(&o.bin, "bin", "bin", "folder with al and plugins/")
	flag.StringVar(&o.only, "only", "", "measure one of start, latency, throughput, batching, depth, agents, store, queue, recovery, prune, vendors, takeover, fleet, swap, crash, bodies and growth")
	flag.StringVar(&o.payloads, "payloads", "examples/demo/payloads", "folder with the demo's payloads")
	flag.IntVar(&o.clients, "clients", 64, "connections that send at the same time")
	flag.DurationVar(&o.round, "round", 5*time.Second, "length of one measurement")
	flag.IntVar(&o.rounds, "rounds", 3, "measurements of each kind; the median is shown")
	flag.IntVar(&o.long, "long", 100_000, "deliveries of the row about growth")
	against := flag.String("against", "", "only load the gateway that serves this project folder, and print its figures")
	flag.IntVar(&o.depth, "depth", 100_000, "waiting jobs of the rows about depth")
	flag.IntVar(&o.fleetAgents, "fleet-agents", 10_000, "agents of the rows about many agents in a shared database")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *against != "" {
		if err := loadOnly(ctx, o, *against); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if err := bench(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	bin     string
	clients int
	round   time.Duration
	rounds  int
	long    int
	depth   int
	// fleetAgents is how many agents a shared database has at most.
	fleetAgents int
	only        string
	// payloads is the folder with those of the demo.
	payloads string
}

// loadOnly loads a gateway that somebody else started, for profiling it.
func loadOnly(ctx context.Context, o options, dir string) error {
	g := &gateway{dir: dir}
	if err := g.waitReady(ctx); err != nil {
		return err
	}
	r, err := load(ctx, g, o.clients, o.round, 0)
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(r.figures(), ", ")+",", r.cost())
	return nil
}

// table collects rows and prints them together.
type table struct{ rows [][]string }

func (t *table) add(what string, figures ...string) {
	t.rows = append(t.rows, append([]string{what}, figures...))
	fmt.Fprintf(os.Stderr, "%s: %s\n", what, strings.Join(figures, ", ")) // progress
}

func (t *table) print() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range t.rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

func bench(ctx context.Context, o options) error {
	var t table
	fmt.Printf("%s, %d cores, %s, %d clients on the same machine, payload %d bytes\n\n", cpuModel(), runtime.NumCPU(),
		runtime.Version(), o.clients, len(payload))
	for _, part := range []struct {
		name    string
		measure func(context.Context, options, *table) error
	}{
		{"start", startAndIdle},
		{"latency", toProcess},
		{"throughput", throughput},
		{"batching", batching},
		{"depth", depth},
		{"agents", manyAgents},
		{"store", groupCommit},
		{"queue", queueCost},
		{"recovery", recovery},
		{"prune", pruneCost},
		{"vendors", eachVendor},
		{"swap", swaps},
		{"crash", afterCrash},
		{"bodies", bodySizes},
		{"takeover", takeover},
		{"fleet", fleet},
		{"growth", longLife},
	} {
		if o.only != "" && o.only != part.name {
			continue
		}
		if err := part.measure(ctx, o, &t); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	fmt.Fprintln(os.Stderr)
	return t.print()
}

// throughput compares the gateway as it is with the same handler and store and
// the provider in the same process.
func throughput(ctx context.Context, o options, t *table) error {
	apart, err := launch(ctx, o, project{agents: 1}, false)
	if err != nil {
		return err
	}
	defer apart.stop()
	within, err := launch(ctx, o, project{agents: 1}, true)
	if err != nil {
		return err
	}
	defer within.stop()
	var apartRuns, withinRuns []result
	var ratios []float64
	for range o.rounds {
		a, err := load(ctx, apart, o.clients, o.round, 0)
		if err != nil {
			return err
		}
		b, err := load(ctx, within, o.clients, o.round, 0)
		if err != nil {
			return err
		}
		apartRuns, withinRuns = append(apartRuns, a), append(withinRuns, b)
		ratios = append(ratios, a.rate()/b.rate())
	}
	a, b := medianOf(apartRuns), medianOf(withinRuns)
	t.add("durable deliveries, provider in its own process", a.figures()...)
	t.add("the same, provider in process", b.figures()...)
	t.add("ratio", fmt.Sprintf("%.0f %%", 100*median(ratios)))
	t.add("CPU for each of them", "in its own process: "+a.cost(), "in process: "+b.cost())
	return nil
}

// depth compares an empty queue with a long one, and a full one that drops.
func depth(ctx context.Context, o options, t *table) error {
	g, err := launch(ctx, o, project{agents: 1}, false)
	if err != nil {
		return err
	}
	defer g.stop()
	empty, err := load(ctx, g, o.clients, o.round, 0)
	if err != nil {
		return err
	}
	if _, err := load(ctx, g, o.clients, time.Hour, o.depth); err != nil {
		return err
	}
	deep, err := load(ctx, g, o.clients, o.round, 0)
	if err != nil {
		return err
	}
	t.add("queue empty at the start", empty.figures()...)
	t.add(fmt.Sprintf("%d jobs waiting", o.depth), deep.figures()...)
	t.add("ratio", fmt.Sprintf("%.0f %%", 100*deep.rate()/empty.rate()))

	full, err := launch(ctx, o, project{agents: 1, queue: 100}, false)
	if err != nil {
		return err
	}
	defer full.stop()
	r, err := load(ctx, full, o.clients, o.round, 0)
	if err != nil {
		return err
	}
	t.add("queue of 100 always full, the oldest dropped", r.figures()...)
	return nil
}

// manyAgents compares one agent with a thousand, of which one matches.
func manyAgents(ctx context.Context, o options, t *table) error {
	one, err := launch(ctx, o, project{agents: 1}, false)
	if err != nil {
		return err
	}
	defer one.stop()
	many, err := launch(ctx, o, project{agents: 1000}, false)
	if err != nil {
		return err
	}
	defer many.stop()
	var oneRuns, manyRuns []result
	var ratios []float64
	for range o.rounds {
		a, err := load(ctx, one, o.clients, o.round, 0)
		if err != nil {
			return err
		}
		b, err := load(ctx, many, o.clients, o.round, 0)
		if err != nil {
			return err
		}
		oneRuns, manyRuns = append(oneRuns, a), append(manyRuns, b)
		ratios = append(ratios, b.rate()/a.rate())
	}
	t.add("1 agent", medianOf(oneRuns).figures()...)
	t.add("1,000 agents", medianOf(manyRuns).figures()...)
	t.add("ratio", fmt.Sprintf("%.0f %%", 100*median(ratios)))
	return nil
}

// startAndIdle measures from exec to /ready, and memory with nothing to do.
func startAndIdle(ctx context.Context, o options, t *table) error {
	var took []float64
	var host, provider float64
	for range max(3, o.rounds) {
		g, err := launch(ctx, o, project{agents: 1}, false)
		if err != nil {
			return err
		}
		took = append(took, g.ready.Seconds())
		host = residentMiB(g.pid)
		provider = residentMiB(g.provider())
		g.stop()
	}
	t.add("start to ready, one provider", fmt.Sprintf("%.0f ms", 1000*median(took)))
	t.add("idle resident memory", fmt.Sprintf("host %.0f MiB", host), fmt.Sprintf("provider %.0f MiB", provider))
	return nil
}

// longLife looks for growth: memory after a tenth of the deliveries and at the
// end.
func longLife(ctx context.Context, o options, t *table) error {
	g, err := launch(ctx, o, project{agents: 1, queue: 100}, false)
	if err != nil {
		return err
	}
	defer g.stop()
	if _, err := load(ctx, g, o.clients, time.Hour, o.long/10); err != nil {
		return err
	}
	hostBefore := residentMiB(g.pid)
	providerBefore := residentMiB(g.provider())
	if _, err := load(ctx, g, o.clients, time.Hour, o.long-o.long/10); err != nil {
		return err
	}
	hostAfter := residentMiB(g.pid)
	providerAfter := residentMiB(g.provider())
	t.add(fmt.Sprintf("memory after %d and %d deliveries", o.long/10, o.long),
		fmt.Sprintf("host %.0f and %.0f MiB", hostBefore, hostAfter),
		fmt.Sprintf("provider %.0f and %.0f MiB", providerBefore, providerAfter))
	return nil
}

func cpuModel() string {
	raw, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.SplitSeq(string(raw), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
