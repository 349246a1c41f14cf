package sdk_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
)

var sentAt = time.Unix(1614265330, 0)

func keys(values ...string) []sdk.Secret {
	var secrets []sdk.Secret
	for _, v := range values {
		secrets = append(secrets, sdk.Secret{Source: "s", Fields: map[string]string{"secret": v}})
	}
	return secrets
}

// attempt is a request that is changed in one way, and what becomes of it.
type attempt struct {
	change func(*sdk.Request)
	want   error // nil for one that verifies
}

func header(name string, values ...string) func(*sdk.Request) {
	return func(r *sdk.Request) { r.Header[name] = values }
}

func late(d time.Duration) func(*sdk.Request) {
	return func(r *sdk.Request) { r.ReceivedAt = sentAt.Add(d) }
}

func try(t *testing.T, fresh func() sdk.Request, verify func(sdk.Request) (sdk.Which, error), attempts map[string]attempt) {
	t.Helper()
	for name, a := range attempts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := fresh()
			a.change(&req)
			which, err := verify(req)
			switch {
			case a.want == nil && (err != nil || len(which) == 0):
				t.Errorf("refused: %v", err)
			case a.want != nil && !errors.Is(err, a.want):
				t.Errorf("error %v, want %v (matched %v)", err, a.want, which)
			}
		})
	}
}

func TestStandardWebhooks(t *testing.T) {
	t.Parallel()
	// The vector that the specification's libraries are tested with.
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	const published = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	fresh := func() sdk.Request {
		return sdk.Request{
			Header: http.Header{
				"Webhook-Id":        {"msg_p5jXN8AQM9LWM0D4loKWxJek"},
				"Webhook-Timestamp": {"1614265330"},
				"Webhook-Signature": {published},
			},
			Body: []byte(`{"test": 2432232314}`), ReceivedAt: sentAt,
		}
	}
	signed := http.Header{}
	if err := sdk.SignStandardWebhooks(signed, secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", sentAt, fresh().Body); err != nil || signed.Get("Webhook-Signature") != published {
		t.Errorf("signed as %v, %v", signed, err)
	}
	verify := func(req sdk.Request) (sdk.Which, error) {
		which, err := sdk.VerifyStandardWebhooks(req, keys("whsec_b3RoZXI=", secret, strings.TrimPrefix(secret, "whsec_")), "secret", sdk.StandardWebhooksTolerance)
		if err == nil && !slices.Equal(which, sdk.Which{1, 2}) {
			t.Errorf("matched %v", which)
		}
		return which, err
	}
	bad := sdk.ErrBadSignature
	try(t, fresh, verify, map[string]attempt{
		"as published":            {func(*sdk.Request) {}, nil},
		"one of several":          {header("Webhook-Signature", "v1a,xx v1,AAAA "+published), nil},
		"at the edge":             {late(5 * time.Minute), nil},
		"too old":                 {late(5*time.Minute + time.Second), sdk.ErrStale},
		"from the future":         {late(-5*time.Minute - time.Second), sdk.ErrStale},
		"another body":            {func(r *sdk.Request) { r.Body = append(r.Body, ' ') }, bad},
		"another id":              {header("Webhook-Id", "msg_other"), bad},
		"another time":            {header("Webhook-Timestamp", "1614265331"), bad},
		"a forger's time, stale":  {header("Webhook-Timestamp", "1"), bad},
		"no id":                   {header("Webhook-Id"), bad},
		"two ids":                 {header("Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "x"), bad},
		"no signature":            {header("Webhook-Signature"), bad},
		"no signature of v1":      {header("Webhook-Signature", strings.Replace(published, "v1,", "v2,", 1)), bad},
		"not base64":              {header("Webhook-Signature", "v1,***"), bad},
		"too many to try":         {header("Webhook-Signature", strings.Repeat("v1,AAAA ", 20)+published), bad},
		"letter case of versions": {header("Webhook-Signature", strings.Replace(published, "v1", "V1", 1)), bad},
	})
	if _, err := sdk.VerifyStandardWebhooks(fresh(), keys("whsec_not base64"), "secret", time.Minute); !errors.Is(err, sdk.ErrCredential) {
		t.Errorf("a secret that is none: %v", err)
	}
}

func TestTimestampedHMAC(t *testing.T) {
	t.Parallel()
	body := []byte(`{"a":1}`)
	good := sdk.SignTimestampedHMAC("key", sentAt, body)
	fresh := func() sdk.Request {
		return sdk.Request{Header: http.Header{"X-Sig": {good}}, Body: slices.Clone(body), ReceivedAt: sentAt}
	}
	verify := func(req sdk.Request) (sdk.Which, error) {
		return sdk.VerifyTimestampedHMAC(req, keys("other", "key"), "secret", "X-Sig", time.Minute)
	}
	_, v1, _ := strings.Cut(good, ",")
	bad := sdk.ErrBadSignature
	try(t, fresh, verify, map[string]attempt{
		"good":                   {func(*sdk.Request) {}, nil},
		"spaces and old schemes": {header("X-Sig", strings.ReplaceAll(good, ",", ", ")+", v0=zz"), nil},
		"during a rotation":      {header("X-Sig", good+",v1=00ff"), nil},
		"stale":                  {late(2 * time.Minute), sdk.ErrStale},
		"another body":           {func(r *sdk.Request) { r.Body[0] = 'x' }, bad},
		"another time":           {header("X-Sig", "t=1614265331,"+v1), bad},
		"no time":                {header("X-Sig", v1), bad},
		"two times":              {header("X-Sig", "t=1614265330,"+good), bad},
		"no signature":           {header("X-Sig", "t=1614265330"), bad},
		"upper-case hex":         {header("X-Sig", strings.ToUpper(good)), bad},
		"too many to try":        {header("X-Sig", strings.Repeat("v1=00,", 20)+good), bad},
		"a time that is none":    {header("X-Sig", "t=NaN,"+v1), bad},
	})
}

func TestToken(t *testing.T) {
	t.Parallel()
	fresh := func() sdk.Request { return sdk.Request{Header: http.Header{"X-Token": {"Bearer tok"}}} }
	verify := func(req sdk.Request) (sdk.Which, error) {
		return sdk.VerifyToken(req.Header, keys("other", "tok", ""), "secret", "X-Token", "Bearer ")
	}
	bad := sdk.ErrBadSignature
	try(t, fresh, verify, map[string]attempt{
		"good":           {func(*sdk.Request) {}, nil},
		"another":        {header("X-Token", "Bearer tik"), bad},
		"a part of it":   {header("X-Token", "Bearer to"), bad},
		"more than it":   {header("X-Token", "Bearer tokk"), bad},
		"without prefix": {header("X-Token", "tok"), bad},
		"empty":          {header("X-Token", "Bearer "), bad},
		"none":           {header("X-Token"), bad},
		"two":            {header("X-Token", "Bearer tok", "Bearer tok"), bad},
	})
	if _, err := sdk.VerifyToken(fresh().Header, keys(""), "secret", "X-Token", "Bearer "); !errors.Is(err, sdk.ErrCredential) {
		t.Errorf("an empty secret: %v", err)
	}
}

func TestBasicAuth(t *testing.T) {
	t.Parallel()
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	secrets := []sdk.Secret{
		{Fields: map[string]string{"user": "ann", "password": ""}},
		{Fields: map[string]string{"user": "ann", "password": "pass:word"}},
	}
	fresh := func() sdk.Request { return sdk.Request{Header: http.Header{"Authorization": {basic("ann:pass:word")}}} }
	verify := func(req sdk.Request) (sdk.Which, error) {
		return sdk.VerifyBasicAuth(req.Header, secrets, "user", "password")
	}
	bad := sdk.ErrBadSignature
	try(t, fresh, verify, map[string]attempt{
		"good":             {func(*sdk.Request) {}, nil},
		"another password": {header("Authorization", basic("ann:pass")), bad},
		"another user":     {header("Authorization", basic("ben:pass:word")), bad},
		"no password":      {header("Authorization", basic("ann")), bad},
		"an empty one":     {header("Authorization", basic("ann:")), bad},
		"not base64":       {header("Authorization", "Basic ***"), bad},
		"another scheme":   {header("Authorization", "Bearer x"), bad},
		"none":             {header("Authorization"), bad},
	})
}
