package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// bell is a named pipe that harnesses write to as the first thing they do.
type bell struct {
	file string
	rang chan time.Time
	pipe *os.File
}

func newBell() (*bell, error) {
	dir, err := os.MkdirTemp("", "al-bench-bell-")
	if err != nil {
		return nil, err
	}
	b := &bell{file: filepath.Join(dir, "bell"), rang: make(chan time.Time, 1024)}
	if err := syscall.Mkfifo(b.file, 0o600); err != nil {
		return nil, err
	}
	if b.pipe, err = os.OpenFile(b.file, os.O_RDWR, 0); err != nil { // both ends, so that it never closes
		return nil, err
	}
	go func() {
		lines := bufio.NewScanner(b.pipe)
		for lines.Scan() {
			b.rang <- time.Now()
		}
	}()
	return b, nil
}

func (b *bell) close() {
	_ = b.pipe.Close()
	_ = os.RemoveAll(filepath.Dir(b.file))
}

// wait returns when a harness began.
func (b *bell) wait(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	select {
	case at := <-b.rang:
		return at, nil
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("no harness began: %w", ctx.Err())
	}
}

// post sends one delivery and returns when it was answered.
func post(ctx context.Context, g *gateway, id string) (time.Time, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url+"/webhooks/github", bytes.NewReader(payload))
	if err != nil {
		return time.Time{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", "issues")
	req.Header.Set("X-GitHub-Delivery", id)
	req.Header.Set("X-Hub-Signature-256", sdk.SignHMACSHA256("sha256=", secret, payload))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return time.Time{}, err
	}
	at := time.Now()
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return at, fmt.Errorf("answered %d", resp.StatusCode)
	}
	return at, nil
}

// toProcess measures from the answer to the first thing that the harness does,
// a shell's "echo", on a gateway that has nothing else to do.
func toProcess(ctx context.Context, o options, t *table) error {
	b, err := newBell()
	if err != nil {
		return err
	}
	defer b.close()
	g, err := launch(ctx, o, project{agents: 1, command: fmt.Sprintf(`["sh", "-c", "echo >%s"]`, b.file)}, false)
	if err != nil {
		return err
	}
	defer g.stop()
	var waits []time.Duration
	for n := range 200 {
		answered, err := post(ctx, g, fmt.Sprint("latency-", n))
		if err != nil {
			return err
		}
		began, err := b.wait(ctx)
		if err != nil {
			return err
		}
		waits = append(waits, max(0, began.Sub(answered)))
		pause := time.NewTimer(20 * time.Millisecond) // for the run to end
		select {
		case <-pause.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	t.add("from the answer to the harness at work, idle", quantiles(waits)...)
	return nil
}

func quantiles(of []time.Duration) []string {
	of = slices.Clone(of)
	slices.Sort(of)
	at := func(q float64) string {
		d := of[min(len(of)-1, int(q*float64(len(of))))]
		return fmt.Sprintf("p%g %.1f ms", 100*q, float64(d.Microseconds())/1000)
	}
	return []string{at(.5), at(.99)}
}
