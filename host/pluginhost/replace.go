package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// Replacement is what became of a provider whose file may be another one now.
type Replacement struct {
	Type string
	// Before is the version of the process that answered before, empty when
	// there was none, and Version of the one that answers now.
	Before, Version string
	// Replaced is false when the file is the one that runs.
	Replaced bool
}

// fileID tells a provider's file from another one at its path. A file that was
// not found has none.
type fileID struct {
	path               string
	link, linked       [2]int64 // device and inode, of the path and of what it leads to
	size, made, linkAt int64
}

func identify(path string) (fileID, error) {
	linked, err := os.Stat(path)
	if err != nil {
		return fileID{}, err
	}
	link, err := os.Lstat(path)
	if err != nil {
		return fileID{}, err
	}
	return fileID{
		path: path, link: numbers(link), linked: numbers(linked),
		size: linked.Size(), made: linked.ModTime().UnixNano(), linkAt: link.ModTime().UnixNano(),
	}, nil
}

// fileOf returns the file that the next launch of a type would start.
func (h *Host) fileOf(typ string) fileID {
	byType, _ := candidates(h.opts.Dirs)
	paths := byType[typ]
	if len(paths) == 0 {
		return fileID{}
	}
	path, err := filepath.Abs(paths[0])
	if err != nil {
		return fileID{}
	}
	id, err := identify(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileID{path: path} // it is there, and nothing more can be said of it
	}
	return id
}

// Outdated is a provider whose file is not the one that was started, or tried,
// last.
type Outdated struct {
	Type string
	file fileID
}

// Outdated lists the providers whose file is another one than that which runs.
// One that was tried and did not work is not among them, unless again asks for
// those, too. It only looks: [Host.Refresh] replaces.
func (h *Host) Outdated(again bool) []Outdated {
	var out []Outdated
	for _, p := range h.all() {
		file := h.fileOf(p.typ)
		running, tried := p.files()
		if file != running && (file != tried || again && running != (fileID{})) {
			out = append(out, Outdated{Type: p.typ, file: file})
		}
	}
	sortByType(out, func(o Outdated) string { return o.Type })
	return out
}

// Files lists the paths at which a file would be what the next launch of a
// provider starts, or would hide it.
func (h *Host) Files() []string {
	var paths []string
	for _, p := range h.all() {
		for _, dir := range h.opts.Dirs {
			if path, err := filepath.Abs(filepath.Join(dir, sdk.BinaryPrefix+p.typ)); err == nil {
				paths = append(paths, path)
			}
		}
	}
	return paths
}

// order asks the supervisor for a launch, and is told what became of it.
type order struct {
	force  bool // also when the file is the one that runs
	result chan ordered
}

type ordered struct {
	Replacement
	err error
}

func (o *order) answer(r Replacement, err error) {
	if o != nil {
		o.result <- ordered{r, err} // buffered for the one word
	}
}

// Refresh puts the file of a provider that is there now in the place of the
// process that runs, unless that is the same. The new process starts beside the
// old one, must describe itself, pass a self-test and fit what the gateway goes
// by; then calls go to it, and the old one answers what it has begun. If
// anything is wrong with it the old one stays, and the error says why. A
// provider that is down is tried at once.
func (h *Host) Refresh(ctx context.Context, typ string) (Replacement, error) {
	return h.order(ctx, typ, false)
}

// Reload is Refresh for a file that may be the same.
func (h *Host) Reload(ctx context.Context, typ string) error {
	_, err := h.order(ctx, typ, true)
	return err
}

func (h *Host) order(ctx context.Context, typ string, force bool) (Replacement, error) {
	none := Replacement{Type: typ}
	p, ok := h.Provider(typ)
	if !ok {
		return none, fmt.Errorf("provider %s: not started, so there is nothing to reload", typ)
	}
	o := &order{force: force, result: make(chan ordered, 1)}
	select {
	case p.orders <- o:
	case <-p.done:
		return none, fmt.Errorf("provider %s: reload: the host is stopping", typ)
	case <-ctx.Done():
		return none, fmt.Errorf("provider %s: reload: %w", typ, context.Cause(ctx))
	}
	select {
	case out := <-o.result:
		if out.err != nil {
			return out.Replacement, fmt.Errorf("provider %s: reload: %w", typ, out.err)
		}
		return out.Replacement, nil
	case <-p.done:
		return none, fmt.Errorf("provider %s: reload: the host is stopping", typ)
	case <-ctx.Done():
		return none, fmt.Errorf("provider %s: reload: %w", typ, context.Cause(ctx))
	}
}

// renew does what an order asks for while a process runs. It returns the process
// that runs afterwards.
func (p *Provider) renew(ctx context.Context, old *instance, o *order) *instance {
	before := old.client.Describe().Version
	out := Replacement{Type: p.typ, Before: before, Version: before}
	if !o.force && p.host.fileOf(p.typ) == old.file {
		p.notReplaced(nil)
		o.answer(out, nil)
		return old
	}
	next, err := p.launch(ctx)
	if err == nil {
		if err = p.host.try(ctx, next); err != nil {
			p.discardFor(ctx, next, err)
		}
	}
	p.tell(func(m Metrics) {
		if m.Replaced != nil {
			m.Replaced(p.typ, err == nil)
		}
	})
	if err != nil {
		p.notReplaced(err)
		p.log.Error("provider not replaced, the process before stays", "version", before, "error", err)
		o.answer(out, err)
		return old
	}
	p.replace(old, next)
	out.Version, out.Replaced = next.client.Describe().Version, true
	p.log.Info("provider replaced", "before", before, "version", out.Version)
	o.answer(out, nil)
	return next
}

// launch starts a process, and remembers of which file.
func (p *Provider) launch(ctx context.Context) (*instance, error) {
	file := p.host.fileOf(p.typ)
	p.mu.Lock()
	p.tried = file
	p.mu.Unlock()
	in, err := p.host.launch(ctx, p.typ)
	switch {
	case err == nil:
		in.owner, in.file = p, file
	case ctx.Err() == nil: // else it was stopped meanwhile
		p.blame(err)
	}
	return in, err
}

// files returns that of the process of the moment, if there is one, and the one
// that was launched last, with success or without.
func (p *Provider) files() (running, tried fileID) {
	if in := p.living(); in != nil {
		running = in.file
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return running, p.tried
}

// notReplaced keeps why the file that is there now does not run, for the status.
func (p *Provider) notReplaced(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.NotReplaced, p.status.NotReplacedAt = "", time.Time{}
	if err != nil {
		p.status.NotReplaced, p.status.NotReplacedAt = err.Error(), time.Now()
	}
}

// replace lets calls through to the next process, and ends the old one beside.
// Whoever holds the old one (see [Provider.Pin]) gets to it for a while.
func (p *Provider) replace(old, next *instance) {
	p.tellUp(old.client.Describe().Version, false)
	p.publish(next)
	p.retiring.Go(func() {
		timer := time.NewTimer(p.host.timing.handover)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-old.proc.exited:
		case <-p.alive.Done():
		}
		close(old.leaving)
		// Nobody waits for it, so that no call need be cut.
		if err := p.retire(old, p.host.opts.CallTimeout+time.Second); err != nil {
			p.log.Error("old process of a provider that was replaced", "error", err)
		}
	})
}

// discardFor ends a process that did not get to answer, for what is wrong with it.
func (p *Provider) discardFor(ctx context.Context, in *instance, err error) {
	if ctx.Err() == nil { // else it was stopped meanwhile
		p.blame(err)
	}
	p.retiring.Go(func() {
		if err := p.retire(in, 0); err != nil {
			p.log.Error("process that was to replace a provider", "error", err)
		}
	})
}
