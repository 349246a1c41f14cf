package app

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/watch"
)

// Timing of automatic reloads. The zero value of a field is its default.
type Timing struct {
	Quiet    time.Duration // see watch.Options, also for the next two
	Patience time.Duration
	Poll     time.Duration
	// Settle is for how long files that were read must be the same afterwards.
	// Defaults to 50 ms, in which every editor has written what it truncated.
	Settle time.Duration
}

const defaultSettle = 50 * time.Millisecond

// keeper keeps the configuration up to date while the gateway runs: when files
// change, when somebody asks, and when a provider comes up that may say
// something else than the one before. One goroutine does all of it, one thing
// after the other.
type keeper struct {
	app     *App
	metrics *metrics
	settle  time.Duration
	watcher *watch.Watcher
	started *config.Project // for what can not change
	asked   chan chan<- api.Reloaded
	// renewals are of single providers.
	renewals chan renewal
	ended    chan struct{}
	turn     chan struct{} // held while something is taken up, and from Hold to Resume

	failed atomic.Pointer[failure] // nil when the last reload worked

	// The goroutine's own.
	left   <-chan struct{} // closed when providers that are not needed can go
	unsure bool            // the store may hold the limits of a configuration that failed
	moving int             // looks in a row that found files changing under them
	warned map[string]bool // of what the configuration that counts warns
}

// failure is why the last reload did not work.
type failure struct {
	text     string
	at       time.Time
	problems config.Problems
	files    *config.Files // of the configuration that was tried
	// final: nothing but other files would make it work.
	final bool
}

// newKeeper returns one for a gateway that goes by its first configuration,
// whose problems were told.
func newKeeper(a *App, t Timing, m *metrics, told config.Problems) *keeper {
	if t.Settle <= 0 {
		t.Settle = defaultSettle
	}
	k := &keeper{
		app: a, metrics: m, settle: t.Settle,
		started: a.config.get().project,
		asked:   make(chan chan<- api.Reloaded), renewals: make(chan renewal),
		ended:   make(chan struct{}),
		turn:    make(chan struct{}, 1),
		watcher: watch.New(watch.Options{Quiet: t.Quiet, Patience: t.Patience, Poll: t.Poll, Log: a.log.Named("watch")}),
	}
	k.warned, _ = newsOf(told, nil)
	m.configuration(true, a.config.get().loadedAt)
	return k
}

func (k *keeper) run(ctx context.Context) {
	defer close(k.ended)
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { k.watcher.Run(ctx) })
	k.watch()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.app.rewire:
			k.inTurn(ctx, k.rewire)
		case answer := <-k.asked:
			k.inTurn(ctx, func() { answer <- k.reloadAll(ctx) })
		case r := <-k.renewals:
			k.inTurn(ctx, func() { r.answer <- k.renew(ctx, r.typ) })
		case <-k.watcher.Changed():
			k.inTurn(ctx, func() { k.look(ctx) })
		case <-k.left:
			k.left = nil
			k.app.providers.Remove(k.unneeded())
		}
		k.watch()
	}
}

// Reload implements [api.Configuring].
func (a *App) Reload(ctx context.Context) (api.Reloaded, error) {
	answer := make(chan api.Reloaded, 1)
	select {
	case a.keeper.asked <- answer:
	case <-a.keeper.ended:
		return api.Reloaded{}, api.Conflict("the gateway is stopping")
	case <-ctx.Done():
		return api.Reloaded{}, api.Conflict("the gateway is busy with another reload; try again")
	}
	select {
	case out := <-answer:
		return out, nil
	case <-a.keeper.ended: // it was about to
		return api.Reloaded{}, api.Conflict("the gateway is stopping")
	case <-ctx.Done():
		return api.Reloaded{}, api.Conflict("the reload takes longer than one can wait for; al stat tells how it ended")
	}
}

// watch has the watcher look after what was read: for the configuration that
// counts, and for one that failed, which somebody is mending.
func (k *keeper) watch() {
	now := k.app.config.get()
	if !now.project.Gateway.AutoReload {
		k.watcher.Watch(nil, nil)
		return
	}
	files, folders := now.project.Files.Paths()
	if f := k.failed.Load(); f != nil && f.files != nil {
		more, moreFolders := f.files.Paths()
		files, folders = append(files, more...), append(folders, moreFolders...)
	}
	files = append(files, now.credentialFiles...)
	if providers, ok := k.app.providers.(renewing); ok {
		files = append(files, providers.Files()...)
	}
	k.watcher.Watch(append(files, apiKeyFiles(k.app.credentials)...), folders)
}

// movingLooks is how often files may change under a look until that is said.
const movingLooks = 5

// look takes up what changed, if anything did.
func (k *keeper) look(ctx context.Context) {
	if !k.app.config.get().project.Gateway.AutoReload || k.app.StopRequested() {
		return
	}
	k.app.refreshAPIKey()
	k.renewSettled(ctx)
	now := k.app.config.get()
	if k.unsure {
		k.settleLimits(ctx, now)
	}
	if !k.changed(now) {
		k.recovered()
		return
	}
	if f := k.failed.Load(); f != nil && f.final && !f.files.Changed() {
		return // was told
	}
	t := k.attempt(ctx)
	if errors.Is(t.err, errMoving) {
		// They give notice when they go on, and are looked at then.
		k.drop(t)
		if k.moving++; k.moving == movingLooks {
			k.app.log.Warn("files of the project keep changing; they are taken up when they hold still")
		}
		return
	}
	k.moving = 0
	if k.finish(ctx, t).OK {
		k.renewAll(ctx, true) // what did not fit the configuration of before
	}
}

// reload is one that somebody asked for.
func (k *keeper) reload(ctx context.Context) api.Reloaded {
	k.app.refreshAPIKey()
	now := k.app.config.get()
	if k.unsure {
		k.settleLimits(ctx, now)
	}
	if !k.changed(now) {
		k.recovered()
		k.metrics.reloads.WithLabelValues(api.ReloadUnchanged).Inc()
		k.app.log.Info("configuration is unchanged", "digest", now.digest)
		return api.Reloaded{OK: true, Outcome: api.ReloadUnchanged, Config: *k.status(), Changes: []api.Change{}, Problems: []api.Problem{}}
	}
	return k.finish(ctx, k.attempt(ctx))
}

// changed says whether what is on the disk differs from what counts.
func (k *keeper) changed(now *snapshot) bool {
	return now.project.Files.Changed() || !maps.Equal(now.secrets, k.secretsOf(now.project))
}

// recovered forgets a failure: the files are again those that count.
func (k *keeper) recovered() {
	if k.failed.Swap(nil) == nil {
		return
	}
	now := k.app.config.get()
	k.metrics.configuration(true, now.loadedAt)
	k.app.log.Info("configuration is again the one that counts", "digest", now.digest)
}

// limitsPatience is far above what a commit takes on a slow disk.
const limitsPatience = 10 * time.Second

// finish makes what was attempted count, or tells why it can not.
func (k *keeper) finish(ctx context.Context, t attempted) api.Reloaded {
	if t.next == nil {
		return k.fail(t)
	}
	before := k.app.config.get()
	ctx, cancel := context.WithTimeout(ctx, limitsPatience)
	defer cancel()
	left, err := k.app.install(ctx, t.next)
	if err != nil {
		k.unsure = true // it may have been recorded all the same
		t.err = err
		return k.fail(t)
	}
	k.left, k.unsure = left, false
	k.failed.Store(nil)
	return k.tell(before, t)
}

// fail leaves everything as it is, and says so.
func (k *keeper) fail(t attempted) api.Reloaded {
	k.drop(t)
	f := &failure{at: time.Now(), problems: t.problems, files: t.files, text: brief(t), final: t.final}
	before := k.failed.Swap(f)
	k.metrics.reloads.WithLabelValues(api.ReloadFailed).Inc()
	k.metrics.configuration(false, time.Time{})
	if before == nil || before.text != f.text {
		k.tellFailure(t)
	}
	return api.Reloaded{
		Outcome: api.ReloadFailed, Detail: f.text, Config: *k.status(),
		Changes: []api.Change{}, Problems: problemsOf(t.problems),
	}
}

// settleLimits brings the store back to the limits of the configuration that
// counts.
func (k *keeper) settleLimits(ctx context.Context, now *snapshot) {
	ctx, cancel := context.WithTimeout(ctx, limitsPatience)
	defer cancel()
	if err := k.app.store.SetLimits(ctx, limitsOf(now.project)); err != nil {
		k.app.log.Warn("limits can not be set, trying again", "error", err)
		return
	}
	k.unsure = false
}

// rewire makes what a provider says of itself hold when it comes up late, or
// comes back as another version.
func (k *keeper) rewire() {
	now := k.app.config.get()
	w := wire(now.project, k.app.credentials, k.app.providers.Get)
	if err := append(w.problems, w.settings...).Err(); err != nil {
		k.app.log.Error("a provider came up with which the configuration does not fit", "error", err)
	}
	next := *now
	keepSecrets(w.routes, now.routes)
	next.routes, next.view = w.routes, w.view
	next.secrets, next.credentialFiles = digests(w.routes), w.credentialFiles
	_ = k.app.config.replace(&next, func() error { return nil })
	k.left = k.app.ingest.Update(next.routes)
}
