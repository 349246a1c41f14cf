package provider

import (
	"testing"

	"github.com/action-llama/gateway/sdk"
)

// One delivery is a signature, a look for a ping and the reading of the event.
// The signature takes most of it.

func BenchmarkDeliver(b *testing.B) {
	p, req, secrets := New("test"), command(b), secretsOf(public(testKey))
	b.SetBytes(int64(len(req.Body)))
	b.ReportAllocs()
	for b.Loop() {
		d, err := sdk.Deliver(b.Context(), p, req, secrets, sdk.DeliverOptions{})
		if err != nil || d.Events[0].Action != "order" {
			b.Fatal(d, err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	p, req := New("test"), command(b)
	b.SetBytes(int64(len(req.Body)))
	b.ReportAllocs()
	for b.Loop() {
		events, err := p.Parse(b.Context(), req)
		if err != nil || events[0].Action != "order" {
			b.Fatal(events, err)
		}
	}
}

func BenchmarkChallenge(b *testing.B) {
	p, req := New("test"), command(b)
	b.ReportAllocs()
	for b.Loop() {
		if reply, err := p.Challenge(b.Context(), req, nil); reply != nil || err != nil {
			b.Fatal(reply, err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	p, req, secrets := New("test"), command(b), secretsOf(public(testKey))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Verify(b.Context(), req, secrets); err != nil {
			b.Fatal(err)
		}
	}
}

func command(b *testing.B) sdk.Request {
	return caseNamed(b, "application_command.every-option").Request
}
