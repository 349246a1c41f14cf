//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// balancer sends each request to the next of the hosts that say that they are
// ready. One that can not be connected to is left out until it says so again, and
// the request goes to another; a request that has reached a host goes nowhere
// else, whatever becomes of it.
type balancer struct {
	*httptest.Server
	client *http.Client
	turn   atomic.Int64

	mu    sync.Mutex
	hosts map[string]bool // by URL: whether it is ready
}

const (
	balancerLooks   = 200 * time.Millisecond
	balancerPatient = 15 * time.Second // with a host that has a request
)

func newBalancer(t *testing.T) *balancer {
	b := &balancer{hosts: map[string]bool{}}
	transport := &http.Transport{
		MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Second,
		DialContext: (&net.Dialer{Timeout: time.Second}).DialContext,
	}
	b.client = &http.Client{Transport: transport, Timeout: balancerPatient}
	b.Server = httptest.NewServer(b)
	ctx, cancel := context.WithCancel(context.Background())
	var looking sync.WaitGroup
	looking.Go(func() {
		for ctx.Err() == nil {
			b.look(ctx)
			pauseFor(ctx, balancerLooks)
		}
	})
	t.Cleanup(func() {
		cancel()
		looking.Wait()
		transport.CloseIdleConnections()
		b.CloseClientConnections()
		b.Close()
	})
	return b
}

func (b *balancer) add(url string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hosts[url] = true
}

func (b *balancer) remove(url string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.hosts, url)
}

func (b *balancer) set(url string, ready bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.hosts[url]; ok {
		b.hosts[url] = ready
	}
}

// look asks all hosts whether they are ready.
func (b *balancer) look(ctx context.Context) {
	b.mu.Lock()
	var urls []string
	for url := range b.hosts {
		urls = append(urls, url)
	}
	b.mu.Unlock()
	var asking sync.WaitGroup
	for _, url := range urls {
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/ready", nil)
			if err != nil {
				return
			}
			resp, err := b.client.Do(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			b.set(url, err == nil && resp.StatusCode == http.StatusOK)
		})
	}
	asking.Wait()
}

func (b *balancer) ready() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var urls []string
	for url, ready := range b.hosts {
		if ready {
			urls = append(urls, url)
		}
	}
	return urls
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	for urls := b.ready(); len(urls) > 0; urls = b.ready() {
		url := urls[int(b.turn.Add(1))%len(urls)]
		req, err := http.NewRequestWithContext(r.Context(), r.Method, url+r.URL.Path, bytes.NewReader(body))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		req.Header = r.Header.Clone()
		resp, err := b.client.Do(req)
		var dial *net.OpError
		if errors.As(err, &dial) && dial.Op == "dial" {
			b.set(url, false)
			continue
		}
		if err != nil {
			http.Error(w, "the host is gone", http.StatusBadGateway)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		for name, values := range resp.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
		return
	}
	w.Header().Set("X-Balancer", "no host")
	http.Error(w, "no host is ready", http.StatusServiceUnavailable)
}
