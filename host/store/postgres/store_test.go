package postgres

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/host/store/pgtest"
	"github.com/action-llama/gateway/host/store/storetest"
)

var server *pgtest.Server

func TestMain(m *testing.M) {
	// A step of the model is a round trip here; -rapid.checks asks for more.
	if err := flag.Set("rapid.checks", "10"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server = pgtest.Start()
	code := m.Run()
	server.Stop()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func TestStore(t *testing.T) { storetest.Exercise(t, place) }

func TestFleet(t *testing.T) { storetest.ExerciseFleet(t, place) }

func place(t *testing.T) storetest.Place {
	t.Helper()
	url := server.URL(t)
	return func(t *testing.T) store.Store {
		t.Helper()
		return openStore(t, url, Options{callersClock: true})
	}
}

func openStore(tb testing.TB, url string, opts Options) *Store {
	tb.Helper()
	s, err := Open(context.Background(), url, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}
