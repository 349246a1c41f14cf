package app

import (
	"sync"
	"time"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/cron"
	"github.com/action-llama/gateway/host/deliveries"
	"github.com/action-llama/gateway/host/ingest"
)

// snapshot is one configuration, whole and checked, put together with what the
// providers say. It is never changed: another takes its place.
type snapshot struct {
	project  *config.Project
	loadedAt time.Time
	digest   string // of the files

	routes *ingest.Routes
	view   *deliveries.View // the same for those who look back at deliveries
	ticks  []cron.Entry
	// secrets tells whether a credential is the one that it was; see digests.
	secrets map[string]string
	// credentialFiles are those that the secrets were read from.
	credentialFiles []string
}

// configuration is the snapshot that counts now. Whoever needs more than one
// thing of it takes it once: the next look may find another.
type configuration struct {
	mu  sync.RWMutex
	now *snapshot
}

func (c *configuration) get() *snapshot {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.now
}

// replace puts another snapshot in place, unless commit fails. While it commits,
// nobody begins anything by the one or by the other: a job of an agent that was
// just added is not looked up in a configuration that does not have it yet.
func (c *configuration) replace(next *snapshot, commit func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := commit(); err != nil {
		return err
	}
	c.now = next
	return nil
}
