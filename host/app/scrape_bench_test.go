package app_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
)

// BenchmarkScrape is what one look of Prometheus costs, asking as it does, of a
// gateway with 1,000 agents.
func BenchmarkScrape(b *testing.B) {
	const agents = 1000
	dir := b.TempDir()
	write := func(name, text string) {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	write("config.toml", "[gateway]\nautoReload = false\n[runner]\ncommand = [\"true\"]\n[webhooks.home]\ntype = \"bell\"\n")
	for i := range agents {
		write(fmt.Sprintf("agents/agent-%03d/config.toml", i), "[[webhooks]]\nsource = \"home\"\n")
		write(fmt.Sprintf("agents/agent-%03d/SKILL.md", i), "Look.\n")
	}
	p, problems := config.Load(dir, config.Options{CheckSchedule: app.CheckSchedule, Overrides: map[string]string{"gateway.port": "0"}})
	if err := problems.Err(); err != nil {
		b.Fatal(err)
	}
	a, err := app.New(b.Context(), app.Options{
		Project: p, Credentials: config.Credentials{Dir: filepath.Join(dir, "credentials")}, Log: hclog.NewNullLogger(), Providers: within{},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}()
	const prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
	for _, as := range []struct{ name, accept, encoding string }{
		{"prometheus", prometheus, "gzip"},
		{"uncompressed", prometheus, "identity"},
		{"protobuf", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", "gzip"},
	} {
		b.Run(as.name, func(b *testing.B) {
			var body bytes.Buffer
			for b.Loop() {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL()+"/metrics", nil)
				if err != nil {
					b.Fatal(err)
				}
				req.Header.Set("Accept", as.accept)
				req.Header.Set("Accept-Encoding", as.encoding)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					b.Fatal(err)
				}
				body.Reset()
				if _, err := io.Copy(&body, resp.Body); err != nil {
					b.Fatal(err)
				}
				_ = resp.Body.Close()
			}
			b.ReportMetric(float64(body.Len()), "bytes")
		})
	}
}
