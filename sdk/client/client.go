// Package client is the host's end of the provider protocol: an sdk.Provider
// whose methods are calls to another process. It launches and supervises
// nothing; it needs a connection.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providerv1"
)

// Client is a provider in another process that speaks version 1. It is safe for concurrent use.
type Client struct {
	rpc        providerv1.ProviderServiceClient
	descriptor sdk.Descriptor
}

var _ Remote = (*Client)(nil)

// Connect asks the provider on the other end, which speaks version 1, to describe
// itself.
func Connect(ctx context.Context, conn grpc.ClientConnInterface) (*Client, error) {
	c := &Client{rpc: providerv1.NewProviderServiceClient(conn)}
	out, err := c.rpc.Describe(ctx, &providerv1.DescribeRequest{})
	if err != nil {
		return nil, fmt.Errorf("describe: %w", errorOf(err))
	}
	c.descriptor = descriptorFromProto(out.GetDescriptor_())
	return c, nil
}

// Ping asks whether the provider still answers.
func (c *Client) Ping(ctx context.Context) error {
	if _, err := c.rpc.Describe(ctx, &providerv1.DescribeRequest{}); err != nil {
		return fmt.Errorf("describe: %w", errorOf(err))
	}
	return nil
}

// Describe returns what the provider said when it was connected.
func (c *Client) Describe() sdk.Descriptor { return c.descriptor }

// Verify implements [sdk.Provider].
func (c *Client) Verify(ctx context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	out, err := c.rpc.Verify(ctx, &providerv1.VerifyRequest{Request: requestToProto(req), Secrets: secretsToProto(secrets)})
	if err != nil {
		return nil, errorOf(err)
	}
	return whichFromProto(out.GetWhich()), nil
}

// Challenge implements [sdk.Challenger]; it is no call for providers without
// handshakes.
func (c *Client) Challenge(ctx context.Context, req sdk.Request, secrets []sdk.Secret) (*sdk.Reply, error) {
	if !c.descriptor.Challenges {
		return nil, nil
	}
	out, err := c.rpc.Challenge(ctx, &providerv1.ChallengeRequest{Request: requestToProto(req), Secrets: secretsToProto(secrets)})
	if err != nil {
		return nil, errorOf(err)
	}
	return replyFromProto(out.GetReply()), nil
}

// Parse implements [sdk.Provider].
func (c *Client) Parse(ctx context.Context, req sdk.Request) ([]sdk.Event, error) {
	out, err := c.rpc.Parse(ctx, &providerv1.ParseRequest{Request: requestToProto(req)})
	if err != nil {
		return nil, errorOf(err)
	}
	return eventsFromProto(out.GetEvents())
}

// Deliver implements [sdk.Deliverer] in one round trip.
func (c *Client) Deliver(ctx context.Context, req sdk.Request, secrets []sdk.Secret, opts sdk.DeliverOptions) (sdk.Delivery, error) {
	out, err := c.rpc.Deliver(ctx, &providerv1.DeliverRequest{
		Request:       requestToProto(req),
		Secrets:       secretsToProto(secrets),
		AllowUnsigned: opts.AllowUnsigned,
	})
	if err != nil {
		return failedDelivery(err), errorOf(err)
	}
	d := sdk.Delivery{
		Which:    whichFromProto(out.GetWhich()),
		Unsigned: out.GetUnsigned(),
		Reply:    replyFromProto(out.GetReply()),
	}
	d.Events, err = eventsFromProto(out.GetEvents())
	return d, err
}

// Samples implements [sdk.Sampler].
func (c *Client) Samples() []sdk.Sample { return c.descriptor.Samples }

// Sample implements [sdk.Sampler]. A provider without samples, also one of
// before there were any, has none.
func (c *Client) Sample(ctx context.Context, ask sdk.SampleAsk) (sdk.Request, error) {
	if len(c.descriptor.Samples) == 0 {
		return sdk.Request{}, fmt.Errorf("%w: this provider makes none", sdk.ErrNoSample)
	}
	in := &providerv1.SampleRequest{Name: ask.Name, Body: ask.Body, SentAt: timestamppb.New(ask.SentAt), Unique: ask.Unique}
	if ask.Secret != nil {
		in.Secret = secretsToProto([]sdk.Secret{*ask.Secret})[0]
	}
	if len(c.descriptor.Settings) > 0 {
		in.Source = sourceToProto(sdk.Source{Settings: ask.Settings})
	}
	out, err := c.rpc.Sample(ctx, in)
	if err != nil {
		return sdk.Request{}, errorOf(err)
	}
	return requestFromProto(out.GetRequest()), nil
}

// CheckSettings implements [sdk.SettingsChecker]; it is no call for providers
// that do not look at settings as a whole.
func (c *Client) CheckSettings(ctx context.Context, source sdk.Source) ([]sdk.SettingProblem, error) {
	if !c.descriptor.ChecksSettings {
		return nil, nil
	}
	out, err := c.rpc.CheckSettings(ctx, &providerv1.CheckSettingsRequest{Source: sourceToProto(source)})
	if err != nil {
		return nil, errorOf(err)
	}
	var problems []sdk.SettingProblem
	for _, p := range out.GetProblems() {
		problems = append(problems, sdk.SettingProblem{Setting: p.GetSetting(), Item: p.GetItem(), Message: p.GetMessage()})
	}
	return problems, nil
}

func failedDelivery(err error) sdk.Delivery {
	for _, detail := range status.Convert(err).Details() {
		if failure, ok := detail.(*providerv1.DeliverFailure); ok {
			return sdk.Delivery{Which: whichFromProto(failure.GetWhich()), Unsigned: failure.GetUnsigned()}
		}
	}
	return sdk.Delivery{}
}

// remoteError has the text of the provider's error and the identity of its
// kind.
type remoteError struct {
	kind    error
	message string
}

func (e *remoteError) Error() string { return e.message }
func (e *remoteError) Unwrap() error { return e.kind }

// errorOf gives a status the identity that it had on the other end. What is
// none of the kinds stays a status error.
func errorOf(err error) error {
	st := status.Convert(err)
	var kind error
	switch st.Code() {
	case codes.OutOfRange:
		kind = sdk.ErrStale
	case codes.Unauthenticated:
		kind = sdk.ErrBadSignature
	case codes.InvalidArgument:
		kind = sdk.ErrUnparseable
	case codes.FailedPrecondition:
		kind = sdk.ErrCredential
	case codes.NotFound:
		kind = sdk.ErrNoSample
	case codes.DeadlineExceeded:
		kind = context.DeadlineExceeded
	case codes.Canceled:
		kind = context.Canceled
	default:
		return err
	}
	return &remoteError{kind: kind, message: st.Message()}
}

func decodeExtra(raw []byte) (map[string]any, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var extra map[string]any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // ids are larger than a float64 is exact
	if err := dec.Decode(&extra); err != nil {
		return nil, fmt.Errorf("extra of the event: %w", err)
	}
	return extra, nil
}
