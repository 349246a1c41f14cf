package sqlite

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// powerVFS is a way to files that knows what of them is on the disk: what was
// written before the last sync. What came after may be there or not when the
// power fails, in any part and any order.
type powerVFS struct {
	vfs.VFS
	mu    sync.Mutex
	files map[string]*powerDisk // by the name of the file in its folder
}

type powerDisk struct {
	synced  []byte
	pending []powerWrite
}

// powerWrite is a write, or where data is nil the cutting of the file.
type powerWrite struct {
	at   int64
	data []byte
}

func (w powerWrite) apply(b []byte, from, to int) []byte {
	if w.data == nil {
		if int64(len(b)) > w.at {
			b = b[:w.at]
		}
		return b
	}
	if grown := int(w.at) + to; grown > len(b) {
		b = append(b, make([]byte, grown-len(b))...)
	}
	copy(b[int(w.at)+from:], w.data[from:to])
	return b
}

func (p *powerVFS) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := vfsutil.WrapOpen(p.VFS, name, flags)
	return p.wrap(name, f, flags, err)
}

func (p *powerVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := vfsutil.WrapOpenFilename(p.VFS, name, flags)
	return p.wrap(name.String(), f, flags, err)
}

func (p *powerVFS) wrap(name string, f vfs.File, flags vfs.OpenFlag, err error) (vfs.File, vfs.OpenFlag, error) {
	if err != nil || flags&(vfs.OPEN_MAIN_DB|vfs.OPEN_WAL) == 0 {
		return f, flags, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	base := filepath.Base(name)
	if p.files[base] == nil {
		synced, err := os.ReadFile(name)
		if err != nil {
			return nil, flags, err
		}
		p.files[base] = &powerDisk{synced: synced}
	}
	return &powerFile{File: f, p: p, disk: p.files[base]}, flags, nil
}

type powerFile struct {
	vfs.File
	p    *powerVFS
	disk *powerDisk
}

func (f *powerFile) Unwrap() vfs.File               { return f.File }
func (f *powerFile) SharedMemory() vfs.SharedMemory { return vfsutil.WrapSharedMemory(f.File) }

func (f *powerFile) WriteAt(b []byte, at int64) (int, error) {
	f.p.mu.Lock()
	f.disk.pending = append(f.disk.pending, powerWrite{at, bytes.Clone(b)})
	f.p.mu.Unlock()
	return f.File.WriteAt(b, at)
}

func (f *powerFile) Truncate(size int64) error {
	f.p.mu.Lock()
	f.disk.pending = append(f.disk.pending, powerWrite{at: size})
	f.p.mu.Unlock()
	return f.File.Truncate(size)
}

func (f *powerFile) Sync(flags vfs.SyncFlag) error {
	if err := f.File.Sync(flags); err != nil {
		return err
	}
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	for _, w := range f.disk.pending {
		f.disk.synced = w.apply(f.disk.synced, 0, len(w.data))
	}
	f.disk.pending = nil
	return nil
}

// cut returns the files as they might be after the power failed now.
func (p *powerVFS) cut() map[string][]byte {
	const sector = 512
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string][]byte{}
	kind := rand.IntN(4)
	for name, d := range p.files {
		b := bytes.Clone(d.synced)
		until := rand.IntN(len(d.pending) + 1)
		for i, w := range d.pending {
			switch {
			case kind == 0, kind == 1 && i >= until: // nothing more, or nothing from there on
			case kind <= 2:
				b = w.apply(b, 0, len(w.data)) // all of it
			case w.data == nil:
				if rand.IntN(2) == 0 {
					b = w.apply(b, 0, 0)
				}
			default: // some sectors and others not
				for from := 0; from < len(w.data); from += sector {
					if rand.IntN(2) == 0 {
						b = w.apply(b, from, min(from+sector, len(w.data)))
					}
				}
			}
		}
		out[name] = b
	}
	return out
}

// ledger is what callers were told.
type ledger struct {
	mu       sync.Mutex
	accepted map[string]bool // receipts
	finished map[string]bool // runs
}

func (l *ledger) told(of map[string]bool, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of[id] = true
}

func (l *ledger) copied() (accepted, finished map[string]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.accepted), maps.Clone(l.finished)
}

// Whenever the power fails, what callers were told is on the disk, the file is
// whole, and whatever of the last transaction is there does not show.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	p := &powerVFS{VFS: vfs.Find(""), files: map[string]*powerDisk{}}
	vfs.Register("power", p)
	t.Cleanup(func() { vfs.Unregister("power") })
	s := openStore(t, filepath.Join(t.TempDir(), "al.db"), Options{vfs: "power"})
	defer closeStore(t, s)
	err := s.SetLimits(t.Context(), store.Limits{Agents: []store.AgentLimits{{Agent: "dev", Scale: 8, Capacity: 1 << 20}}})
	if err != nil {
		t.Fatal(err)
	}
	told := &ledger{accepted: map[string]bool{}, finished: map[string]bool{}}
	stop := make(chan struct{})
	var work sync.WaitGroup
	defer work.Wait()
	defer close(stop)
	for range 6 {
		work.Go(func() { deliverUntil(t, s, told, stop) })
	}
	work.Go(func() { workUntil(t, s, told, stop) })

	// Some come while the log is folded into the file, which takes that much.
	folded := func() bool {
		info, err := os.Stat(s.writer.path)
		return err == nil && info.Size() > 1<<20
	}
	before := 0
	for cut := 0; cut < 15 || !folded(); cut++ {
		if cut == 1000 {
			t.Fatal("the log is never folded into the file")
		}
		before = told.grows(t, before+1+rand.IntN(40))
		accepted, finished := told.copied()
		dir := t.TempDir()
		for name, b := range p.cut() {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		checkAfterCut(t, filepath.Join(dir, "al.db"), accepted, finished)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d deliveries", before)
}

func deliverUntil(t *testing.T, s *Store, told *ledger, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		now := time.Now()
		id := job.NewID(now)
		_, err := s.Accept(t.Context(), store.Acceptance{
			Receipt: &job.Receipt{ID: id, ReceivedAt: now, Body: noise(100 + rand.IntN(20_000))},
			Jobs:    []store.NewJob{{Agent: "dev", Key: id}}, At: now,
		})
		if err != nil {
			t.Error(err)
			return
		}
		told.told(told.accepted, id)
	}
}

func workUntil(t *testing.T, s *Store, told *ledger, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		now := time.Now()
		c, err := s.Claim(t.Context(), store.Claim{Host: "here", At: now, Until: now.Add(time.Hour), Run: job.NewID(now)})
		if err == nil && c != nil {
			if err = s.Finish(t.Context(), store.Finish{Run: c.Run.ID, State: job.Done, At: now}); err == nil {
				told.told(told.finished, c.Run.ID)
			}
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}

// grows waits until so many deliveries were accepted.
func (l *ledger) grows(t *testing.T, to int) int {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		l.mu.Lock()
		n := len(l.accepted)
		l.mu.Unlock()
		if n >= to {
			return n
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%d deliveries were accepted, want %d", n, to)
		}
	}
}

func checkAfterCut(t *testing.T, path string, accepted, finished map[string]bool) {
	t.Helper()
	s := openStore(t, path, Options{}) // it looks for damage
	defer closeStore(t, s)
	checkCounts(t, s)
	there := map[string]bool{}
	err := s.read(t.Context(), func(c *conn) error {
		for _, sql := range []string{
			`SELECT r.id FROM receipts r JOIN jobs j ON j.receipt = r.id`,
			`SELECT id FROM runs WHERE state = 'done'`,
		} {
			q := c.prepare(sql)
			for q.next() {
				there[q.ColumnText(0)] = true
			}
			if err := q.done(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	lost := 0
	for _, of := range []map[string]bool{accepted, finished} {
		for id := range of {
			if !there[id] {
				lost++
			}
		}
	}
	if lost > 0 {
		t.Errorf("of %d deliveries and %d ends of runs that callers were told of, %d are lost", len(accepted), len(finished), lost)
	}
}
