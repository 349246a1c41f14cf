package providertest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

// signed derives requests whose signature holds: with the secrets of others,
// with none, and over bodies that the vendor would not send.
func (k *checker) signed(headers []string) {
	guessed := k.c.guess()
	sign := k.suite.Sign
	if sign == nil && guessed != nil {
		sign = guessed.sign
	}
	c := k.c
	if sign == nil || k.stopped() {
		return
	}
	mine := c.Secrets[c.want.Which[0]].Fields
	resign := func(body []byte, secret map[string]string) sdk.Request {
		req := withBody(cloned(c.Request), body)
		sign(&req, secret)
		return req
	}
	d, err := k.deliver("signed by Options.Sign", resign(c.Request.Body, mine), c.Secrets, sdk.DeliverOptions{})
	if err != nil || !slices.Contains(d.Which, c.want.Which[0]) {
		if k.stopped() {
			return
		}
		k.report(checkSign, "the case, signed again with the first secret of its which, is not accepted: %v; sign req.Body as the vendor does, and a signed time from req.ReceivedAt", err)
		return
	}

	// A signature with nothing, which anybody can make.
	empty, others := map[string]string{}, map[string]string{}
	for name, value := range mine {
		empty[name], others[name] = "", value+"-of-somebody-else"
	}
	none := []sdk.Secret{{Source: "empty", Instance: "default", Fields: empty}}
	const advice = "a secret that is empty proves nothing (sdk.ErrCredential)"
	if byNobody, ok := trySign(resign, c.Request.Body, empty); ok {
		k.refused(checkSecrets, "signed with an empty secret, by a source whose secret is empty", byNobody, none, advice, sdk.ErrCredential)
		k.refused(checkSecrets, "signed with an empty secret, beside a source whose secret is empty", byNobody, slices.Concat(none, c.Secrets), advice, sdk.ErrCredential)
	}
	if byOther, ok := trySign(resign, c.Request.Body, others); ok && differ(byOther, c.Request, headers) {
		k.refused(checkSecrets, "signed with the secret of somebody else", byOther, c.Secrets, "only the source's own secret counts")
	}
	if guessed != nil && guessed.timestamp != "" {
		k.oddTimes(guessed, mine)
	}

	limit := k.limit
	p := payloadOf(c.Request)
	for _, variant := range reencoded(c.Request.Body) {
		what := "the same JSON written in another way, and signed"
		if _, err := k.deliver(what, resign(variant, mine), c.Secrets, sdk.DeliverOptions{}); errors.Is(err, sdk.ErrBadSignature) && !k.timed(err) {
			k.report(checkBody, "%s: refused (%s); verify over Request.Body exactly as received", what, clip(k.masked(err.Error())))
		}
	}
	k.signedOdd = true
	for _, b := range k.strange(p) {
		if k.stopped() {
			return
		}
		if b.large {
			limit = max(k.limit, largeLimit)
		}
		if k.suite.Forgeable != nil && k.suite.Forgeable(b.body) {
			k.refused(checkSignature, b.what+", properly signed", resign(b.body, mine), c.Secrets,
				"anybody can have it signed by the handshake (Options.Forgeable), so its signature proves nobody")
			continue
		}
		_, err := k.deliverIn(limit, b.what, resign(b.body, mine), c.Secrets, sdk.DeliverOptions{})
		if err != nil && kindOf(err) != "" && kindOf(err) != kindUnparseable && !k.timed(err) {
			k.report(checkParse, "%s, properly signed: refused with %q; what a signature covers and nobody understands is sdk.ErrUnparseable", b.what, clip(k.masked(err.Error())))
		}
		if b.large {
			lowMemory()
		}
	}
}

// timed says that the refusal may be about a time that is signed within the
// body, which a body of ours does not have.
func (k *checker) timed(err error) bool {
	return k.suite.Tolerance > 0 && errors.Is(err, sdk.ErrBadSignature)
}

// oddTimes signs times that are none.
func (k *checker) oddTimes(g *scheme, secret map[string]string) {
	good := k.c.Request.Header.Get(g.timestamp)
	for _, value := range []string{"", "NaN", "-1", "+" + good, " " + good, good + ".5", "1e9", "0x10", "99999999999999999999", "\xff"} {
		req := cloned(k.c.Request)
		req.Header[g.timestamp] = []string{value}
		g.sign(&req, secret)
		k.refused(checkTimestamp, "the signed time "+g.timestamp+" is not a number of seconds", req, k.c.Secrets, "take decimal digits and nothing else (sdk.CheckTimestamp)")
	}
}

// trySign is for schemes that can not sign with every secret: a key pair has
// no empty private key.
func trySign(resign func([]byte, map[string]string) sdk.Request, body []byte, secret map[string]string) (req sdk.Request, ok bool) {
	defer func() { ok = recover() == nil }()
	return resign(body, secret), true
}

func differ(a, b sdk.Request, headers []string) bool {
	return slices.ContainsFunc(headers, func(name string) bool { return a.Header.Get(name) != b.Header.Get(name) })
}

// scheme is a way to sign that the kit knows: HMAC-SHA256 over the body, alone
// or behind a time from another header, and those in schemes.go.
type scheme struct {
	header, prefix string
	field          string // of the secret
	timestamp      string // name of the header, or nothing
	before, behind string // the time, in the signed text
	encode         func([]byte) string

	// other signs in a way that the fields above can not say.
	other func(req *sdk.Request, key string)
	// token says that the header is the secret, and signs no body.
	token bool
}

// guess finds the scheme that made the signature of a case, or nil.
func (c *Case) guess() *scheme {
	for _, which := range c.want.Which {
		for field, key := range c.Secrets[which].Fields {
			if s := knownScheme(c.Request, field, key); s != nil {
				return s
			}
		}
	}
	for name := range c.Request.Header {
		signature := c.Request.Header.Get(name)
		prefixes := []string{""}
		if i := prefixLen(signature); i > 0 {
			prefixes = append(prefixes, signature[:i])
		}
		for _, which := range c.want.Which {
			for field := range c.Secrets[which].Fields {
				for _, prefix := range prefixes {
					if s := match(c.Request, &scheme{header: name, prefix: prefix, field: field}, c.Secrets[which].Fields); s != nil {
						return s
					}
				}
			}
		}
	}
	return nil
}

// match completes a scheme by trying what it leaves open.
func match(req sdk.Request, s *scheme, secret map[string]string) *scheme {
	want := req.Header.Get(s.header)
	for _, encode := range []func([]byte) string{hex.EncodeToString, base64.StdEncoding.EncodeToString} {
		s.encode = encode
		s.timestamp = ""
		if s.make(req, secret) == want {
			return s
		}
		for name := range req.Header {
			if !strings.Contains(strings.ToLower(name), "timestamp") {
				continue
			}
			s.timestamp = name
			for _, form := range [][2]string{{"", ""}, {"", "."}, {"", ":"}, {"v0:", ":"}} {
				s.before, s.behind = form[0], form[1]
				if s.make(req, secret) == want {
					return s
				}
			}
		}
	}
	return nil
}

func (s *scheme) make(req sdk.Request, secret map[string]string) string {
	mac := hmac.New(sha256.New, []byte(secret[s.field]))
	if s.timestamp != "" {
		mac.Write([]byte(s.before + req.Header.Get(s.timestamp) + s.behind))
	}
	mac.Write(req.Body)
	return s.prefix + s.encode(mac.Sum(nil))
}

// sign keeps the time that the request has: the time of receipt is kept, too.
func (s *scheme) sign(req *sdk.Request, secret map[string]string) {
	if s.other != nil {
		s.other(req, secret[s.field])
		return
	}
	if s.timestamp != "" && req.Header[s.timestamp] == nil {
		req.Header.Set(s.timestamp, strconv.FormatInt(req.ReceivedAt.Unix(), 10))
	}
	req.Header[http.CanonicalHeaderKey(s.header)] = []string{s.make(*req, secret)}
}
