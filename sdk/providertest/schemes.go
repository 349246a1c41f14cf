package providertest

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// knownScheme finds out whether a key made the request's signature by one of the
// schemes that package sdk verifies as a whole, or is the token in a header.
func knownScheme(req sdk.Request, field, key string) *scheme {
	if key == "" {
		return nil
	}
	if s := standardWebhooks(req, field, key); s != nil {
		return s
	}
	for name, values := range req.Header {
		if len(values) != 1 {
			continue
		}
		if s := timestamped(req, name, values[0], field, key); s != nil {
			return s
		}
		if s := basic(name, values[0], field, key); s != nil {
			return s
		}
		// Short keys turn up by chance.
		if prefix, ok := strings.CutSuffix(values[0], key); ok && len(key) >= minNeedle {
			return &scheme{header: name, field: field, token: true, other: func(req *sdk.Request, key string) {
				req.Header[name] = []string{prefix + key}
			}}
		}
	}
	return nil
}

// basic is a user and the key as password, as sdk.VerifyBasicAuth takes them.
func basic(name, value, field, key string) *scheme {
	text, ok := strings.CutPrefix(value, "Basic ")
	if !ok || name != "Authorization" {
		return nil
	}
	both, err := base64.StdEncoding.DecodeString(text)
	user, password, _ := strings.Cut(string(both), ":")
	if err != nil || password != key {
		return nil
	}
	return &scheme{header: name, field: field, token: true, other: func(req *sdk.Request, key string) {
		req.Header[name] = []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+key))}
	}}
}

// isToken says that what signs a request is the secret itself, in the header of
// the signature. In any other header a secret has no business.
func isToken(d sdk.Descriptor, req sdk.Request, secret sdk.Secret) bool {
	for field, key := range secret.Fields {
		if s := knownScheme(req, field, key); s != nil && s.token && s.signs(d) {
			return true
		}
	}
	return false
}

// signs says that the scheme's header is one that signs.
func (s *scheme) signs(d sdk.Descriptor) bool {
	return slices.ContainsFunc(d.SignatureHeaders, func(name string) bool { return strings.EqualFold(name, s.header) })
}

// timestamped is t=1700000000,v1=hex, as sdk.VerifyTimestampedHMAC takes it.
func timestamped(req sdk.Request, name, value, field, key string) *scheme {
	var at *time.Time
	for item := range strings.SplitSeq(value, ",") {
		if text, ok := strings.CutPrefix(strings.TrimSpace(item), "t="); ok {
			if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
				t := time.Unix(seconds, 0)
				at = &t
			}
		}
	}
	if at == nil {
		return nil
	}
	_, own, _ := strings.Cut(sdk.SignTimestampedHMAC(key, *at, req.Body), ",")
	if !strings.Contains(value, own) {
		return nil
	}
	return &scheme{header: name, field: field, other: func(req *sdk.Request, key string) {
		when := req.ReceivedAt
		if req.Header.Get(name) != "" {
			when = *at // the time that the request has
		}
		req.Header[name] = []string{sdk.SignTimestampedHMAC(key, when, req.Body)}
	}}
}

// standardWebhooks is what sdk.VerifyStandardWebhooks takes.
func standardWebhooks(req sdk.Request, field, key string) *scheme {
	const timestamp, signature = "Webhook-Timestamp", "Webhook-Signature"
	at := func(req sdk.Request) time.Time {
		seconds, err := strconv.ParseInt(req.Header.Get(timestamp), 10, 64)
		if err != nil {
			return req.ReceivedAt
		}
		return time.Unix(seconds, 0)
	}
	own := http.Header{}
	id := req.Header.Get(sdk.StandardWebhooksID)
	if id == "" || sdk.SignStandardWebhooks(own, key, id, at(req), req.Body) != nil ||
		!strings.Contains(req.Header.Get(signature), own.Get(signature)) {
		return nil
	}
	return &scheme{header: signature, field: field, other: func(req *sdk.Request, key string) {
		if req.Header.Get(sdk.StandardWebhooksID) == "" {
			req.Header.Set(sdk.StandardWebhooksID, id)
		}
		if err := sdk.SignStandardWebhooks(req.Header, key, req.Header.Get(sdk.StandardWebhooksID), at(*req), req.Body); err != nil {
			panic(err) //nolint:forbidigo // as a signer does that can not sign with every secret; trySign looks for it
		}
	}}
}
