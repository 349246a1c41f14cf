package pluginhost

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/sdk"
)

// Somebody who is about to install a provider learns what it is, and has
// nothing left running.
func TestInspect(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, typ := range []string{"ok", "future", "wrongtype"} {
		install(t, dir, typ)
	}
	opts := Options{Dirs: []string{dir}, RuntimeDir: runtimeDir(t), StartTimeout: 30 * time.Second, Log: hclog.NewNullLogger()}
	ctx := within(t, 60*time.Second)
	got, err := Inspect(ctx, opts, "ok")
	if err != nil || got.Type != "ok" || got.Protocol != sdk.ProtocolVersion {
		t.Errorf("Inspect: %s with protocol %d, %v", got.Type, got.Protocol, err)
	}
	for typ, want := range map[string]string{
		"future":    "speaks version 7 of the protocol",
		"wrongtype": `it says that its type is "other"`,
		"absent":    "no file al-provider-absent",
	} {
		if _, err := Inspect(ctx, opts, typ); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", typ, err, want)
		}
	}
	opts.Approve = func(Binary) error { return errors.New("not this one") }
	if _, err := Inspect(ctx, opts, "ok"); !errors.Is(err, ErrUnusable) {
		t.Errorf("not approved: %v", err)
	}
	if left, err := os.ReadDir(opts.RuntimeDir + "/run"); err == nil && len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
