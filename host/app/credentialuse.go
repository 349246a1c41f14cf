package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/config"
)

// credentialUse remembers when each credential last proved a delivery or was
// handed to a run, so that a person who replaces one sees when the old one is
// out of use. It is kept in memory and written now and then: a crash may cost
// the last ten seconds of it, and no delivery ever waits for it.
type credentialUse struct {
	file string
	log  hclog.Logger

	mu      sync.Mutex
	last    map[string]time.Time // by "type:instance"
	changed bool
}

const credentialUseEvery = 10 * time.Second

func credentialUseFile(project string) string {
	return filepath.Join(StateDir(project), "credential-use.json")
}

// newCredentialUse goes on from what is on the disk.
func newCredentialUse(project string, log hclog.Logger) *credentialUse {
	last, err := CredentialUse(project)
	if err != nil {
		log.Warn("when credentials were last used is not known any more", "error", err)
	}
	if last == nil {
		last = map[string]time.Time{}
	}
	return &credentialUse{file: credentialUseFile(project), log: log, last: last}
}

// CredentialUse returns when each credential, "type:instance", was last used by
// the gateway of a project, as far as that is known.
func CredentialUse(project string) (map[string]time.Time, error) {
	return readCredentialUse(credentialUseFile(project))
}

func readCredentialUse(file string) (map[string]time.Time, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var last map[string]time.Time
	if err := json.Unmarshal(raw, &last); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return last, nil
}

func (u *credentialUse) used(typ, instance string, at time.Time) {
	name := config.CredentialRef{Type: typ, Instance: instance}.String()
	u.mu.Lock()
	defer u.mu.Unlock()
	if at.After(u.last[name]) {
		u.last[name], u.changed = at, true
	}
}

// run writes what is new until ctx ends, and then once more.
func (u *credentialUse) run(ctx context.Context) {
	tick := time.NewTicker(credentialUseEvery)
	defer tick.Stop()
	for done := false; !done; {
		select {
		case <-ctx.Done():
			done = true
		case <-tick.C:
		}
		if err := u.write(); err != nil {
			u.log.Warn("when credentials were last used could not be written", "error", err)
		}
	}
}

func (u *credentialUse) write() error {
	u.mu.Lock()
	changed, last := u.changed, maps.Clone(u.last)
	u.changed = false
	u.mu.Unlock()
	if !changed {
		return nil
	}
	// Another gateway may have written since: the one that this one has taken
	// over from, or that takes over from it.
	others, err := readCredentialUse(u.file)
	if err != nil {
		u.log.Warn("when credentials were last used is not known any more", "error", err)
	}
	for name, at := range others {
		if at.After(last[name]) {
			last[name] = at
		}
	}
	raw, err := json.MarshalIndent(last, "", "  ")
	if err != nil {
		return err
	}
	draft := fmt.Sprintf("%s.%d.tmp", u.file, os.Getpid())
	if err := os.WriteFile(draft, append(raw, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(draft, u.file)
}
