package client

import (
	"fmt"
	"net/http"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/internal/settingwire"
	"github.com/action-llama/gateway/sdk/providerv1"
)

func requestToProto(r sdk.Request) *providerv1.Request {
	headers := make([]*providerv1.Header, 0, len(r.Header))
	for name, values := range r.Header {
		h := &providerv1.Header{Name: strings.ToValidUTF8(name, ""), Values: make([][]byte, len(values))}
		for i, value := range values {
			h.Values[i] = []byte(value)
		}
		headers = append(headers, h)
	}
	return &providerv1.Request{
		Method:     strings.ToValidUTF8(r.Method, ""),
		Path:       strings.ToValidUTF8(r.Path, ""),
		Query:      strings.ToValidUTF8(r.Query, ""),
		Headers:    headers,
		Body:       r.Body,
		ReceivedAt: timestamppb.New(r.ReceivedAt),
		Sources:    sourcesToProto(r.Sources),
	}
}

func requestFromProto(in *providerv1.Request) sdk.Request {
	out := sdk.Request{
		Method: in.GetMethod(), Path: in.GetPath(), Query: in.GetQuery(), Body: in.GetBody(), Header: http.Header{},
		ReceivedAt: in.GetReceivedAt().AsTime(),
	}
	for _, h := range in.GetHeaders() {
		for _, value := range h.GetValues() {
			out.Header.Add(h.GetName(), string(value))
		}
	}
	return out
}

func sourcesToProto(in []sdk.Source) []*providerv1.Source {
	if len(in) == 0 {
		return nil
	}
	out := make([]*providerv1.Source, len(in))
	for i, s := range in {
		out[i] = sourceToProto(s)
	}
	return out
}

func sourceToProto(s sdk.Source) *providerv1.Source {
	return &providerv1.Source{Name: s.Name, Settings: settingwire.ToProto(s.Settings), Unsigned: s.Unsigned}
}

func secretsToProto(in []sdk.Secret) []*providerv1.Secret {
	out := make([]*providerv1.Secret, len(in))
	for i, s := range in {
		out[i] = &providerv1.Secret{Source: s.Source, Instance: s.Instance, Fields: s.Fields}
	}
	return out
}

func whichFromProto(in []int32) sdk.Which {
	if len(in) == 0 {
		return nil
	}
	out := make(sdk.Which, len(in))
	for i, n := range in {
		out[i] = int(n)
	}
	return out
}

func replyFromProto(in *providerv1.Reply) *sdk.Reply {
	if in == nil {
		return nil
	}
	out := &sdk.Reply{Status: int(in.GetStatus()), Body: in.GetBody()}
	if len(in.GetHeaders()) > 0 {
		out.Header = make(http.Header, len(in.GetHeaders()))
	}
	for _, h := range in.GetHeaders() {
		for _, value := range h.GetValues() {
			out.Header.Add(h.GetName(), string(value))
		}
	}
	return out
}

func eventsFromProto(in []*providerv1.Event) ([]sdk.Event, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make([]sdk.Event, len(in))
	for i, e := range in {
		event, err := eventFromProto(e)
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		out[i] = event
	}
	return out, nil
}

func eventFromProto(in *providerv1.Event) (sdk.Event, error) {
	extra, err := decodeExtra(in.GetExtraJson())
	if err != nil {
		return sdk.Event{}, err
	}
	out := sdk.Event{
		DeliveryID: in.GetDeliveryId(),
		Name:       in.GetName(),
		Action:     in.GetAction(),
		Repo:       in.GetRepo(),
		Number:     in.GetNumber(),
		Title:      in.GetTitle(),
		Body:       in.GetBody(),
		URL:        in.GetUrl(),
		Author:     in.GetAuthor(),
		Assignee:   in.GetAssignee(),
		Labels:     in.GetLabels(),
		Branch:     in.GetBranch(),
		Conclusion: in.GetConclusion(),
		Comment:    in.GetComment(),
		Sender:     in.GetSender(),
		Automated:  in.GetAutomated(),
		Extra:      extra,
		Sensitive:  in.GetSensitive(),
		Sources:    in.GetSources(),
		Taken:      replyFromProto(in.GetTaken()),
		Ignored:    replyFromProto(in.GetIgnored()),
	}
	if t := in.GetTimestamp(); t.IsValid() {
		out.Timestamp = t.AsTime()
	}
	if len(in.GetAttributes()) > 0 {
		out.Attributes = make(map[string][]string, len(in.GetAttributes()))
	}
	for _, a := range in.GetAttributes() {
		out.Attributes[a.GetName()] = append(out.Attributes[a.GetName()], a.GetValues()...)
	}
	return out, nil
}

func descriptorFromProto(in *providerv1.Descriptor) sdk.Descriptor {
	out := sdk.Descriptor{
		Type:             in.GetType(),
		Name:             in.GetName(),
		Version:          in.GetVersion(),
		DocsURL:          in.GetDocsUrl(),
		Credential:       sdk.Credential{Type: in.GetCredential().GetType()},
		SignatureHeaders: in.GetSignatureHeaders(),
		DeliveryIDHeader: in.GetDeliveryIdHeader(),
		ReplyDeadline:    in.GetReplyDeadline().AsDuration(),
		Challenges:       in.GetChallenges(),
		ChecksSettings:   in.GetChecksSettings(),
		Setup:            in.GetSetup(),
	}
	for _, f := range in.GetCredential().GetFields() {
		out.Credential.Fields = append(out.Credential.Fields, sdk.Field{
			Name: f.GetName(), Label: f.GetLabel(), Secret: f.GetSecret(), Optional: f.GetOptional(),
			Help: f.GetHelp(), Pattern: f.GetPattern(), Aliases: f.GetAliases(), Generated: f.GetGenerated(),
		})
	}
	for _, f := range in.GetFilters() {
		out.Filters = append(out.Filters, filterFromProto(f))
	}
	for _, s := range in.GetSettings() {
		out.Settings = append(out.Settings, settingFromProto(s))
	}
	for _, s := range in.GetSamples() {
		out.Samples = append(out.Samples, sdk.Sample{Name: s.GetName(), Help: s.GetHelp()})
	}
	if len(in.GetExample()) > 0 {
		out.Example = make(map[string][]string, len(in.GetExample()))
	}
	for _, a := range in.GetExample() {
		out.Example[a.GetName()] = a.GetValues()
	}
	return out
}

func filterFromProto(f *providerv1.Filter) sdk.Filter {
	kind := sdk.StringList
	if f.GetKind() == providerv1.FilterKind_FILTER_KIND_STRING {
		kind = sdk.String
	}
	return sdk.Filter{
		Name: f.GetName(), Kind: kind, Attribute: f.GetAttribute(), Help: f.GetHelp(),
		Values: f.GetValues(), PassAbsent: f.GetPassAbsent(), MatchCase: f.GetMatchCase(), OptIn: f.GetOptIn(),
	}
}

// settingFromProto keeps a kind from the future as a number that is none of
// ours, which the descriptor's check names.
func settingFromProto(in *providerv1.Setting) sdk.Setting {
	out := sdk.Setting{
		Name: in.GetName(), Help: in.GetHelp(), Required: in.GetRequired(),
		Kind:    sdk.SettingKind(max(in.GetKind(), providerv1.SettingKind_SETTING_KIND_STRING) - providerv1.SettingKind_SETTING_KIND_STRING),
		Default: settingwire.ValueFromProto(in.GetDefault()), Values: in.GetValues(), Pattern: in.GetPattern(),
		SignatureHeader: in.GetSignatureHeader(),
	}
	if in.GetFilters() != nil {
		f := filterFromProto(in.GetFilters())
		out.Filters = &f
	}
	return out
}
