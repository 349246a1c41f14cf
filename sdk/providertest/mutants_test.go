package providertest_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

// mutant is a bell with one fault, and how the kit has to call it.
type mutant struct {
	provider bell
	check    string
	say      string
	binary   bool // shows in a process only
}

// served is the provider of a test binary that is started as one.
func served(mode string) sdk.Provider {
	if m, ok := mutants()[mode]; ok {
		return m.provider
	}
	if mode == "described" {
		return bell{describe: func(d *sdk.Descriptor) { d.Name = "Gong" }}
	}
	return bell{}
}

func mutants() map[string]mutant {
	return map[string]mutant{
		"accepts all": {bell{verify: func(_ sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
			which := sdk.Which{}
			for i := range secrets {
				which = append(which, i)
			}
			return which, nil
		}}, "signature", "no signature header at all: the request is accepted", false},
		"any signature": {bell{verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
			if req.Header.Get(bellSignature) == "" || len(secrets) == 0 {
				return nil, sdk.ErrBadSignature
			}
			return sdk.Which{0}, nil
		}}, "signature", "is accepted; compare the whole signature", false},
		"compares a prefix": {compares(func(want, got string) bool { return len(got) > 30 && strings.HasPrefix(want, got[:30]) }),
			"signature", "X-Bell-Signature with a byte changed: the request is accepted", false},
		"compares what is there": {compares(func(want, got string) bool { return len(got) > 8 && strings.HasPrefix(want, got) }),
			"signature", "X-Bell-Signature cut off: the request is accepted", false},
		"takes the last of two": {bell{verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
			if v := req.Header.Values(bellSignature); len(v) > 1 {
				req.Header = req.Header.Clone()
				req.Header.Set(bellSignature, v[len(v)-1])
			}
			return goodVerify(req, secrets)
		}}, "signature", "X-Bell-Signature twice, the wrong one first: the request is accepted", false},
		"looks at the body first": {bell{verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
			if !json.Valid(req.Body) {
				return nil, sdk.Unparseable("body is not JSON")
			}
			return goodVerify(req, secrets)
		}}, "body", "instead of sdk.ErrBadSignature; it has to be 401", false},
		"empty secret counts": {bell{verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
			return verifyWith(req, secrets, hmacEqual)
		}}, "secrets", "signed with an empty secret, by a source whose secret is empty: the request is accepted", false},
		"claims all sources": {bell{verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
			which, err := goodVerify(req, secrets)
			if err == nil && len(secrets) > 2 {
				which = append(which, 0)
			}
			return which, err
		}}, "secrets", "exactly those that made the signature", false},
		"claims a source it was not given": {bell{verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
			which, err := goodVerify(req, secrets)
			if err == nil {
				which = append(which, len(secrets))
			}
			return which, err
		}}, "call", "verify names secret 1 of 1", false},
		"gives up at a secret that does not fit": {bell{verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
			return goodVerify(req, secrets[:min(2, len(secrets))])
		}}, "secrets", "try every secret", false},
		"trims secrets": {bell{verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
			for i, s := range secrets {
				secrets[i].Fields = map[string]string{"secret": strings.TrimSpace(s.Fields["secret"])}
			}
			return goodVerify(req, secrets)
		}}, "secrets", "the secret with white space around it: the request is accepted", false},
		"needs no prefix": {bell{verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
			if s := req.Header.Get(bellSignature); len(s) == 64 {
				req.Header = req.Header.Clone()
				req.Header.Set(bellSignature, "sha256="+s)
			}
			return goodVerify(req, secrets)
		}}, "signature", "X-Bell-Signature without its prefix: the request is accepted", false},
		"time does not count": {bell{verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
			return verifyWith(req, secrets, func(key, want, got string) bool { return key != "" && hmacEqual(key, want, got) })
		}}, "timestamp", "received late by 24h0m0s: the request is accepted", false},
		"the future counts": {bell{verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
			at := req.ReceivedAt
			if n, err := parseStamp(req); err == nil && n.After(at) {
				req.ReceivedAt = n
			}
			return goodVerify(req, secrets)
		}}, "timestamp", "received early by 24h0m0s: the request is accepted", false},
		"stale is only bad": {bell{verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
			which, err := goodVerify(req, secrets)
			if err != nil {
				err = fmt.Errorf("%w: %s", sdk.ErrBadSignature, strings.ReplaceAll(err.Error(), "signed", ""))
			}
			return which, err
		}}, "timestamp", "instead of sdk.ErrStale", false},
		"writes JSON anew": {bell{verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
			var value any
			if dec := json.NewDecoder(bytes.NewReader(req.Body)); json.Valid(req.Body) {
				dec.UseNumber()
				_ = dec.Decode(&value)
				req.Body, _ = json.Marshal(value)
			}
			return goodVerify(req, secrets)
		}}, "body", "the same JSON written in another way: the request is accepted", false},
		"panics at null": {bell{parse: func(req sdk.Request) ([]sdk.Event, error) {
			var ring struct {
				Door *string
				Echo string
			}
			ring.Door = new(string)
			if json.Unmarshal(req.Body, &ring) == nil && len(*ring.Door) > 100 {
				return nil, sdk.Unparseable("no door")
			}
			return goodParse(req)
		}}, "call", `("door") null: provider panicked: runtime error`, false},
		"slow": {bell{
			describe: func(d *sdk.Descriptor) { d.ReplyDeadline = 20 * time.Millisecond },
			parse: func(req sdk.Request) ([]sdk.Event, error) {
				<-time.After(150 * time.Millisecond)
				return goodParse(req)
			}}, "call", "takes 1", false},
		"hangs": {bell{
			describe: func(d *sdk.Descriptor) { d.ReplyDeadline = 20 * time.Millisecond },
			parse: func(req sdk.Request) ([]sdk.Event, error) {
				<-time.After(10 * time.Second)
				return goodParse(req)
			}}, "call", "does not look at its context", false},
		"quadratic": {bell{
			describe: func(d *sdk.Descriptor) { d.ReplyDeadline = 50 * time.Millisecond },
			parse: func(req sdk.Request) ([]sdk.Event, error) {
				if n := bytes.Count(req.Body, []byte("[")); n > 50_000 {
					<-time.After(time.Duration(n) * 10 * time.Microsecond)
				}
				return goodParse(req)
			}}, "call", "lists nested deeply", false},
		"secret in an error": {bell{verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
			which, err := goodVerify(req, secrets)
			if err != nil && len(secrets) > 0 {
				err = fmt.Errorf("not made with %q: %w", secrets[0].Fields["secret"], err)
			}
			return which, err
		}}, "leak", `the error has the secret field "secret" in it: not made with "<the secret field "secret">"`, false},
		"body in an error": {bell{parse: func(req sdk.Request) ([]sdk.Event, error) {
			events, err := goodParse(req)
			if err != nil {
				err = fmt.Errorf("%w: %.200q", err, req.Body)
			}
			return events, err
		}}, "leak", "the error has the body of a request in it", false},
		"secret in the log": {bell{verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
			sdk.NewLogger().Debug("verifying", "secrets", secrets)
			return goodVerify(req, secrets)
		}}, "leak", `the log has the secret field "secret" in it`, true},
		"body on stderr": {bell{parse: func(req sdk.Request) ([]sdk.Event, error) {
			fmt.Fprintf(os.Stderr, "%.500s\n", req.Body)
			return goodParse(req)
		}}, "leak", "the log has the body of a request in it", true},
		"dies": {bell{parse: func(req sdk.Request) ([]sdk.Event, error) {
			if bytes.Contains(req.Body, []byte("null")) {
				os.Exit(3)
			}
			return goodParse(req)
		}}, "call", "ended the process", true},
		"descriptor in a map's order": {bell{describe: func(d *sdk.Descriptor) {
			rand.Shuffle(len(d.Filters), func(i, j int) { d.Filters[i], d.Filters[j] = d.Filters[j], d.Filters[i] })
		}}, "descriptor", "(Filters); it must be constant", false},
		"invalid descriptor": {bell{describe: func(d *sdk.Descriptor) { d.Type = "Bell" }}, "descriptor", `type "Bell" must be`, false},
		"signature header not listed": {bell{describe: func(d *sdk.Descriptor) { d.SignatureHeaders = d.SignatureHeaders[1:] }},
			"signature", "has none of Descriptor.SignatureHeaders", false},
		"filter nobody can use": {bell{describe: func(d *sdk.Descriptor) { d.Filters[1].Attribute = "doors" }}, "filters",
			`filter "doors" looks at attribute "doors": no event of any case has it`, false},
		"lets pass what nobody asked for": {bell{describe: func(d *sdk.Descriptor) { d.Filters[2].OptIn = nil }}, "filters",
			`a trigger with no filter lets it pass`, false},
		"opt-in value that nobody shows": {bell{describe: func(d *sdk.Descriptor) { d.Filters[2].OptIn = []string{"Ghost"} }}, "filters",
			`filter "visitor" has the opt-in value "Ghost"; let a case show an event with it`, false},
		"does not know its own events": {bell{describe: func(d *sdk.Descriptor) { d.Filters[0].Values = []string{"ring"} }}, "filters",
			`attribute "event" is "knock", which filter "events" does not know`, false},
		"knows a value twice": {bell{describe: func(d *sdk.Descriptor) { d.Filters[0].Values = []string{"ring", "knock", "ring"} }}, "descriptor",
			`filter "events" knows the value "ring" twice`, false},
		"example that starts nothing": {bell{describe: func(d *sdk.Descriptor) {
			d.Example = map[string][]string{"events": {"ring"}, "doors": {"roof"}}
		}}, "descriptor", "no case has an event that the example lets pass", false},
		"attribute misspelt": {bell{parse: func(req sdk.Request) ([]sdk.Event, error) {
			events, err := goodParse(req)
			for _, e := range events {
				if len(req.Body) < 10 {
					e.Attributes["dor"] = []string{"front"}
				}
			}
			return events, err
		}}, "event", `no filter looks at the attribute "dor"`, false},
		"empty attribute": {bell{parse: func(req sdk.Request) ([]sdk.Event, error) {
			events, err := goodParse(req)
			for _, e := range events {
				if e.Attributes["door"] == nil && bytes.Contains(req.Body, []byte(`"door"`)) {
					e.Attributes["door"] = []string{""}
				}
			}
			return events, err
		}}, "event", `the attribute "door" has an empty value`, false},
		"sensitive is not there": {bell{parse: func(req sdk.Request) ([]sdk.Event, error) {
			events, err := goodParse(req)
			for i := range events {
				if events[i].Extra == nil && len(req.Body) < 10 {
					events[i].Sensitive = []string{"answer.token"}
				}
			}
			return events, err
		}}, "event", `sensitive names "answer.token", which is not in extra`, false},
		"a sensitive id": {bell{parse: func(req sdk.Request) ([]sdk.Event, error) {
			events, err := goodParse(req)
			for i := range events {
				events[i].Extra = map[string]any{"answer": map[string]any{"token": "tok-4711-abc"}}
				events[i].Sensitive = []string{"answer.token"}
				events[i].DeliveryID = "by tok-4711-abc"
			}
			return events, err
		}}, "event", `the delivery id has what "answer.token" marks sensitive in it`, false},
		"what JSON has no word for": {bell{parse: func(req sdk.Request) ([]sdk.Event, error) {
			events, err := goodParse(req)
			for i := range events {
				events[i].Extra = map[string]any{"done": make(chan int)}
			}
			return events, err
		}}, "event", "can not be written as JSON", false},
		"another result": {bell{parse: func(req sdk.Request) ([]sdk.Event, error) {
			events, err := goodParse(req)
			for i := range events {
				events[i].Title = "Ding"
			}
			return events, err
		}}, "case", "+       \"title\": \"Ding\"", false},
		"another reply": {bell{challenge: func(req sdk.Request) (*sdk.Reply, error) {
			return &sdk.Reply{Status: http.StatusNoContent}, nil
		}}, "case", "+     \"status\": 204", false},
		"error without a kind": {bell{parse: func(req sdk.Request) ([]sdk.Event, error) {
			var value any
			if err := json.Unmarshal(req.Body, &value); err != nil {
				return nil, err
			}
			return goodParse(req)
		}}, "call", "which the host can only answer with 500", false},
		"judges signatures in Parse": {bell{parse: func(req sdk.Request) ([]sdk.Event, error) {
			events, err := goodParse(req)
			if err != nil && !bytes.HasPrefix(req.Body, []byte("\xff")) {
				err = sdk.ErrBadSignature
			}
			return events, err
		}}, "parse", "Verify is where signatures are judged", false},
		"changes the request": {bell{verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
			which, err := goodVerify(req, secrets)
			req.Header.Del(bellSignature)
			return which, err
		}}, "request", "it has to copy them first", false},
		"samples that are refused": samples(func(ask sdk.SampleAsk, req *sdk.Request) {
			req.Header.Set(bellSignature, "sha256="+strings.Repeat("0", 64))
		}, "sample ring: the provider itself does not take it"),
		"samples of another event": samples(func(ask sdk.SampleAsk, req *sdk.Request) {
			req.Body = []byte(`{"visitor":{"name":"Ada"}}`)
		}, `sample ring: it is read as "knock"`),
		"samples that repeat": samples(func(ask sdk.SampleAsk, req *sdk.Request) {
			req.Header.Set("X-Bell-Delivery", "1")
		}, "with another SampleAsk.Unique its delivery id is the same"),
		"samples by chance": samples(func(ask sdk.SampleAsk, req *sdk.Request) {
			req.Header.Set("X-Bell-Delivery", fmt.Sprint(rand.Int()))
		}, "the same request is not made twice"),
		"samples of now": samples(func(ask sdk.SampleAsk, req *sdk.Request) { req.ReceivedAt = time.Now() },
			"the provider itself does not take it: signed timestamp is outside the tolerance"),
		"samples with a secret in them": samples(func(ask sdk.SampleAsk, req *sdk.Request) {
			if ask.Secret != nil {
				req.Header.Set("X-Key", ask.Secret.Fields["secret"])
			}
		}, `the secret field "secret" is in it`),
		"samples that are not filled in": samples(func(ask sdk.SampleAsk, req *sdk.Request) {
			req.Body = []byte(`{"door":"front","at":"{{now}}"}`)
		}, "was not filled in"),
		"samples that change a body": samples(func(ask sdk.SampleAsk, req *sdk.Request) {
			req.Body = bytes.TrimSpace(req.Body)
		}, "the body that was given is changed"),
		"samples that are always signed": {bell{sample: func(ask sdk.SampleAsk) (sdk.Request, error) {
			if ask.Secret == nil {
				ask.Secret = &sdk.Secret{Fields: map[string]string{"secret": "none at all"}}
			}
			return goodSample(ask)
		}}, "samples", "without a secret it has one of", false},
		"samples of any name": {bell{sample: func(ask sdk.SampleAsk) (sdk.Request, error) {
			if ask.Name != "ring" {
				ask.Name = "knock"
			}
			return goodSample(ask)
		}}, "samples", "it must be sdk.ErrNoSample", false},
		"samples that need no secret to be good": {bell{
			sample: func(ask sdk.SampleAsk) (sdk.Request, error) { return goodSample(ask) },
			verify: func(_ sdk.Request, secrets []sdk.Secret) (sdk.Which, error) { return sdk.Which{0}, nil },
		}, "samples", "with a byte added: the request is accepted", false},
		"not the same each time": {bell{parse: func(req sdk.Request) ([]sdk.Event, error) {
			events, err := goodParse(req)
			for i := range events {
				events[i].DeliveryID = fmt.Sprint(rand.Int())
			}
			return events, err
		}}, "concurrency", "does not become the same each time", false},
	}
}

// samples is a mutant whose samples have a fault, signed or not.
func samples(spoil func(ask sdk.SampleAsk, req *sdk.Request), say string) mutant {
	return mutant{bell{sample: func(ask sdk.SampleAsk) (sdk.Request, error) {
		req, err := goodSample(ask)
		if err != nil {
			return req, err
		}
		signature := req.Header.Get(bellSignature)
		spoil(ask, &req)
		if ask.Secret != nil && req.Header.Get(bellSignature) == signature {
			signBell(&req, ask.Secret.Fields)
		}
		return req, nil
	}}, "samples", say, false}
}

func TestEachFaultIsFoundAndCalledByItsName(t *testing.T) {
	t.Parallel()
	for name, m := range mutants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := providertest.Direct(m.provider)
			if m.binary {
				var err error
				if target, err = providertest.Launch(t.Context(), binary(t, name)); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			s := suite(t)
			s.Short = true
			all := s.Check(ctx, target)
			for _, f := range all {
				if f.Check == m.check && strings.Contains(f.Message, m.say) {
					return
				}
			}
			t.Errorf("no finding %q with %q in it, but %d others:", m.check, m.say, len(all))
			for _, f := range all {
				t.Log(f)
			}
		})
	}
}

// A provider that panics in its own server must not end the test, and is
// called the same over gRPC.
func TestFaultsShowOverGRPC(t *testing.T) {
	t.Parallel()
	panics := bell{parse: func(req sdk.Request) ([]sdk.Event, error) {
		return make([]sdk.Event, 0)[:len(req.Body)], nil
	}}
	target, err := providertest.Loopback(t.Context(), panics)
	if err != nil {
		t.Fatal(err)
	}
	s := suite(t)
	s.Short = true
	for _, f := range s.Check(t.Context(), target) {
		if f.Target == "grpc" && f.Check == "call" && strings.Contains(f.Message, "provider panicked: runtime error: slice bounds") &&
			strings.Contains(f.Message, "mutants_test.go") {
			return
		}
	}
	t.Error("a panic over gRPC is not reported with its place")
}

func hmacEqual(_, want, got string) bool { return hmac.Equal([]byte(want), []byte(got)) }

// compares is a bell that compares signatures in its own way.
func compares(equal func(want, got string) bool) bell {
	return bell{verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
		which, err := verifyWith(req, secrets, func(key, want, got string) bool { return key != "" && equal(want, got) })
		if err != nil {
			return nil, err
		}
		return which, sdk.CheckTimestamp(req.Header.Get(bellTimestamp), req.ReceivedAt, 5*time.Minute)
	}}
}

// verifyWith leaves out everything but the comparison.
func verifyWith(req sdk.Request, secrets []sdk.Secret, equal func(key, want, got string) bool) (sdk.Which, error) {
	var which sdk.Which
	for i, s := range secrets {
		key := s.Fields["secret"]
		want := sdk.SignHMACSHA256("sha256=", key, []byte(req.Header.Get(bellTimestamp)+"."), req.Body)
		if equal(key, want, req.Header.Get(bellSignature)) {
			which = append(which, i)
		}
	}
	if which == nil {
		return nil, sdk.ErrBadSignature
	}
	return which, nil
}

func parseStamp(req sdk.Request) (time.Time, error) {
	var n int64
	_, err := fmt.Sscan(req.Header.Get(bellTimestamp), &n)
	return time.Unix(n, 0), err
}
