package provider

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// Samples is one: what is in it is for the settings of the source to say.
func (p *Provider) Samples() []sdk.Sample {
	return []sdk.Sample{{Name: anyEvent, Help: "Something happens, with a value wherever a setting looks for one."}}
}

// Sample makes a request that the settings of the source fit.
func (p *Provider) Sample(_ context.Context, ask sdk.SampleAsk) (sdk.Request, error) {
	s := ask.Settings
	body := ask.Body
	req := sdk.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}, ReceivedAt: ask.SentAt}
	values := sampleValues(s, ask)
	if body == nil {
		if ask.Name != anyEvent {
			return sdk.Request{}, fmt.Errorf("%w: %q", sdk.ErrNoSample, ask.Name)
		}
		var root any
		for _, path := range slices.Sorted(maps.Keys(values)) {
			if headerOf(path) == "" {
				root = put(root, strings.Split(path, "."), values[path])
			}
		}
		if root == nil {
			root = map[string]any{"message": "This is a test delivery."}
		}
		var err error
		if body, err = json.Marshal(root); err != nil {
			return sdk.Request{}, fmt.Errorf("make the body: %w", err)
		}
	}
	for path, value := range values {
		if name := headerOf(path); name != "" {
			req.Header.Set(name, fmt.Sprint(value))
		}
	}
	req.Body = body
	return req, sign(&req, ask)
}

// sampleValues are what is found by the paths of the settings.
func sampleValues(s sdk.Settings, ask sdk.SampleAsk) map[string]any {
	values := map[string]any{}
	set := func(path string, value any) {
		if _, ok := values[path]; !ok && path != "" {
			values[path] = value
		}
	}
	set(s.Text(setEvent), ask.Name)
	set(s.Text(setDeliveryID), ask.Fill("{{uuid}}"))
	for _, table := range []string{setFields, setAttributes, setExtra} {
		for _, name := range slices.Sorted(maps.Keys(s.Table(table))) {
			path := s.Table(table)[name]
			switch name {
			case "number":
				set(path, 42)
			case "timestamp":
				set(path, ask.SentAt.UTC().Format(time.RFC3339))
			case "url":
				set(path, "https://example.com/"+ask.Fill("{{hex}}"))
			default:
				set(path, "sample "+name)
			}
		}
	}
	return values
}

// put makes the objects and lists on the way to a value. Where a path goes
// through the value of another, the first of the two stays.
func put(at any, names []string, value any) any {
	if len(names) == 0 {
		if at == nil {
			return value
		}
		return at
	}
	index, err := strconv.Atoi(names[0])
	inList := names[0] == "*" || err == nil && index >= 0 && index < maxValues
	switch v := at.(type) {
	case nil:
		if inList {
			return put([]any{}, names, value)
		}
		return put(map[string]any{}, names, value)
	case []any:
		if !inList {
			return v
		}
		for len(v) <= index {
			v = append(v, nil)
		}
		v[index] = put(v[index], names[1:], value)
		return v
	case map[string]any:
		v[names[0]] = put(v[names[0]], names[1:], value)
		return v
	default:
		return at
	}
}

// sign adds the headers by which the sender proves itself.
func sign(req *sdk.Request, ask sdk.SampleAsk) error {
	s := ask.Settings
	header := http.CanonicalHeaderKey(s.Text(setHeader))
	id := ask.Fill("{{uuid}}")
	if s.Text(setScheme) == schemeStandard {
		prefix, _ := standardPrefix(s)
		req.Header.Set(prefix+standardID, id)
		req.Header.Set(prefix+standardTimestamp, strconv.FormatInt(ask.SentAt.Unix(), 10))
	}
	if s.Has(setTimestamp) && s.Text(setScheme) == schemeHMAC {
		req.Header.Set(s.Text(setTimestamp), writtenTime(s, ask.SentAt))
	}
	if ask.Secret == nil {
		return nil
	}
	secret := ask.Secret.Fields[secretField]
	if secret == "" {
		return fmt.Errorf("%w: the field %q is empty", sdk.ErrCredential, secretField)
	}
	switch s.Text(setScheme) {
	case schemeTimestamped:
		req.Header.Set(header, sdk.SignTimestampedHMAC(secret, ask.SentAt, req.Body))
	case schemeStandard:
		made := http.Header{}
		if err := sdk.SignStandardWebhooks(made, secret, id, ask.SentAt, req.Body); err != nil {
			return err
		}
		req.Header.Set(header, made.Get("Webhook-"+standardSignature))
	case schemeToken:
		req.Header.Set(header, s.Text(setPrefix)+secret)
	case schemeBasic:
		user := ask.Secret.Fields[userField]
		if user == "" {
			return fmt.Errorf("%w: the field %q is empty, and the scheme %s needs it", sdk.ErrCredential, userField, schemeBasic)
		}
		req.Header.Set(header, "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+secret)))
	default:
		message, err := signedText(req.Header, s, req.Body)
		if err != nil {
			return err
		}
		sum, err := hmacOf(s).Sign(secret, message...)
		if err != nil {
			return err
		}
		text := hex.EncodeToString(sum)
		if s.Text(setEncoding) == encodingBase64 {
			text = base64.StdEncoding.EncodeToString(sum)
		}
		req.Header.Set(header, s.Text(setPrefix)+text)
	}
	return nil
}

func writtenTime(s sdk.Settings, at time.Time) string {
	switch s.Text(setTimestampFormat) {
	case formatMillis:
		return strconv.FormatInt(at.UnixMilli(), 10)
	case formatRFC3339:
		return at.UTC().Format(time.RFC3339)
	default:
		return strconv.FormatInt(at.Unix(), 10)
	}
}
