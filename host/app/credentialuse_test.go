package app

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
)

// What was last used outlasts the gateway, and goes on from there.
func TestCredentialUse(t *testing.T) {
	t.Parallel()
	project := t.TempDir()
	if err := os.Mkdir(StateDir(project), 0o700); err != nil {
		t.Fatal(err)
	}
	if last, err := CredentialUse(project); err != nil || last != nil {
		t.Errorf("before anything was used: %v, %v", last, err)
	}
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	ended, cancel := context.WithCancel(t.Context())
	cancel()

	u := newCredentialUse(project, hclog.NewNullLogger())
	u.used("hook_secret", "old", at)
	u.used("hook_secret", "new", at.Add(time.Hour))
	u.used("hook_secret", "new", at) // told late
	u.run(ended)                     // the last thing it does is to write

	u = newCredentialUse(project, hclog.NewNullLogger())
	u.used("hook_secret", "new", at.Add(2*time.Hour))
	u.run(ended)
	got, err := CredentialUse(project)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]time.Time{"hook_secret:old": at, "hook_secret:new": at.Add(2 * time.Hour)}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if info, err := os.Stat(credentialUseFile(project)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
