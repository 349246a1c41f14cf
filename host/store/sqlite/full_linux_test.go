package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// The real thing, where mounting is allowed; TestDiskFull stands in elsewhere.
func TestDiskFullForReal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m"); err != nil {
		t.Skipf("needs leave to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}

	path := filepath.Join(dir, "al.db")
	s := openStore(t, path, Options{})
	body := noise(20_000)
	accepted := 0
	for {
		_, err := s.Accept(context.Background(), store.Acceptance{
			Receipt: &job.Receipt{ID: fmt.Sprintf("%05d", accepted), ReceivedAt: noon, Body: body},
			Jobs:    []store.NewJob{{Agent: "dev"}}, At: noon,
		})
		if err != nil {
			unavailableAs(t, err, path, "its disk is full")
			break
		}
		accepted++
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	mustAccept(t, s, "dev", "with room again")
	checkCounts(t, s)
	closeStore(t, s)

	s = openStore(t, path, Options{})
	defer closeStore(t, s)
	receipts, err := s.Receipts(context.Background(), store.Query{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if len(receipts) != accepted {
		t.Errorf("%d receipts are there, %d were accepted", len(receipts), accepted)
	}
}
