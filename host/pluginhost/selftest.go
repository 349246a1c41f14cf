package pluginhost

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/client"
)

// selfTestPatience is for some calls that each take a millisecond.
const selfTestPatience = 5 * time.Second

// try says why a process can not take the place of another one.
func (h *Host) try(ctx context.Context, in *instance) error {
	testing, cancel := context.WithTimeout(ctx, selfTestPatience)
	defer cancel()
	if err := selfTest(testing, in.client, time.Now()); err != nil {
		return faulty(FaultSelfTest, fmt.Errorf("self-test: %w", in.withQuote(err)))
	}
	if h.opts.Fit != nil {
		if err := h.opts.Fit(in.owner.typ, pinned{in.owner, in}); err != nil {
			return faulty(FaultSelfTest, fmt.Errorf("it does not fit the configuration: %w", err))
		}
	}
	return nil
}

// selfTest has a provider judge requests before anything depends on it: those
// that nobody signed, and its own sample.
func selfTest(ctx context.Context, c client.Remote, now time.Time) error {
	d := sdk.Describe(c)
	if len(d.SignatureHeaders) == 0 {
		return nil // it verifies nothing, and does not claim to
	}
	secret, other := throwAway(d), throwAway(d)
	forged := sdk.Request{
		Method: http.MethodPost, Path: "/webhooks/" + d.Type, ReceivedAt: now,
		Header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"al-self-test"}},
		Body:   []byte(`{"al":"a request that nobody signed"}`),
	}
	if err := refuses(ctx, c, forged, secret); err != nil {
		return fmt.Errorf("a request that nobody signed: %w", err)
	}
	for _, name := range d.SignatureHeaders {
		forged.Header.Set(name, "al-self-test: not a signature")
	}
	if err := refuses(ctx, c, forged, secret); err != nil {
		return fmt.Errorf("a request with a wrong signature: %w", err)
	}
	if len(d.Samples) == 0 || len(d.Settings) > 0 {
		return nil // what its requests look like is a source's choice
	}
	return ownSample(ctx, c, d, secret, other, now)
}

// ownSample has a provider take what it has signed itself, and not take it for
// what somebody else has signed.
func ownSample(ctx context.Context, c client.Remote, d sdk.Descriptor, secret, other sdk.Secret, now time.Time) error {
	name := d.Samples[0].Name
	sample, err := c.Sample(ctx, sdk.SampleAsk{Name: name, Secret: &secret, SentAt: now, Unique: rand.Text()})
	if errors.Is(err, sdk.ErrCredential) {
		return nil // such a secret can not be made up
	}
	if err != nil {
		return fmt.Errorf("it does not make its sample %s: %w", name, err)
	}
	sample.ReceivedAt = now
	secrets := []sdk.Secret{secret}
	out, err := c.Deliver(ctx, sample, secrets, sdk.DeliverOptions{})
	if errors.Is(err, sdk.ErrCredential) {
		return nil
	}
	if bad := checkDelivery(d, sample, secrets, sdk.DeliverOptions{}, out); bad != nil {
		return fmt.Errorf("its sample %s: %w", name, bad)
	}
	if err != nil {
		return fmt.Errorf("it does not take its own sample %s: %w", name, err)
	}
	if len(out.Which) == 0 || len(out.Events) == 0 && out.Reply == nil {
		return fmt.Errorf("it reads nothing out of its own sample %s", name)
	}
	if err := refuses(ctx, c, sample, other); err != nil {
		return fmt.Errorf("its sample %s, under another secret: %w", name, err)
	}
	return nil
}

// refuses returns an error unless a provider says that a request is not signed by
// the holder of a secret, or that it can not judge by this one.
func refuses(ctx context.Context, c client.Remote, req sdk.Request, secret sdk.Secret) error {
	out, err := c.Deliver(ctx, req, []sdk.Secret{secret}, sdk.DeliverOptions{})
	switch {
	case len(out.Which) > 0 || out.Unsigned, err == nil && (len(out.Events) > 0 || out.Reply != nil):
		return errors.New("it takes that for a delivery; do not use this build of it")
	case err == nil, errors.Is(err, sdk.ErrBadSignature), errors.Is(err, sdk.ErrCredential), errors.Is(err, sdk.ErrUnparseable):
		return nil // nobody was proved to have sent it
	default:
		return fmt.Errorf("it fails: %w", err)
	}
}

// throwAway makes up a secret that is in no file, of the fields that have to be
// there. Where a field has a pattern it takes a value that fits, if it knows one.
func throwAway(d sdk.Descriptor) sdk.Secret {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // it never fails
	values := []string{
		hex.EncodeToString(random), hex.EncodeToString(random[:16]), "whsec_" + base64.StdEncoding.EncodeToString(random[:24]),
		base64.StdEncoding.EncodeToString(random), rand.Text(), fmt.Sprintf("%018d", uint64(random[0])<<32+uint64(random[1])),
	}
	fields := map[string]string{}
	for _, f := range d.Credential.Fields {
		if f.Optional {
			continue
		}
		fields[f.Name] = values[0]
		if pattern, err := regexp.Compile("^(?:" + f.Pattern + ")$"); err == nil && f.Pattern != "" {
			for _, value := range values {
				if pattern.MatchString(value) {
					fields[f.Name] = value
					break
				}
			}
		}
	}
	return sdk.Secret{Source: "self-test", Instance: "self-test", Fields: fields}
}
