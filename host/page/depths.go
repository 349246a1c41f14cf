package page

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/action-llama/gateway/host/store"
)

const (
	// sampleEvery and samples make ten minutes.
	sampleEvery = 5 * time.Second
	samples     = 120
)

// depths are how many jobs waited for each agent in the last minutes.
type depths struct {
	mu    sync.Mutex
	at    time.Time                  // of the newest sample
	count int                        // how many were taken, up to samples
	of    map[string]*[samples]int32 // the newest last
}

func (d *depths) add(now time.Time, queues []store.Queue) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at, d.count = now, min(d.count+1, samples)
	next := make(map[string]*[samples]int32, len(queues))
	for _, q := range queues {
		s := d.of[q.Agent]
		if s == nil {
			s = new([samples]int32)
		}
		copy(s[:], s[1:])
		s[samples-1] = int32(min(q.Waiting, 1<<30))
		next[q.Agent] = s
	}
	d.of = next
}

// mark changes when a chart would.
func (d *depths) mark() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return fingerprint(d.of)
}

// The size of a chart in its own units.
const (
	chartWidth  = 120
	chartHeight = 28
)

// chart is the queue of an agent in the last minutes.
type chart struct {
	Line string // points of the line
	Area string // the same, closed along the bottom
	Now  int
	Most int
	Flat bool // nothing waited
}

// Text is the chart in words.
func (c chart) Text() string {
	if c.Flat {
		return "Nothing waited in the last ten minutes."
	}
	return fmt.Sprintf("Waiting jobs in the last ten minutes: %d now, at most %d.", c.Now, c.Most)
}

func (d *depths) chart(agent string, waiting int) chart {
	d.mu.Lock()
	defer d.mu.Unlock()
	var values [samples]int32
	if s := d.of[agent]; s != nil {
		values = *s
	}
	out := chart{Now: waiting, Most: waiting}
	for _, v := range values {
		out.Most = max(out.Most, int(v))
	}
	out.Flat = out.Most == 0
	const least, top = 4, 2 // one job is not a peak; a line has a width
	scale := float64(max(out.Most, least))
	var line strings.Builder
	point := func(i int, v float64) {
		x := float64(i) * chartWidth / samples
		y := chartHeight - 1 - v/scale*(chartHeight-1-top)
		fmt.Fprintf(&line, "%.4g,%.4g ", x, y)
	}
	for i, v := range values {
		// What is as it was before and after needs no point.
		if i > 0 && i < samples-1 && values[i-1] == v && values[i+1] == v {
			continue
		}
		point(i, float64(v))
	}
	point(samples, float64(waiting))
	out.Line = strings.TrimSpace(line.String())
	out.Area = fmt.Sprintf("0,%d %s %d,%d", chartHeight, out.Line, chartWidth, chartHeight)
	return out
}
