package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/action-llama/gateway/sdk/internal/settingwire"
	"github.com/action-llama/gateway/sdk/providerv1"
)

// server is the provider's end of the wire: a call and a mapping per method.
type server struct {
	providerv1.UnimplementedProviderServiceServer
	provider   Provider
	descriptor Descriptor
}

// GRPCPlugin registers a provider with a go-plugin server. Serve uses it;
// tests use it with plugin.TestPluginGRPCConn.
func GRPCPlugin(p Provider) plugin.Plugin {
	return &serverPlugin{provider: p}
}

type serverPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	provider Provider
}

func (p *serverPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	providerv1.RegisterProviderServiceServer(s, &server{provider: p.provider, descriptor: Describe(p.provider)})
	return nil
}

func (p *serverPlugin) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("this is a provider's end; the host's is in the package client")
}

func (s *server) Describe(context.Context, *providerv1.DescribeRequest) (*providerv1.DescribeResponse, error) {
	return &providerv1.DescribeResponse{Descriptor_: descriptorToProto(s.descriptor)}, nil
}

func (s *server) Verify(ctx context.Context, in *providerv1.VerifyRequest) (*providerv1.VerifyResponse, error) {
	which, err := verifyEach(ctx, s.provider, s.descriptor, requestFromProto(in.GetRequest()), secretsFromProto(in.GetSecrets()))
	if err != nil {
		return nil, statusOf(err)
	}
	return &providerv1.VerifyResponse{Which: whichToProto(which)}, nil
}

func (s *server) Challenge(ctx context.Context, in *providerv1.ChallengeRequest) (*providerv1.ChallengeResponse, error) {
	c, ok := s.provider.(Challenger)
	if !ok {
		return &providerv1.ChallengeResponse{}, nil
	}
	reply, err := challengeEach(ctx, c, s.descriptor, requestFromProto(in.GetRequest()), secretsFromProto(in.GetSecrets()))
	if err != nil {
		return nil, statusOf(err)
	}
	return &providerv1.ChallengeResponse{Reply: replyToProto(reply)}, nil
}

func (s *server) Parse(ctx context.Context, in *providerv1.ParseRequest) (*providerv1.ParseResponse, error) {
	events, err := parseEach(ctx, s.provider, s.descriptor, requestFromProto(in.GetRequest()))
	if err != nil {
		return nil, statusOf(err)
	}
	out, err := eventsToProto(events)
	if err != nil {
		return nil, statusOf(err)
	}
	return &providerv1.ParseResponse{Events: out}, nil
}

func (s *server) Deliver(ctx context.Context, in *providerv1.DeliverRequest) (*providerv1.DeliverResponse, error) {
	d, err := deliver(ctx, s.provider, s.descriptor, requestFromProto(in.GetRequest()),
		secretsFromProto(in.GetSecrets()), DeliverOptions{AllowUnsigned: in.GetAllowUnsigned()})
	var events []*providerv1.Event
	if err == nil {
		events, err = eventsToProto(d.Events)
	}
	if err != nil {
		st, detailErr := status.Convert(statusOf(err)).WithDetails(
			&providerv1.DeliverFailure{Which: whichToProto(d.Which), Unsigned: d.Unsigned})
		if detailErr != nil {
			return nil, statusOf(err)
		}
		return nil, st.Err()
	}
	return &providerv1.DeliverResponse{
		Which:    whichToProto(d.Which),
		Unsigned: d.Unsigned,
		Reply:    replyToProto(d.Reply),
		Events:   events,
	}, nil
}

func (s *server) Sample(ctx context.Context, in *providerv1.SampleRequest) (*providerv1.SampleResponse, error) {
	sampler, ok := s.provider.(Sampler)
	if !ok {
		return nil, statusOf(ErrNoSample)
	}
	ask := SampleAsk{Name: in.GetName(), Body: in.Body, SentAt: in.GetSentAt().AsTime(), Unique: in.GetUnique()}
	if in.GetSecret() != nil {
		ask.Secret = &secretsFromProto([]*providerv1.Secret{in.GetSecret()})[0]
	}
	ask.Settings = sourceFromProto(in.GetSource()).Settings
	if in.GetSource() == nil {
		ask.Settings = s.descriptor.DefaultSettings()
	}
	req, err := sampler.Sample(ctx, ask)
	if err != nil {
		return nil, statusOf(err)
	}
	return &providerv1.SampleResponse{Request: requestToProto(req)}, nil
}

func (s *server) CheckSettings(ctx context.Context, in *providerv1.CheckSettingsRequest) (*providerv1.CheckSettingsResponse, error) {
	c, ok := s.provider.(SettingsChecker)
	if !ok {
		return &providerv1.CheckSettingsResponse{}, nil
	}
	problems, err := c.CheckSettings(ctx, sourceFromProto(in.GetSource()))
	if err != nil {
		return nil, statusOf(err)
	}
	out := &providerv1.CheckSettingsResponse{}
	for _, p := range problems {
		out.Problems = append(out.Problems, &providerv1.SettingProblem{
			Setting: p.Setting, Item: truncate(p.Item, maxNameRunes), Message: truncate(p.Message, maxNameRunes),
		})
	}
	return out, nil
}

// statusOf gives an error the code by which the other end knows its kind.
func statusOf(err error) error {
	code := codes.Internal
	switch {
	case errors.Is(err, ErrStale):
		code = codes.OutOfRange
	case errors.Is(err, ErrBadSignature):
		code = codes.Unauthenticated
	case errors.Is(err, ErrUnparseable):
		code = codes.InvalidArgument
	case errors.Is(err, ErrCredential):
		code = codes.FailedPrecondition
	case errors.Is(err, ErrNoSample):
		code = codes.NotFound
	case errors.Is(err, context.DeadlineExceeded):
		code = codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	}
	return status.Error(code, truncate(err.Error(), maxNameRunes))
}

// recoverPanics turns a panic in a provider's method into an error of that
// call, so that the others in flight live on. What was thrown may quote a body,
// so only a runtime error's text is told.
func recoverPanics(log hclog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
		defer func() {
			if thrown := recover(); thrown != nil {
				what := fmt.Sprintf("%T", thrown)
				if re, ok := thrown.(runtime.Error); ok {
					what = re.Error()
				}
				log.Error("provider panicked", "method", info.FullMethod, "panic", what, "stack", string(debug.Stack()))
				resp, err = nil, status.Errorf(codes.Internal, "provider panicked: %s", what)
			}
		}()
		return next(ctx, req)
	}
}

func requestFromProto(in *providerv1.Request) Request {
	header := make(http.Header, len(in.GetHeaders()))
	for _, h := range in.GetHeaders() {
		key := http.CanonicalHeaderKey(h.GetName())
		for _, value := range h.GetValues() {
			header[key] = append(header[key], string(value))
		}
	}
	return Request{
		Method:     in.GetMethod(),
		Path:       in.GetPath(),
		Query:      in.GetQuery(),
		Header:     header,
		Body:       in.GetBody(),
		ReceivedAt: in.GetReceivedAt().AsTime(),
		Sources:    sourcesFromProto(in.GetSources()),
	}
}

func sourcesFromProto(in []*providerv1.Source) []Source {
	if len(in) == 0 {
		return nil
	}
	out := make([]Source, len(in))
	for i, s := range in {
		out[i] = sourceFromProto(s)
	}
	return out
}

func sourceFromProto(in *providerv1.Source) Source {
	return Source{Name: in.GetName(), Settings: settingwire.FromProto(in.GetSettings()), Unsigned: in.GetUnsigned()}
}

func requestToProto(r Request) *providerv1.Request {
	out := &providerv1.Request{
		Method: r.Method, Path: r.Path, Query: r.Query, Body: r.Body, ReceivedAt: timestamppb.New(r.ReceivedAt),
	}
	for name, values := range r.Header {
		out.Headers = append(out.Headers, headerToProto(name, values))
	}
	return out
}

func secretsFromProto(in []*providerv1.Secret) []Secret {
	out := make([]Secret, len(in))
	for i, s := range in {
		out[i] = Secret{Source: s.GetSource(), Instance: s.GetInstance(), Fields: s.GetFields()}
	}
	return out
}

func whichToProto(which Which) []int32 {
	if len(which) == 0 {
		return nil
	}
	out := make([]int32, len(which))
	for i, n := range which {
		out[i] = int32(n)
	}
	return out
}

func replyToProto(r *Reply) *providerv1.Reply {
	if r == nil {
		return nil
	}
	out := &providerv1.Reply{Status: int32(r.Status), Body: r.Body}
	for name, values := range r.Header {
		out.Headers = append(out.Headers, headerToProto(name, values))
	}
	return out
}

func headerToProto(name string, values []string) *providerv1.Header {
	h := &providerv1.Header{Name: name, Values: make([][]byte, len(values))}
	for i, value := range values {
		h.Values[i] = []byte(value)
	}
	return h
}

func eventsToProto(in []Event) ([]*providerv1.Event, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make([]*providerv1.Event, len(in))
	for i, e := range in {
		pb, err := eventToProto(e)
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		out[i] = pb
	}
	return out, nil
}

// eventToProto cuts texts and mends their encoding: protobuf refuses a whole
// message for one bad byte, and a vendor's bytes are not ours to vouch for.
func eventToProto(e Event) (*providerv1.Event, error) {
	out := &providerv1.Event{
		DeliveryId: truncate(e.DeliveryID, maxNameRunes),
		Name:       truncate(e.Name, maxNameRunes),
		Action:     truncate(e.Action, maxNameRunes),
		Repo:       truncate(e.Repo, maxNameRunes),
		Number:     e.Number,
		Title:      Truncate(e.Title),
		Body:       Truncate(e.Body),
		Url:        Truncate(e.URL),
		Author:     truncate(e.Author, maxNameRunes),
		Assignee:   truncate(e.Assignee, maxNameRunes),
		Labels:     validStrings(e.Labels),
		Branch:     truncate(e.Branch, maxNameRunes),
		Conclusion: truncate(e.Conclusion, maxNameRunes),
		Comment:    Truncate(e.Comment),
		Sender:     truncate(e.Sender, maxNameRunes),
		Automated:  e.Automated,
		Sensitive:  e.Sensitive,
		Sources:    e.Sources,
		Taken:      replyToProto(e.Taken),
		Ignored:    replyToProto(e.Ignored),
	}
	if !e.Timestamp.IsZero() {
		out.Timestamp = timestamppb.New(e.Timestamp)
	}
	for name, values := range e.Attributes {
		if len(values) > 0 {
			out.Attributes = append(out.Attributes, &providerv1.Attribute{Name: name, Values: validStrings(values)})
		}
	}
	if len(e.Extra) > 0 {
		extra, err := json.Marshal(e.Extra)
		if err != nil {
			return nil, fmt.Errorf("extra: %w", err)
		}
		out.ExtraJson = extra
	}
	return out, nil
}

// maxNameRunes bounds what should be a short name. It is far beyond any
// vendor's own limit.
const maxNameRunes = 1000

func validStrings(in []string) []string {
	if len(in) == 0 {
		return nil
	}
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = truncate(s, maxNameRunes)
	}
	return out
}

func descriptorToProto(d Descriptor) *providerv1.Descriptor {
	out := &providerv1.Descriptor{
		Type:             d.Type,
		Name:             d.Name,
		Version:          d.Version,
		DocsUrl:          d.DocsURL,
		Credential:       &providerv1.Credential{Type: d.Credential.Type},
		SignatureHeaders: d.SignatureHeaders,
		DeliveryIdHeader: d.DeliveryIDHeader,
		ReplyDeadline:    durationpb.New(d.ReplyDeadline),
		Setup:            d.Setup,
		Challenges:       d.Challenges,
		ChecksSettings:   d.ChecksSettings,
	}
	for _, f := range d.Credential.Fields {
		out.Credential.Fields = append(out.Credential.Fields, &providerv1.Field{
			Name: f.Name, Label: f.Label, Secret: f.Secret, Optional: f.Optional,
			Help: f.Help, Pattern: f.Pattern, Aliases: f.Aliases, Generated: f.Generated,
		})
	}
	for _, f := range d.Filters {
		out.Filters = append(out.Filters, filterToProto(f))
	}
	defaults := d.DefaultSettings()
	for _, s := range d.Settings {
		out.Settings = append(out.Settings, settingToProto(s, defaults[s.Name]))
	}
	for _, s := range d.Samples {
		out.Samples = append(out.Samples, &providerv1.Sample{Name: s.Name, Help: s.Help})
	}
	for name, values := range d.Example {
		out.Example = append(out.Example, &providerv1.Attribute{Name: name, Values: values})
	}
	return out
}

func filterToProto(f Filter) *providerv1.Filter {
	kind := providerv1.FilterKind_FILTER_KIND_STRING_LIST
	if f.Kind == String {
		kind = providerv1.FilterKind_FILTER_KIND_STRING
	}
	return &providerv1.Filter{
		Name: f.Name, Kind: kind, Attribute: f.Attribute, Help: f.Help,
		Values: f.Values, PassAbsent: f.PassAbsent, MatchCase: f.MatchCase, OptIn: f.OptIn,
	}
}

func settingToProto(s Setting, standard any) *providerv1.Setting {
	out := &providerv1.Setting{
		Name: s.Name, Kind: providerv1.SettingKind(s.Kind) + providerv1.SettingKind_SETTING_KIND_STRING, Help: s.Help,
		Required: s.Required, Default: settingwire.ValueToProto(standard), Values: s.Values, Pattern: s.Pattern,
		SignatureHeader: s.SignatureHeader,
	}
	if s.Filters != nil {
		out.Filters = filterToProto(*s.Filters)
	}
	return out
}
