package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/host/store/storetest"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		fmt.Fprintln(os.Stderr, crashChild(path, os.Stdout))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func TestStore(t *testing.T) {
	storetest.Exercise(t, func(t *testing.T) storetest.Place {
		path := filepath.Join(t.TempDir(), "al.db")
		return func(t *testing.T) store.Store {
			t.Helper()
			return openStore(t, path, Options{})
		}
	})
}

func openStore(tb testing.TB, path string, opts Options) *Store {
	tb.Helper()
	s, err := Open(context.Background(), path, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}
