package providertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/action-llama/gateway/sdk"
)

const (
	// sampleWord begins what is said of a call that makes a sample.
	sampleWord = "sample"
	// sampleTravel is how long a sample is under way.
	sampleTravel = time.Second
	// sampleAge is how far from the time of sending a sample's event may have
	// happened: whoever tries out an agent sends it now.
	sampleAge = 24 * time.Hour
)

// samples makes every sample that a provider offers, and delivers it.
func (k *checker) samples() {
	if len(k.desc.Samples) == 0 {
		return
	}
	sampler, ok := k.target.provider.(sdk.Sampler)
	if !ok {
		k.report(checkSamples, "Descriptor.Samples is set, and the provider is no sdk.Sampler; the SDK sets it for one that is")
		return
	}
	if len(k.desc.Settings) == 0 {
		k.samplesOf(sampler, k.suite.sampleSecret)
		return
	}
	// Settings decide what a sample looks like, so each that a case has is tried.
	whole := k.desc
	defer func() { k.desc, k.settings = whole, nil }()
	var done []sdk.Settings
	for _, c := range k.suite.Cases {
		if !c.accepted() || slices.ContainsFunc(done, c.Request.Settings.Equal) {
			continue
		}
		done = append(done, c.Request.Settings)
		k.settings, k.desc = c.Request.Settings, whole.With(c.Request.Settings)
		k.samplesOf(sampler, func() (sdk.Secret, bool) {
			if k.suite.SampleSecret != nil {
				return k.suite.sampleSecret()
			}
			return clonedSecrets(c.Secrets)[c.want.Which[0]], true
		})
		if k.stopped() {
			return
		}
	}
}

func (k *checker) samplesOf(sampler sdk.Sampler, signer func() (sdk.Secret, bool)) {
	secret, ok := signer()
	if !ok && len(k.desc.SignatureHeaders) > 0 {
		k.report(checkSamples, "no case is signed by a secret that a sample could be signed with; set Options.SampleSecret")
		return
	}
	var example []setting
	for name, values := range k.desc.Example {
		example = append(example, setting{name, values})
	}
	started := false
	for _, s := range k.desc.Samples {
		events := k.sample(sampler, s.Name, secret)
		if k.stopped() {
			return
		}
		started = started || slices.ContainsFunc(events, func(e sdk.Event) bool {
			return starts(k.desc, example, wantEvent{Attributes: e.Attributes})
		})
	}
	if !started && len(example) > 0 {
		k.report(checkSamples, "no sample is one that the example lets pass; a new project starts with it, and its owner tries it out with a sample")
	}
	for _, name := range []string{"", "no-such.sample", "../" + k.desc.Samples[0].Name} {
		_, err := k.make(sampler, sampleWord+" that there is not", sdk.SampleAsk{Name: name, Secret: &secret, SentAt: DefaultReceivedAt(), Unique: "one"})
		if !k.stopped() && !errors.Is(err, sdk.ErrNoSample) {
			k.report(checkSamples, "for the name %q Sample returns %v; it must be sdk.ErrNoSample", name, err)
		}
	}
}

// sampleSecret is one that samples can be signed with.
func (s *Suite) sampleSecret() (sdk.Secret, bool) {
	if s.SampleSecret != nil {
		return sdk.Secret{Source: "sample", Instance: "default", Fields: s.SampleSecret}, true
	}
	for _, c := range s.Cases {
		if c.accepted() {
			return clonedSecrets(c.Secrets)[c.want.Which[0]], true
		}
	}
	return sdk.Secret{Source: "sample", Instance: "default"}, false
}

func (k *checker) sample(from sdk.Sampler, name string, secret sdk.Secret) []sdk.Event {
	what := sampleWord + " " + name
	ask := sdk.SampleAsk{Name: name, Secret: &secret, SentAt: DefaultReceivedAt(), Unique: "one"}
	req, err := k.make(from, what, ask)
	if err != nil {
		k.reportLike(checkSamples+name, checkSamples, "%s can not be made: %v", what, err)
		return nil
	}
	k.sampleRequest(what, req, secret)
	events, ok := k.delivered(what, req, name, secret)
	if !ok {
		return nil
	}
	k.sampleAgain(from, what, ask, req, events)
	if k.signsBody(from, what, ask, req) {
		k.sampleSigned(what, req, secret)
	}
	k.sampleUnsigned(from, what, ask, events)
	k.sampleBody(from, what, ask, req.Body, secret)
	return events
}

// make asks for a sample, without keeping what it is given.
func (k *checker) make(from sdk.Sampler, what string, ask sdk.SampleAsk) (sdk.Request, error) {
	if ask.Secret != nil {
		own := clonedSecrets([]sdk.Secret{*ask.Secret})[0]
		ask.Secret = &own
	}
	ask.Settings = k.settings
	req, err := guard(k, what, k.limit, func(ctx context.Context) (sdk.Request, error) { return from.Sample(ctx, ask) })
	req.ReceivedAt = ask.SentAt.Add(sampleTravel)
	if len(k.desc.Settings) > 0 {
		source := sdk.Source{Name: "sample", Settings: k.settings, Unsigned: ask.Secret == nil}
		if ask.Secret != nil {
			source.Name = ask.Secret.Source
		}
		req.Settings, req.Sources = k.settings, []sdk.Source{source}
	}
	return req, err
}

// sampleRequest looks at a request as the vendor's server would.
func (k *checker) sampleRequest(what string, req sdk.Request, secret sdk.Secret) {
	report := func(format string, args ...any) {
		k.reportLike(checkSamples+what, checkSamples, "%s: "+format, append([]any{what}, args...)...)
	}
	if req.Method != http.MethodPost {
		report("its method is %q; deliveries are sent by POST", req.Method)
	}
	if len(req.Body) == 0 || req.Header.Get("Content-Type") == "" {
		report("it has no body, or no Content-Type")
	}
	if len(k.desc.SignatureHeaders) > 0 && !sdk.Signed(k.desc, req) {
		report("it has none of Descriptor.SignatureHeaders, although there is a secret")
	}
	text := string(req.Body)
	bearing := map[string]bool{}
	for _, name := range k.desc.SignatureHeaders {
		bearing[http.CanonicalHeaderKey(name)] = true
	}
	for name, values := range req.Header {
		if http.CanonicalHeaderKey(name) != name {
			report("header %q is not written %q", name, http.CanonicalHeaderKey(name))
		}
		if !bearing[name] { // which may well be the secret itself
			text += strings.Join(values, "\n")
		}
	}
	for _, f := range k.desc.Credential.Fields {
		if v := secret.Fields[f.Name]; f.Secret && len(v) >= minNeedle && strings.Contains(text, v) && !isToken(k.desc, req, secret) {
			report("the secret field %q is in it", f.Name)
		}
	}
	if i := strings.Index(text, "{{"); i >= 0 {
		report("%q was not filled in; see sdk.SampleAsk.Fill", clip(text[i:]))
	}
}

// delivered delivers a sample and returns its events.
func (k *checker) delivered(what string, req sdk.Request, name string, secret sdk.Secret) ([]sdk.Event, bool) {
	d, err := k.deliver(what, cloned(req), clonedSecrets([]sdk.Secret{secret}), sdk.DeliverOptions{})
	report := func(format string, args ...any) ([]sdk.Event, bool) {
		k.reportLike(checkSamples+what, checkSamples, "%s: "+format, append([]any{what}, args...)...)
		return nil, false
	}
	switch {
	case k.stopped():
		return nil, false
	case err != nil:
		return report("the provider itself does not take it: %v", k.masked(err.Error()))
	case d.Reply != nil:
		return report("it is a handshake, which starts nothing")
	case len(d.Which) != 1:
		return report("it is not the secret's: which is %v", d.Which)
	case len(d.Events) == 0:
		return report("there is no event in it")
	}
	for _, e := range d.Events {
		kind := e.Name
		if e.Action != "" {
			kind += "." + e.Action
		}
		if kind != name && e.Name != name {
			return report("it is read as %q; name a sample after its event, with its action", kind)
		}
		if off := e.Timestamp.Sub(req.ReceivedAt).Abs(); !e.Timestamp.IsZero() && off > sampleAge {
			return report("its event is of %s, and it is sent at %s; use {{time}} or its like", e.Timestamp, req.ReceivedAt)
		}
	}
	return d.Events, true
}

// sampleAgain asks for the same once more, and for another one.
func (k *checker) sampleAgain(from sdk.Sampler, what string, ask sdk.SampleAsk, first sdk.Request, events []sdk.Event) {
	again, err := k.make(from, what, ask)
	if err == nil && !reflect.DeepEqual(requestText(first), requestText(again)) {
		k.reportLike(checkSamples+what, checkSamples, "%s: the same request is not made twice; use what is asked for, and no clock or chance", what)
	}
	ask.Unique = "two"
	other, err := k.make(from, what, ask)
	if err != nil || k.stopped() {
		return
	}
	d, err := k.deliver(what+", another one", other, []sdk.Secret{*ask.Secret}, sdk.DeliverOptions{})
	if err != nil || len(d.Events) != len(events) {
		return
	}
	for i, e := range d.Events {
		if e.DeliveryID != "" && e.DeliveryID == events[i].DeliveryID {
			k.reportLike(checkSamples+what, checkSamples, "%s: with another SampleAsk.Unique its delivery id is the same, so that it counts as a repeat", what)
		}
	}
}

// requestText is what makes two requests the same.
func requestText(r sdk.Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s?%s\n", r.Method, r.Path, r.Query)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(&b, "%s: %q\n", name, r.Header[name])
	}
	b.Write(r.Body)
	return b.String()
}

// signsBody says that what proves the sender depends on the body. A token does
// not.
func (k *checker) signsBody(from sdk.Sampler, what string, ask sdk.SampleAsk, first sdk.Request) bool {
	ask.Body = append(bytes.Clone(first.Body), ' ')
	other, err := k.make(from, what+" with another body", ask)
	return err != nil || slices.ContainsFunc(k.desc.SignatureHeaders, func(name string) bool {
		return !slices.Equal(first.Header.Values(name), other.Header.Values(name))
	})
}

// sampleSigned makes sure that the signature is one.
func (k *checker) sampleSigned(what string, req sdk.Request, secret sdk.Secret) {
	if len(k.desc.SignatureHeaders) == 0 {
		return
	}
	if !isToken(k.desc, req, secret) {
		changed := cloned(req)
		changed.Body = append(bytes.Clone(changed.Body), ' ')
		k.refused(checkSamples, what+" with a byte added", changed, clonedSecrets([]sdk.Secret{secret}), "sign the body that is sent")
	}
	if k.suite.Tolerance > 0 {
		late := cloned(req)
		late.ReceivedAt = late.ReceivedAt.Add(2*k.suite.Tolerance + time.Minute)
		k.refused(checkSamples, what+" received late", late, clonedSecrets([]sdk.Secret{secret}), "sign SampleAsk.SentAt")
	}
}

// sampleUnsigned asks for the same without a secret.
func (k *checker) sampleUnsigned(from sdk.Sampler, what string, ask sdk.SampleAsk, events []sdk.Event) {
	ask.Secret = nil
	req, err := k.make(from, what+", unsigned", ask)
	if err != nil {
		k.reportLike(checkSamples+what, checkSamples, "%s: it can not be made without a secret: %v", what, err)
		return
	}
	if len(k.desc.SignatureHeaders) > 0 && sdk.Signed(k.desc, req) {
		k.reportLike(checkSamples+what, checkSamples, "%s: without a secret it has one of %q, so that it counts as wrongly signed", what, k.desc.SignatureHeaders)
		return
	}
	d, err := k.deliver(what+", unsigned", req, nil, sdk.DeliverOptions{AllowUnsigned: true})
	if !k.stopped() && (err != nil || len(d.Events) != len(events)) {
		k.reportLike(checkSamples+what, checkSamples, "%s: unsigned, it has %d events instead of %d: %v", what, len(d.Events), len(events), err)
	}
}

// sampleBody sends a body of somebody's own.
func (k *checker) sampleBody(from sdk.Sampler, what string, ask sdk.SampleAsk, body []byte, secret sdk.Secret) {
	ask.Body = append(bytes.Clone(body), '\n') // so that what a body says of the time stays true
	req, err := k.make(from, what+" with another body", ask)
	if err != nil {
		k.reportLike(checkSamples+what, checkSamples, "%s: it can not be made with a given body: %v", what, err)
		return
	}
	if !bytes.Equal(req.Body, ask.Body) {
		k.reportLike(checkSamples+what, checkSamples, "%s: the body that was given is changed; send it as it is", what)
	}
	_, err = k.deliver(what+" with another body", req, clonedSecrets([]sdk.Secret{secret}), sdk.DeliverOptions{})
	if errors.Is(err, sdk.ErrBadSignature) {
		k.reportLike(checkSamples+what, checkSamples, "%s: with a given body the signature does not fit", what)
	}
}
