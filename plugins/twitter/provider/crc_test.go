package provider

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
)

const (
	// deletion is a delivery, and deletionSigned what X would sign it with.
	deletion       = `{"for_user_id":"930524282358325248","tweet_delete_events":[{"status":{"id":"1045405559317569537","user_id":"930524282358325248"},"timestamp_ms":"1432228155593"}]}`
	deletionSigned = "sha256=H8ZTw//E6GAC9oA5KTkGPgEluVyIohT3eM8QdpzxrVg="
)

func TestChallengeIsAnsweredForTheAppThatAsks(t *testing.T) {
	t.Parallel()
	const other = "secret-of-another-app"
	twoApps := slices.Concat(ofSource("a", other), ofSource("b", testSecret))
	answered := func(secret, token string) string { return `{"response_token":"` + sign(secret, []byte(token)) + `"}` }
	tests := []struct {
		name      string
		query     string
		signature []string
		secrets   []sdk.Secret
		want      string
		err       error
	}{
		{"the only app", "crc_token=foo", nil, secretsOf(other), answered(other, "foo"), nil},
		{"the app of two sources", "crc_token=foo", nil, secretsOf(other, other), answered(other, "foo"), nil},
		{"the only app that has a secret", "crc_token=foo", nil, secretsOf("", other), answered(other, "foo"), nil},
		{"the newest of one app", "crc_token=foo", nil, secretsOf(testSecret, other), answered(other, "foo"), nil},
		{"the newest of one app that is there", "crc_token=foo", nil, secretsOf(testSecret, other, ""), answered(other, "foo"), nil},
		{"the newest of one app in two sources", "crc_token=foo", nil, slices.Concat(ofSource("a", testSecret, other), ofSource("b", other)), answered(other, "foo"), nil},
		{"signed by the second", "crc_token=foo&nonce=abc", []string{"sha256=Ey+KU/cAkEc0bZHEBZfz7sReXy5n1trRGNvobfMkiWA="}, twoApps, answered(testSecret, "foo"), nil},
		{"signed by the first", "crc_token=foo&nonce=abc", []string{sign(other, []byte("crc_token=foo&nonce=abc"))}, twoApps, answered(other, "foo"), nil},
		{"signed for another question", "crc_token=bar&nonce=abc", []string{"sha256=Ey+KU/cAkEc0bZHEBZfz7sReXy5n1trRGNvobfMkiWA="}, twoApps, "", sdk.ErrBadSignature},
		{"signed twice", "crc_token=foo", []string{sign(other, []byte("crc_token=foo")), sign(testSecret, []byte("crc_token=foo"))}, twoApps, "", sdk.ErrBadSignature},
		{"signed with the old one", "crc_token=foo", []string{sign(other, []byte("crc_token=foo"))}, secretsOf(other, testSecret), answered(other, "foo"), nil},
		{"one of two", "crc_token=foo", nil, twoApps, "", sdk.ErrBadSignature},
		{"one of two, of which one is being replaced", "crc_token=foo", nil, slices.Concat(ofSource("a", testSecret, other), ofSource("b", testSecret)), "", sdk.ErrBadSignature},
		{"no secret", "crc_token=foo", nil, nil, "", sdk.ErrBadSignature},
		{"empty secret", "crc_token=foo", nil, secretsOf(""), "", sdk.ErrCredential},
		{"empty secret, signed with it", "crc_token=foo", []string{sign("", []byte("crc_token=foo"))}, secretsOf(""), "", sdk.ErrCredential},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := question(tt.query)
			req.Header[signatureHeader] = tt.signature
			d, err := sdk.Deliver(t.Context(), New("test"), req, tt.secrets, sdk.DeliverOptions{})
			if !errors.Is(err, tt.err) || err == nil && (d.Reply == nil || string(d.Reply.Body) != tt.want) {
				t.Fatalf("%+v, %v; want %s, %v", d.Reply, err, tt.want, tt.err)
			}
			// A challenge starts nothing and proves nobody.
			if len(d.Which) > 0 || len(d.Events) > 0 {
				t.Errorf("which %v, events %v", d.Which, d.Events)
			}
			for _, s := range tt.secrets {
				if key := s.Fields[secretField]; err != nil && key != "" && strings.Contains(err.Error(), key) {
					t.Errorf("the error tells the secret: %v", err)
				}
			}
		})
	}
}

// X publishes what an answer looks like, but not the secret that made it.
func TestAnswerHasThePublishedForm(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^sha256=[A-Za-z0-9+/]{43}=$`)
	for _, signature := range []string{"sha256=x0mYd8hz2goCTfcNAaMqENy2BFgJJfJOb4PdvTffpwg=", responseTo(t, "foo")} {
		if !form.MatchString(signature) {
			t.Errorf("%s", signature)
		}
	}
}

// Whoever had the challenge sign a delivery could send it as X. So deliveries
// are not signed, and what is signed is not taken for a delivery.
func TestForgery(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		deletion, "{}", ` {"a":1}`, "{\"a\":\n1}", "[]", `"x"`, "", "a b", "café", "foo\x00", "%7B%7D", strings.Repeat("a", 257),
	} {
		d, err := sdk.Deliver(t.Context(), New("test"), question("crc_token="+url.QueryEscape(body)), secretsOf(testSecret), sdk.DeliverOptions{})
		if body == "a b" {
			continue // becomes a+b, which is another text
		}
		if err != nil || d.Reply == nil || d.Reply.Status != http.StatusBadRequest {
			t.Errorf("%.40q was answered: %+v, %v", body, d.Reply, err)
		}
		if d.Reply != nil && strings.Contains(string(d.Reply.Body), "sha256") {
			t.Errorf("%.40q was signed", body)
		}
	}
	for _, body := range []string{"foo", "0", "null", "true", "1e9", "a+b", strings.Repeat("a", 256), "=", "sha256=abc"} {
		req := delivery([]byte(body))
		req.Header.Set(signatureHeader, responseTo(t, body))
		for _, unsigned := range []bool{false, true} {
			d, err := sdk.Deliver(t.Context(), New("test"), req, secretsOf(testSecret), sdk.DeliverOptions{AllowUnsigned: unsigned})
			if !errors.Is(err, sdk.ErrBadSignature) || len(d.Which) > 0 {
				t.Errorf("%.40q proved %v, error %v", body, d.Which, err)
			}
		}
	}
}

// While a secret is replaced there is an answer, too, and it is worth as little:
// by the old secret and by the new one.
func TestForgeryWhileASecretIsReplaced(t *testing.T) {
	t.Parallel()
	secrets := secretsOf("secret-before", testSecret)
	for _, token := range []string{"foo", "null", "0", "crc_token=foo", strings.Repeat("a", 256)} {
		d, err := sdk.Deliver(t.Context(), New("test"), question("crc_token="+url.QueryEscape(token)), secrets, sdk.DeliverOptions{})
		if err != nil || d.Reply == nil {
			t.Fatalf("%.40q: %+v, %v", token, d, err)
		}
		signature := tokenIn(t, d.Reply)
		if signature != sign(testSecret, []byte(token)) {
			t.Errorf("%.40q is not signed with the newest secret", token)
		}
		for _, body := range []string{token, deletion} {
			req := delivery([]byte(body))
			req.Header.Set(signatureHeader, signature)
			if which, err := New("test").Verify(t.Context(), req, secrets); !errors.Is(err, sdk.ErrBadSignature) || which != nil {
				t.Errorf("the answer to %.40q proves %v, %v", token, which, err)
			}
		}
	}
	d, err := sdk.Deliver(t.Context(), New("test"), question("crc_token="+url.QueryEscape(deletion)), secrets, sdk.DeliverOptions{})
	if err != nil || d.Reply == nil || d.Reply.Status != http.StatusBadRequest {
		t.Errorf("a delivery was signed: %+v, %v", d.Reply, err)
	}
}

// Whatever a stranger has signed is nobody's delivery.
func FuzzForgery(f *testing.F) {
	for _, seed := range []string{"foo", deletion, "{}", "null", "a+b=", "a b", "", "\xff", "{", "~", "[1]"} {
		f.Add(seed)
	}
	p := New("test")
	f.Fuzz(func(t *testing.T, token string) {
		d, err := sdk.Deliver(t.Context(), p, question("crc_token="+url.QueryEscape(token)), secretsOf(testSecret), sdk.DeliverOptions{})
		if err != nil || d.Reply == nil {
			t.Fatalf("%+v, %v", d, err)
		}
		if d.Reply.Status != http.StatusOK {
			return
		}
		signature := tokenIn(t, d.Reply)
		for _, body := range []string{token, strings.ReplaceAll(token, " ", "+")} {
			req := delivery([]byte(body))
			req.Header.Set(signatureHeader, signature)
			if which, err := p.Verify(t.Context(), req, secretsOf(testSecret)); !errors.Is(err, sdk.ErrBadSignature) {
				t.Fatalf("%q proves %v, %v", body, which, err)
			}
		}
		if json.Valid([]byte(token)) && strings.HasPrefix(strings.TrimSpace(token), "{") {
			t.Fatalf("signed an object: %q", token)
		}
	})
}

// FuzzChallenge: a GET is answered or refused, and never anything else.
func FuzzChallenge(f *testing.F) {
	for _, c := range cases(f) {
		if c.Request.Method == http.MethodGet {
			f.Add(c.Request.Query, c.Request.Header.Get(signatureHeader))
		}
	}
	f.Add("crc_token=a;b=c", "sha256=")
	p := New("test")
	f.Fuzz(func(t *testing.T, query, signature string) {
		req := question(query)
		req.Header.Set(signatureHeader, signature)
		d, err := sdk.Deliver(t.Context(), p, req, secretsOf(testSecret), sdk.DeliverOptions{})
		if err != nil || d.Reply == nil || len(d.Which) > 0 {
			t.Fatalf("%+v, %v", d, err)
		}
		if d.Reply.Status == http.StatusOK && !json.Valid(d.Reply.Body) {
			t.Fatalf("%s", d.Reply.Body)
		}
	})
}

func question(query string) sdk.Request {
	return sdk.Request{Method: http.MethodGet, Path: "/webhooks/twitter", Query: query, Header: http.Header{}}
}

func responseTo(t testing.TB, token string) string {
	t.Helper()
	d, err := sdk.Deliver(t.Context(), New("test"), question("crc_token="+url.QueryEscape(token)), secretsOf(testSecret), sdk.DeliverOptions{})
	if err != nil || d.Reply == nil {
		t.Fatalf("%q: %+v, %v", token, d, err)
	}
	return tokenIn(t, d.Reply)
}

func tokenIn(t testing.TB, r *sdk.Reply) string {
	t.Helper()
	var answer struct {
		ResponseToken string `json:"response_token"`
	}
	if err := json.Unmarshal(r.Body, &answer); err != nil || r.Status != http.StatusOK {
		t.Fatalf("%d %s: %v", r.Status, r.Body, err)
	}
	return answer.ResponseToken
}
