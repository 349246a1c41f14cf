package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// Hosts of a new version start together.
func TestSeveralMakeTheSchema(t *testing.T) {
	t.Parallel()
	url := server.URL(t)
	const hosts = 4
	stores := make([]*Store, hosts)
	errs := make([]error, hosts)
	var wg sync.WaitGroup
	for i := range hosts {
		wg.Go(func() { stores[i], errs[i] = Open(t.Context(), url, Options{}) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	for _, s := range stores {
		if s != nil {
			_ = s.Close()
		}
	}
	schema, err := Check(t.Context(), url)
	if err != nil || schema.Version != schema.Known || schema.Known == 0 {
		t.Errorf("schema %+v, %v", schema, err)
	}
}

// What a newer al has made is left alone, whoever comes.
func TestASchemaOfTheFuture(t *testing.T) {
	t.Parallel()
	url := server.URL(t)
	if _, err := OpenReadOnly(t.Context(), url); !errors.Is(err, ErrEmpty) {
		t.Errorf("an empty database: %v", err)
	}
	before, err := Migrate(t.Context(), url)
	if err != nil || before.Version != 0 {
		t.Fatalf("%+v, %v", before, err)
	}
	run(t, connect(t, url), `INSERT INTO al_schema (version_id, is_applied) VALUES (99, true)`)
	_, open := Open(t.Context(), url, Options{})
	_, read := OpenReadOnly(t.Context(), url)
	_, migrated := Migrate(t.Context(), url)
	_, checked := Check(t.Context(), url)
	_, copied := TransferFrom(t.Context(), url)
	for what, err := range map[string]error{"open": open, "read": read, "migrate": migrated, "check": checked, "copy": copied} {
		if err == nil || !strings.Contains(err.Error(), "schema version 99") || !strings.Contains(err.Error(), "newer al") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Nothing that is said of a URL says what it is.
func TestAURLIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://someone:hunter2@127.0.0.1:1/secretdb",
		"postgres://someone:hunter2@nowhere.invalid/secretdb",
		"postgres://someone:hunter2@127.0.0.1:x/secretdb",
		"postgres://someone:hunter2@[::1/secretdb",
		"postgres://someone:hunter2@127.0.0.1/secretdb?sslmode=perhaps",
		"postgres://someone:hunter2@/secretdb?host=/nowhere/secretdb",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		_, open := Open(ctx, url, Options{})
		_, read := OpenReadOnly(ctx, url)
		cancel()
		for what, err := range map[string]error{"open": open, "read": read} {
			if err == nil {
				t.Errorf("%s of %s worked", what, url)
				continue
			}
			for _, part := range []string{"hunter2", "someone", "secretdb", url} {
				if strings.Contains(err.Error(), part) {
					t.Errorf("%s says %q of its URL: %v", what, part, err)
				}
			}
		}
	}
}

// Whatever bytes a vendor sends come back, and keys stay apart.
func TestTextThatPostgreSQLCanNotHold(t *testing.T) {
	t.Parallel()
	s := setup(t, server.URL(t))
	odd := []string{"", "\x00", "a\x00b", "\xff", "\xff\x00", escapeMark, escapeMark + "AA==", "ü\u2028", "a", "\x01"}
	for i, text := range odd {
		r := job.Receipt{
			ID: fmt.Sprintf("%03d", i), Provider: text, Sources: []string{"s"}, DeliveryID: text, ReceivedAt: s.Now(), Method: text,
			Path: text, Query: text, Outcome: job.Queued, Reason: text, Event: text, ReplayOf: text,
		}
		a, err := s.Accept(t.Context(), store.Acceptance{Receipt: &r, Jobs: []store.NewJob{{
			Agent: "dev", Source: text, Provider: text, Event: text, DeliveryID: text, Key: "key" + text,
			Concurrency: store.Concurrency{Key: text}, Sensitive: []string{"x" + text},
		}}, At: s.Now()})
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if a.Verdicts[0] != store.Enqueued {
			t.Errorf("%q is taken for another: %v", text, a)
		}
		got, err := s.Receipt(t.Context(), r.ID)
		if err != nil || got.DeliveryID != text || got.Query != text || got.Reason != text || got.ReplayOf != text {
			t.Errorf("%q came back as %+v, %v", text, got, err)
		}
		j, err := s.Job(t.Context(), a.IDs[0])
		if err != nil || j.Source != text || j.ConcurrencyKey != text || j.DeliveryID != text {
			t.Errorf("%q came back as %+v, %v", text, j, err)
		}
	}
}
