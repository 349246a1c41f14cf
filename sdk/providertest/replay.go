package providertest

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/action-llama/gateway/sdk"
)

// replay delivers the case as it is, and says whether it became what the case
// wants.
func (k *checker) replay() bool {
	c := k.c
	if c.want == nil {
		k.report(checkCase, "%s is missing; run the test with Options.Update, and read what it wrote", wantFile)
		return false
	}
	// Slices of its own, to see what becomes of them.
	req := cloned(c.Request)
	secrets := clonedSecrets(c.Secrets)
	d, err := k.deliver("the case", req, secrets, sdk.DeliverOptions{AllowUnsigned: c.AllowUnsigned})
	if err != nil && kindOf(err) == "" {
		k.report(checkCase, "the case ends with %q", clip(k.masked(err.Error())))
		return false
	}
	got, ok := k.encoded(d, err)
	if !ok {
		return false
	}
	if !k.target.onWire() {
		k.keepsNothing(req, secrets, d, err, got)
	}
	want, encodeErr := c.want.json()
	if encodeErr != nil {
		k.report(checkCase, "%s: %v", wantFile, encodeErr)
		return false
	}
	if !bytes.Equal(want, got) {
		text := ""
		if err != nil {
			text = " (" + clip(k.masked(err.Error())) + ")"
		}
		k.report(checkCase, "it does not become what %s says%s; if that is as it should be, run the test with Options.Update:\n%s",
			wantFile, text, k.masked(diff(string(want), string(got))))
		return false
	}
	for _, e := range d.Events {
		k.usable("the case", e)
	}
	if what, leaks := k.leaks(string(got)); leaks && what != k.needles[0].what {
		k.report(checkLeak, "an event or a reply has %s in it", what)
	}
	return true
}

func (k *checker) encoded(d sdk.Delivery, err error) ([]byte, bool) {
	o, encodeErr := outcomeOf(d, err)
	if encodeErr == nil {
		var text []byte
		if text, encodeErr = o.json(); encodeErr == nil {
			return text, true
		}
	}
	k.report(checkEvent, "it can not be written as JSON: %v; see sdk.Event for what an extra may hold", encodeErr)
	return nil, false
}

// keepsNothing scribbles over what the provider was given: what it returned
// must not look into it, and must not have changed it.
func (k *checker) keepsNothing(req sdk.Request, secrets []sdk.Secret, d sdk.Delivery, err error, got []byte) {
	same := bytes.Equal(req.Body, k.c.Request.Body) && maps.EqualFunc(req.Header, k.c.Request.Header, slices.Equal) &&
		slices.EqualFunc(secrets, k.c.Secrets, func(a, b sdk.Secret) bool {
			return a.Source == b.Source && a.Instance == b.Instance && maps.Equal(a.Fields, b.Fields)
		})
	if !same {
		k.report(checkRequest, "the provider changes the request or the secrets that it is given; it has to copy them first")
		return
	}
	for i := range req.Body {
		req.Body[i] = '#'
	}
	if again, ok := k.encoded(d, err); !ok || !bytes.Equal(got, again) {
		k.report(checkRequest, "what the provider returns changes with the bytes of the request; copy them, the host uses its buffers again")
	}
}

// headerNames sends the case with header names in other letters. Over HTTP/2
// all are lower-case.
func (k *checker) headerNames() {
	if !k.target.onWire() {
		return
	}
	want, err := k.c.want.json()
	if err != nil {
		return
	}
	for i, spell := range []func(string) string{strings.ToLower, strings.ToUpper} {
		what := "header names in " + []string{"lower", "upper"}[i] + " case"
		req := k.c.Request
		req.Header = http.Header{}
		for name, values := range k.c.Request.Header {
			req.Header[spell(name)] = values
		}
		d, err := k.deliver(what, req, k.c.Secrets, sdk.DeliverOptions{AllowUnsigned: k.c.AllowUnsigned})
		if got, ok := k.encoded(d, err); ok && !bytes.Equal(want, got) {
			k.report(checkCase, "with %s it becomes something else; the case of letters does not count in names of headers:\n%s",
				what, k.masked(diff(string(want), string(got))))
		}
	}
}

// usable reports what would make an event useless to filters or agents.
func (k *checker) usable(what string, e sdk.Event) {
	if e.Name == "" {
		k.report(checkEvent, "%s: an event has no name; Event.Name is never empty", what)
	}
	known := map[string]bool{}
	for _, f := range k.desc.Filters {
		known[f.Attribute] = true
	}
	for name, values := range e.Attributes {
		if !known[name] {
			k.report(checkEvent, "%s: no filter looks at the attribute %q; is it misspelt?", what, name)
		}
		if slices.Contains(values, "") {
			k.report(checkEvent, "%s: the attribute %q has an empty value; leave it out, so that the event counts as one without it (PassAbsent)", what, name)
		}
	}
	for _, path := range e.Sensitive {
		if !hasPath(e.Extra, strings.Split(path, ".")) {
			k.report(checkEvent, "%s: sensitive names %q, which is not in extra; what it was meant for would not be masked", what, path)
			continue
		}
		// Lists of deliveries show the id, and are no secret.
		if value, ok := valueAt(e.Extra, strings.Split(path, ".")).(string); ok && len(value) >= minNeedle && strings.Contains(e.DeliveryID, value) {
			k.report(checkEvent, "%s: the delivery id has what %q marks sensitive in it; use a hash of it", what, path)
		}
	}
}

// valueAt returns what a path leads to, or nil.
func valueAt(extra map[string]any, path []string) any {
	value := extra[path[0]]
	if len(path) == 1 {
		return value
	}
	inner, _ := value.(map[string]any)
	return valueAt(inner, path[1:])
}

func hasPath(extra map[string]any, path []string) bool {
	value, ok := extra[path[0]]
	if !ok || len(path) == 1 {
		return ok
	}
	inner, ok := value.(map[string]any)
	return ok && hasPath(inner, path[1:])
}

// together delivers all cases at the same time and compares with one after the
// other. Under the race detector it finds more.
func (k *checker) together() {
	const at = 8
	cases := make(chan *Case)
	var alone sync.Map // outcome by case
	one := func(c *Case) string {
		d, err := sdk.Deliver(k.ctx, k.target.provider, cloned(c.Request), c.Secrets, sdk.DeliverOptions{AllowUnsigned: c.AllowUnsigned})
		o, encodeErr := outcomeOf(d, err)
		if encodeErr != nil {
			return ""
		}
		text, _ := o.json() // what can not be written is reported with its case
		return string(text)
	}
	for _, c := range k.suite.Cases {
		if _, err := guard(k, c.Name, k.limit, func(context.Context) (struct{}, error) { alone.Store(c, one(c)); return struct{}{}, nil }); err != nil {
			return // a provider that panics or hangs is not asked twice at once
		}
	}
	var wrong sync.Map
	var group sync.WaitGroup
	for range at {
		group.Go(func() {
			for c := range cases {
				if before, _ := alone.Load(c); before != one(c) {
					wrong.Store(c.Name, true)
				}
			}
		})
	}
	for _, c := range k.suite.Cases {
		cases <- c
	}
	close(cases)
	group.Wait()
	wrong.Range(func(name, _ any) bool {
		k.report(checkConcurrency, "case %s does not become the same each time; a provider is asked from many goroutines at once", name)
		return true
	})
}

func cloned(r sdk.Request) sdk.Request {
	r.Header = r.Header.Clone()
	r.Body = bytes.Clone(r.Body)
	return r
}

func clonedSecrets(in []sdk.Secret) []sdk.Secret {
	out := slices.Clone(in)
	for i := range out {
		out[i].Fields = maps.Clone(out[i].Fields)
	}
	return out
}
