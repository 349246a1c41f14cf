package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/sdk"
)

const (
	swapRate  = 1000 // deliveries a second
	swapEvery = 500 * time.Millisecond
)

// swaps puts another file in the place of the provider again and again, under
// a steady load. Any answer but a 200 with a queued job fails it.
func swaps(ctx context.Context, o options, t *table) error {
	g, err := launch(ctx, o, project{agents: 1}, false)
	if err != nil {
		return err
	}
	defer g.stop()
	// In the project's own folder, which comes before the one beside al.
	file := filepath.Join(g.dir, ".al", "plugins", sdk.BinaryPrefix+"github")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	client, err := g.client()
	if err != nil {
		return err
	}
	before, err := g.metrics(ctx)
	if err != nil {
		return err
	}

	began := time.Now()
	running, stop := context.WithCancel(ctx)
	defer stop()
	loaded := make(chan error, 1)
	var latencies []time.Duration
	go func() {
		var err error
		latencies, err = steady(running, g, o.clients)
		loaded <- err
	}()
	n, took := 0, []time.Duration{}
	for until := time.Now().Add(2 * o.round); time.Now().Before(until); n++ {
		if err := replaceFile(file, filepath.Join(o.bin, "plugins", sdk.BinaryPrefix+"github")); err != nil {
			return err
		}
		asked := time.Now()
		out, err := client.ReloadProvider(ctx, "github")
		if err != nil {
			return err
		}
		if !out.OK {
			return fmt.Errorf("not replaced: %s", out.Detail)
		}
		took = append(took, time.Since(asked))
		select {
		case err := <-loaded:
			return errors.Join(errors.New("the load ended"), err)
		case <-time.After(swapEvery):
		}
	}
	stop()
	if err := <-loaded; err != nil {
		return fmt.Errorf("a delivery was not taken: %w", err)
	}
	lasted := time.Since(began)
	after, err := g.metrics(ctx)
	if err != nil {
		return err
	}
	const counter, calls = `al_provider_replacements_total{provider="github",result="replaced"}`, `al_provider_rpc_seconds_count{method="deliver",provider="github"}`
	slices.Sort(latencies)
	r := result{took: lasted, latencies: latencies}
	t.add(fmt.Sprintf("%d swaps under load, %d deliveries", n, len(latencies)), append([]string{
		fmt.Sprintf("%.0f by the counter", after[counter]-before[counter]), "0 not taken"}, r.figures()...)...)
	t.add("a swap, from asked to answered", quantiles(took)...)
	t.add("calls to the provider for a delivery", fmt.Sprintf("%.3f", (after[calls]-before[calls])/float64(len(latencies))),
		fmt.Sprintf("other calls %.0f", otherCalls(after)-otherCalls(before)))
	return nil
}

// steady sends deliveries at a rate until the context ends.
func steady(ctx context.Context, g *gateway, clients int) ([]time.Duration, error) {
	tokens := make(chan struct{}, swapRate)
	var all []time.Duration
	var failed error
	var mu sync.Mutex
	var sending sync.WaitGroup
	sendTo := context.WithoutCancel(ctx) // what is begun is ended
	for range clients {
		sending.Go(func() {
			latencies, err := send(sendTo, g.address(), githubRequests(g.address()), func() bool {
				select {
				case <-tokens:
					return true
				case <-ctx.Done():
					return false
				}
			})
			mu.Lock()
			defer mu.Unlock()
			all, failed = append(all, latencies...), errors.Join(failed, err)
		})
	}
	const step = 10 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	due := 0.0
	for last := time.Now(); ctx.Err() == nil; {
		select {
		case now := <-tick.C:
			due += now.Sub(last).Seconds() * swapRate
			last = now
		case <-ctx.Done():
		}
		for ; due >= 1; due-- {
			select {
			case tokens <- struct{}{}:
			default: // a second behind
			}
		}
	}
	sending.Wait()
	return all, failed
}

// replaceFile installs a file as one should: beside, and renamed.
func replaceFile(path, from string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(path+".new", raw, 0o700), os.Rename(path+".new", path)) //nolint:gosec // it is a program
}

func (g *gateway) client() (*api.Client, error) {
	key, err := app.APIKey(config.Credentials{Dir: filepath.Join(g.root, "credentials")})
	return &api.Client{URL: g.url, Key: key}, err
}

// metrics returns the gateway's series with their values.
func (g *gateway) metrics(ctx context.Context) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		series, value, ok := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); ok && err == nil {
			out[series] = n
		}
	}
	return out, nil
}

func otherCalls(series map[string]float64) float64 {
	sum := 0.0
	for name, value := range series {
		if strings.HasPrefix(name, "al_provider_rpc_seconds_count{") && !strings.Contains(name, `method="deliver"`) {
			sum += value
		}
	}
	return sum
}

// afterCrash kills the provider of a gateway and sends deliveries from then on,
// one after the other, until one is taken. Those that reach the process as it
// dies are refused.
func afterCrash(ctx context.Context, o options, t *table) error {
	var took []time.Duration
	refused := 0
	once := func(n int) error {
		g, err := launch(ctx, o, project{agents: 1}, false)
		if err != nil {
			return err
		}
		defer g.stop()
		began := time.Now()
		if err := syscall.Kill(g.provider(), syscall.SIGKILL); err != nil {
			return err
		}
		for try := 0; ; try++ {
			at, err := post(ctx, g, fmt.Sprintf("crash-%d-%d", n, try))
			if err == nil {
				took = append(took, at.Sub(began))
				return nil
			}
			if refused++; time.Since(began) > 30*time.Second {
				return err
			}
		}
	}
	for n := range max(10, o.rounds) {
		if err := once(n); err != nil {
			return err
		}
	}
	t.add("from the end of a provider to the next delivery taken", append(quantiles(took), fmt.Sprintf("%.1f refused meanwhile", float64(refused)/float64(len(took))))...)
	return nil
}

// bodySizes measures single calls to a provider with more and more in them.
func bodySizes(ctx context.Context, o options, t *table) error {
	dir, err := os.MkdirTemp("", "al-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	host := pluginhost.New(pluginhost.Options{Dirs: []string{filepath.Join(absolute(o.bin), "plugins")}, RuntimeDir: dir})
	defer func() { _ = host.Stop(context.WithoutCancel(ctx)) }()
	if err := host.Start(ctx, []string{"github"}); err != nil {
		return err
	}
	provider, _ := host.Provider("github")
	pid := provider.Status().PID
	secrets := []sdk.Secret{{Source: "github", Instance: "bench", Fields: map[string]string{"secret": secret}}}
	for _, size := range []struct {
		name  string
		bytes int
		calls int
	}{{"1 KB", 1 << 10, 2000}, {"64 KB", 64 << 10, 1000}, {"1 MB", 1 << 20, 200}, {"25 MB", 25 << 20, 10}} {
		req := sized(size.bytes)
		var took []time.Duration
		used := -cpu(os.Getpid()) - cpu(pid)
		for range size.calls {
			began := time.Now()
			out, err := provider.Deliver(ctx, req, secrets, sdk.DeliverOptions{})
			if err != nil {
				return err
			}
			if len(out.Events) != 1 {
				return fmt.Errorf("%d events in a body of %s", len(out.Events), size.name)
			}
			took = append(took, time.Since(began))
		}
		used += cpu(os.Getpid()) + cpu(pid)
		t.add("a call with a body of "+size.name, append(quantiles(took), fmt.Sprintf("CPU %d µs, both ends", used.Microseconds()/int64(size.calls)),
			fmt.Sprintf("provider %.0f MiB", residentMiB(pid)))...)
	}
	// As many as gateway.maxInflightBytes lets through by default.
	const atOnce = 5
	req := sized(25 << 20)
	var most atomic.Int64
	var calling sync.WaitGroup
	failed := make(chan error, atOnce)
	for range atOnce {
		calling.Go(func() {
			for range 3 {
				if _, err := provider.Deliver(ctx, req, secrets, sdk.DeliverOptions{}); err != nil {
					failed <- err
					return
				}
				most.Store(max(most.Load(), int64(residentMiB(pid))))
			}
		})
	}
	calling.Wait()
	close(failed)
	if err := <-failed; err != nil {
		return err
	}
	t.add(fmt.Sprintf("%d such calls at once", atOnce), fmt.Sprintf("provider %d MiB at most", most.Load()))
	return nil
}

// sized is a signed issue whose payload has so many bytes.
func sized(n int) sdk.Request {
	const head, tail = `{"action":"labeled","issue":{"number":42,"title":"Widgets","body":"`, `","user":{"login":"ada"},"labels":[{"name":"agent"}]},"label":{"name":"agent"},"repository":{"full_name":"acme/widgets"},"sender":{"login":"grace"}}`
	body := []byte(head + strings.Repeat("x", n-len(head)-len(tail)) + tail)
	return sdk.Request{
		Method: http.MethodPost, Path: "/webhooks/github", Body: body, ReceivedAt: time.Now(),
		Header: http.Header{
			"Content-Type": {"application/json"}, "X-Github-Event": {"issues"}, "X-Github-Delivery": {"sized"},
			"X-Hub-Signature-256": {sdk.SignHMACSHA256("sha256=", secret, body)},
		},
	}
}
