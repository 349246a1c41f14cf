package watch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/hashicorp/go-hclog"
)

const (
	// DefaultQuiet is longer than an editor, a checkout or a ConfigMap needs
	// from one file to the next, and shorter than a person waits.
	DefaultQuiet = 250 * time.Millisecond
	// DefaultPatience is when to speak although it never gets quiet.
	DefaultPatience = 2 * time.Second
	// DefaultPoll is for what no notice came of.
	DefaultPoll = 30 * time.Second
)

// Options of a Watcher. The zero value of a field is its default.
type Options struct {
	Quiet    time.Duration // without a change, for a burst to be over
	Patience time.Duration // the longest wait for that, from the first change
	Poll     time.Duration // between signals for which nothing need have changed
	Log      hclog.Logger
}

// Watcher watches paths until the context of its Run ends.
type Watcher struct {
	opts    Options
	changed chan struct{} // holds one signal
	stirred chan struct{} // holds one: something that matters has changed
	renewed chan struct{} // holds one: other paths are to be watched

	mu     sync.Mutex
	files  []string
	lists  []string
	places places // what counts now; for the reader of events
}

// New returns a watcher that watches nothing yet.
func New(o Options) *Watcher {
	if o.Quiet <= 0 {
		o.Quiet = DefaultQuiet
	}
	if o.Patience <= 0 {
		o.Patience = DefaultPatience
	}
	if o.Poll <= 0 {
		o.Poll = DefaultPoll
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	return &Watcher{
		opts:    o,
		changed: make(chan struct{}, 1),
		stirred: make(chan struct{}, 1),
		renewed: make(chan struct{}, 1),
	}
}

// Changed gives a signal when what is behind the watched paths may have changed.
// Signals that nobody has taken yet are one.
func (w *Watcher) Changed() <-chan struct{} { return w.changed }

// Watch replaces what is watched: absolute paths of files, which need not exist,
// and of folders whose entries matter whatever they are called. The next signal
// is not long in coming when something had to be watched that was not before,
// for it may have changed meanwhile.
func (w *Watcher) Watch(files, lists []string) {
	w.mu.Lock()
	w.files, w.lists = files, lists
	w.mu.Unlock()
	signal(w.renewed)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run watches until the context ends. Where the system gives no notice it goes
// by the clock alone.
func (w *Watcher) Run(ctx context.Context) {
	n := &notices{log: w.opts.Log, dirs: map[string]os.FileInfo{}}
	var readers sync.WaitGroup
	defer readers.Wait()
	if system, err := fsnotify.NewWatcher(); err != nil {
		w.opts.Log.Warn("changes of files are not noticed at once, but looked for", "every", w.opts.Poll, "error", err)
	} else {
		n.system = system
		defer func() { _ = system.Close() }()
		// Apart, and never waiting for this goroutine: fsnotify can not be told
		// of new folders while its events are not taken.
		readers.Go(func() { w.read(system) })
	}

	poll := time.NewTicker(w.opts.Poll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.renewed:
			if !w.sync(n) {
				continue // all of it was watched before
			}
			w.settle(ctx)
		case <-w.stirred:
			w.settle(ctx)
		case <-poll.C:
		}
		// Before anybody looks: what appears from now on gives notice.
		w.sync(n)
		signal(w.changed)
	}
}

// read takes events until the system's watcher is closed.
func (w *Watcher) read(system *fsnotify.Watcher) {
	for {
		select {
		case e, ok := <-system.Events:
			if !ok {
				return
			}
			dir, name := filepath.Split(e.Name)
			dir = filepath.Clean(dir)
			w.mu.Lock()
			// A folder that is watched is itself one of the names of another;
			// but when it goes, the notice may come from itself alone.
			matters := w.places.matter(dir, name) || w.places[e.Name] != nil
			w.mu.Unlock()
			if matters {
				signal(w.stirred)
			}
		case err, ok := <-system.Errors:
			if !ok {
				return
			}
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				w.opts.Log.Debug("watching files", "error", err)
			}
			signal(w.stirred) // something was missed
		}
	}
}

// settle waits until nothing has changed for a moment, but not forever.
func (w *Watcher) settle(ctx context.Context) {
	quiet := time.NewTimer(w.opts.Quiet)
	defer quiet.Stop()
	patience := time.NewTimer(w.opts.Patience)
	defer patience.Stop()
	for {
		select {
		case <-w.stirred:
			quiet.Reset(w.opts.Quiet)
		case <-quiet.C:
			return
		case <-patience.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// sync watches the folders that matter now, and says whether one of them was
// not watched before.
func (w *Watcher) sync(n *notices) bool {
	w.mu.Lock()
	files, lists := w.files, w.lists
	w.mu.Unlock()
	fresh := false
	// What is found may be gone when it comes to be watched, or have changed
	// before it was: then the next look finds more. Whoever changes things that
	// fast is noticed afterwards.
	for range 3 {
		found := seek(files, lists)
		w.mu.Lock()
		w.places = found
		w.mu.Unlock()
		if !n.set(found) {
			return fresh
		}
		fresh = true
	}
	return fresh
}

// notices are what the system was asked to tell of.
type notices struct {
	system *fsnotify.Watcher // nil when there is none
	dirs   map[string]os.FileInfo
	log    hclog.Logger
	told   string
}

// set asks for notice of these folders and of no others, and says whether one
// of them is new: by its name, or as another folder of the same name.
func (n *notices) set(found places) (fresh bool) {
	if n.system == nil {
		return false
	}
	for dir := range n.dirs {
		if found[dir] == nil {
			n.forget(dir)
		}
	}
	// Notices end with a folder that is deleted or moved away; one that is back
	// has to be asked for again.
	listed := map[string]bool{}
	for _, dir := range n.system.WatchList() {
		listed[dir] = true
	}
	maps.DeleteFunc(n.dirs, func(dir string, _ os.FileInfo) bool { return !listed[dir] })
	var failed error
	for dir := range found {
		info, err := os.Stat(dir)
		if err != nil {
			continue // gone since; the folder that it was in tells
		}
		if before := n.dirs[dir]; before != nil {
			if os.SameFile(before, info) {
				continue
			}
			n.forget(dir)
		}
		if err := n.system.Add(dir); err != nil {
			failed = fmt.Errorf("%s: %w", dir, err)
			continue
		}
		n.dirs[dir] = info
		fresh = true
	}
	n.tell(failed)
	return fresh
}

func (n *notices) forget(dir string) {
	_ = n.system.Remove(dir) // an error says that it is gone already
	delete(n.dirs, dir)
}

// tell logs what keeps a folder from being watched, once.
func (n *notices) tell(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != n.told {
		n.log.Warn("a folder can not be watched; changes in it are found later", "error", err)
	}
	n.told = text
}
