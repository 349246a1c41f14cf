package pluginhost

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/action-llama/gateway/sdk"
)

// delivery is a webhook of usual size, as it comes through a proxy.
func delivery() (sdk.Request, []sdk.Secret) {
	req := request("/webhooks/ok")
	req.Body = bytes.Repeat([]byte(`{"action":"labeled","number":42},`), 12<<10/33)
	mac := hmac.New(sha256.New, []byte("hunter2"))
	mac.Write(req.Body)
	req.Header = http.Header{
		"Content-Type":           {"application/json"},
		"User-Agent":             {"Vendor-Hookshot/044aadd"},
		"Accept":                 {"*/*"},
		"X-Vendor-Delivery":      {"72d3162e-cc78-11e3-81ab-4c9367dc0958"},
		"X-Vendor-Event":         {"issues"},
		"X-Vendor-Hook-Id":       {"292430182"},
		"X-Vendor-Target-Type":   {"repository"},
		"X-Signature":            {"sha256=" + hex.EncodeToString(mac.Sum(nil))},
		"X-Forwarded-For":        {"192.0.2.1"},
		"X-Forwarded-Proto":      {"https"},
		"X-Forwarded-Host":       {"al.example.com"},
		"Accept-Encoding":        {"gzip"},
		"X-Request-Id":           {"3f0c9a1e5b7d4f6a"},
		"Content-Length":         {"12265"},
		"X-Vendor-Installation":  {"79929171"},
		"X-Vendor-Signature-Old": {"sha1=7d38cdd689735b008b3c702edd92eea23791c5f6"},
	}
	return req, []sdk.Secret{{Source: "vendor", Instance: "default", Fields: map[string]string{"secret": "hunter2"}}}
}

// BenchmarkDeliver is one delivery through a provider's process. cpu-ns/op is
// the time that both processes together used of the machine, which is what
// bounds the throughput.
func BenchmarkDeliver(b *testing.B) {
	for name, parallel := range map[string]int{"1": 1, "64": 64} {
		b.Run(name, func(b *testing.B) {
			host := newBench(b, []string{"ok"})
			p := host.start(b, "ok")
			req, secrets := delivery()
			work := func(n int) {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				for range n {
					if _, err := p.Deliver(ctx, req, secrets, sdk.DeliverOptions{}); err != nil {
						b.Error(err)
						return
					}
				}
			}
			work(200)
			b.SetBytes(int64(len(req.Body)))
			b.ReportAllocs()
			before := cpu(b, p)
			b.ResetTimer()
			var wg sync.WaitGroup
			for range parallel {
				wg.Go(func() { work((b.N + parallel - 1) / parallel) })
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(cpu(b, p)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpu is the time that this process and the provider's have used.
func cpu(b *testing.B, p *Provider) time.Duration {
	b.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	v := ask(b, p)
	return v.UserCPU + v.SystemCPU + time.Duration(usage.Utime.Nano()+usage.Stime.Nano())
}
