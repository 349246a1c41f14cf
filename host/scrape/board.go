// Package scrape serves /metrics. What is told of a single agent is kept as the
// text that is served, and encoded again only when it changed: of a gateway
// with a thousand agents few do anything between two scrapes, and a scrape
// should cost what these few did.
//
// It knows no metric. Who counts something keeps it in a [Part] and says when
// that changed; what belongs to no agent is in a registry, gathered and encoded
// with each scrape as everywhere.
package scrape

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// timeout bounds a scrape, also while it waits for the one before it.
const timeout = 5 * time.Second

// Board has everything that is served. Its methods may be called at any time,
// from anywhere.
type Board struct {
	base prometheus.Gatherer

	// turn is held by the one scrape that gathers.
	turn  chan struct{}
	texts map[expfmt.Format]*text // used by it alone

	mu     sync.Mutex
	parts  []*Part // by name
	before []func()
}

// New returns a board that serves what base gathers, and parts.
func New(base prometheus.Gatherer) *Board {
	return &Board{base: base, turn: make(chan struct{}, 1), texts: map[expfmt.Format]*text{}}
}

// Part is what is told of one agent, or some of it.
type Part struct {
	name    string
	source  prometheus.Gatherer
	changes atomic.Uint64
	hidden  atomic.Bool
}

// Touch says that what the part gathers has changed. It is called after the
// change: a scrape that comes in between is followed by one that sees it.
func (p *Part) Touch() { p.changes.Add(1) }

// Show says whether the part is served; at first it is.
func (p *Part) Show(on bool) { p.hidden.Store(!on) }

// Add has a part served, sorted by its name among those of its families. No two
// parts may have the same series: each has a label with its agent.
func (b *Board) Add(name string, source prometheus.Gatherer) *Part {
	p := &Part{name: name, source: source}
	b.mu.Lock()
	defer b.mu.Unlock()
	at, _ := slices.BinarySearchFunc(b.parts, name, func(p *Part, name string) int { return strings.Compare(p.name, name) })
	b.parts = slices.Insert(b.parts, at, p)
	return p
}

// Remove takes parts away.
func (b *Board) Remove(gone ...*Part) {
	if len(gone) == 0 {
		return
	}
	set := make(map[*Part]bool, len(gone))
	for _, p := range gone {
		set[p] = true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parts = slices.DeleteFunc(b.parts, func(p *Part) bool { return set[p] })
}

// Before has each scrape call a function before it gathers, for parts that are
// read from somewhere else. Scrapes come one after the other, so the function
// and what its parts gather are never called at once.
func (b *Board) Before(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before = append(b.before, f)
}

// Gather implements [prometheus.Gatherer]: everything, with nothing kept.
func (b *Board) Gather() ([]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := b.wait(ctx); err != nil {
		return nil, err
	}
	defer func() { <-b.turn }()
	all := prometheus.Gatherers{b.base}
	for _, p := range b.prepare() {
		if !p.hidden.Load() {
			all = append(all, p.source)
		}
	}
	return all.Gather()
}

// wait returns when it is this scrape's turn.
func (b *Board) wait(ctx context.Context) error {
	select {
	case b.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the scrape before: %w", ctx.Err())
	}
}

// prepare returns the parts, brought up to date.
func (b *Board) prepare() []*Part {
	b.mu.Lock()
	before := slices.Clone(b.before)
	b.mu.Unlock()
	for _, f := range before {
		f()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.parts)
}

// maxFormats is how many formats are kept: Prometheus asks for one, a person
// for another. There are a dozen, with the ways to escape names.
const maxFormats = 3

// render returns a scrape in one of the text formats. What it returns may be
// read for as long as one likes, and must not be written to.
func (b *Board) render(ctx context.Context, f expfmt.Format) ([][]byte, error) {
	if err := b.wait(ctx); err != nil {
		return nil, err
	}
	type result struct {
		body [][]byte
		err  error
	}
	done := make(chan result, 1)
	go func() { // ends when gathering does: the turn sees to it that there is one
		var r result
		defer func() {
			if fault := recover(); fault != nil { // as net/http does for its handlers
				r = result{err: fmt.Errorf("gather metrics: %v", fault)}
			}
			<-b.turn
			done <- r
		}()
		r.body, r.err = b.gatherText(f)
	}()
	select {
	case r := <-done:
		return r.body, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("gather metrics: %w", ctx.Err())
	}
}

func (b *Board) gatherText(f expfmt.Format) ([][]byte, error) {
	t := b.texts[f]
	if t == nil {
		if len(b.texts) >= maxFormats {
			clear(b.texts)
		}
		t = newText(f)
		b.texts[f] = t
	}
	parts := b.prepare()
	families, err := b.base.Gather()
	errs := []error{err}
	t.begin()
	own, err := t.encode(families)
	errs = append(errs, err)
	t.add(own)
	for _, p := range parts {
		if p.hidden.Load() {
			continue
		}
		lines, err := t.of(p)
		errs = append(errs, err)
		t.add(lines)
	}
	t.forget(parts)
	if err := errors.Join(errs...); err != nil && t.empty() {
		return nil, err // else only what fails is left out
	}
	return t.end(), nil
}
