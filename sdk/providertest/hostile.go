package providertest

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/action-llama/gateway/sdk"
)

const adviceSignature = "compare the whole signature, in constant time, over the raw body; sdk.HexSignature and sdk.VerifyHMACSHA256 do"

// hostile derives from a case that a secret signs what somebody without the
// secret could send. All of it must be refused.
func (k *checker) hostile() {
	c := k.c
	if !c.accepted() || len(k.desc.SignatureHeaders) == 0 {
		return
	}
	if !sdk.Signed(k.desc, c.Request) {
		k.report(checkSignature, "a secret signs the case, but it has none of Descriptor.SignatureHeaders %q; add the header, or the host takes a wrong signature for none",
			k.desc.SignatureHeaders)
		return
	}
	k.refused(checkSignature, "no signature header at all", k.without(k.desc.SignatureHeaders...), c.Secrets, adviceSignature)
	headers := k.bearing()
	if len(headers) == 0 && !k.stopped() {
		k.report(checkSignature, "any value of %q is accepted; %s", k.desc.SignatureHeaders, adviceSignature)
		return
	}
	for _, name := range headers {
		k.header(name)
	}
	k.secrets()
	k.age(headers)
	if g := c.guess(); g == nil || !g.token || !g.signs(k.desc) {
		k.changedBodies()
	}
	k.signed(headers)
}

// bearing returns the headers without which the request is refused. Others may
// be there, such as a legacy signature that nobody looks at.
func (k *checker) bearing() []string {
	candidates := map[string]bool{}
	for _, name := range k.desc.SignatureHeaders {
		candidates[http.CanonicalHeaderKey(name)] = true
	}
	for name := range k.c.Request.Header {
		if strings.Contains(strings.ToLower(name), "timestamp") || strings.EqualFold(name, k.desc.DeliveryIDHeader) {
			candidates[name] = true
		}
	}
	var bearing []string
	for _, name := range slices.Sorted(maps.Keys(candidates)) {
		if len(k.c.Request.Header.Values(name)) == 0 {
			continue
		}
		_, err := k.deliver("another value of "+name, k.with(name, "x"), k.c.Secrets, sdk.DeliverOptions{})
		if err != nil {
			bearing = append(bearing, name)
		}
	}
	return bearing
}

// header spoils one header that proves the request.
func (k *checker) header(name string) {
	c := k.c
	good := c.Request.Header.Get(name)
	try := func(what string, values ...string) {
		k.refused(checkSignature, name+" "+what, k.with(name, values...), c.Secrets, adviceSignature)
	}
	k.refused(checkSignature, "without "+name, k.without(name), c.Secrets, adviceSignature)
	try("empty", "")
	try("of white space", " ")
	try("twice", good, good)
	bad := flip(good, len(good)-1)
	try("twice, the wrong one first", bad, good)
	try("twice, the wrong one last", good, bad)
	try("twice in one line", good+", "+good)
	if k.target.onWire() {
		both := k.with(name, good)
		both.Header[strings.ToLower(name)] = []string{bad}
		k.refused(checkSignature, name+" twice, in other letters", both, c.Secrets, adviceSignature)
	}
	for _, n := range []int{len(good) - 1, len(good) - 2, len(good) / 2, strings.Index(good, "=") + 1, 1} {
		if n > 0 && n < len(good) {
			try("cut off", good[:n])
		}
	}
	if i := prefixLen(good); i > 0 {
		try("without its prefix", good[i:])
	}
	try("with more behind it", good+"0")
	try("with a NUL behind it", good+"\x00")
	try("not UTF-8", "\xff\xfe")
	try("very long", strings.Repeat(good, 1+1<<16/len(good)))
	for i := range len(good) {
		try("with a byte changed", flip(good, i))
		if other := good[i] ^ 1; other != flip(good, i)[i] {
			try("with a bit changed", good[:i]+string(rune(other&0x7f))+good[i+1:])
		}
	}
	req := k.with(name, bad)
	if _, err := k.deliver("wrong where unsigned is allowed", req, c.Secrets, sdk.DeliverOptions{AllowUnsigned: true}); err == nil {
		k.report(checkSignature, "a wrong %s is taken for unsigned where a source allows that; it has to be in Descriptor.SignatureHeaders and to be verified", name)
	}
}

// prefixLen is how long what stands before the signature itself is, as sha256=
// does. The = of base64 is at the end.
func prefixLen(signature string) int {
	i := strings.Index(signature, "=")
	if strings.Trim(signature[i+1:], "=") == "" {
		return 0
	}
	return i + 1
}

// flip changes one character into another of the same kind, so that what is
// refused is refused for its value and not for its form.
func flip(s string, i int) string {
	c := s[i]
	next := func(first, last byte) byte { return first + (c-first+1)%(last-first+1) }
	switch {
	case '0' <= c && c <= '9':
		c = next('0', '9')
	case 'a' <= c && c <= 'f':
		c = next('a', 'f')
	case 'g' <= c && c <= 'z':
		c = next('g', 'z')
	case 'A' <= c && c <= 'Z':
		c = next('A', 'Z')
	default:
		c ^= 1
	}
	return s[:i] + string(rune(c)) + s[i+1:]
}

// secrets gives the same request to hosts with other secrets.
func (k *checker) secrets() {
	c := k.c
	all := func(change func(string) string) []sdk.Secret {
		out := clonedSecrets(c.Secrets)
		for _, s := range out {
			for name, value := range s.Fields {
				s.Fields[name] = change(value)
			}
		}
		return out
	}
	first := func(s string) string {
		if s == "" {
			return s
		}
		return flip(s, 0)
	}
	last := func(s string) string {
		if s == "" {
			return s
		}
		return flip(s, len(s)-1)
	}
	const advice = "only the secret that made the signature may accept it"
	k.refused(checkSecrets, "a secret with another first character", c.Request, all(first), advice, sdk.ErrCredential)
	k.refused(checkSecrets, "a secret with another last character", c.Request, all(last), advice, sdk.ErrCredential)
	k.refused(checkSecrets, "the secret and more behind it", c.Request, all(func(s string) string { return s + s }), advice, sdk.ErrCredential)
	k.refused(checkSecrets, "the secret with white space around it", c.Request, all(func(s string) string { return " " + s + "\n" }),
		"a secret is the text that it is; take it without trimming", sdk.ErrCredential)
	k.refused(checkSecrets, "no secrets", c.Request, nil, advice)
	k.refused(checkSecrets, "empty secrets", c.Request, all(func(string) string { return "" }), advice, sdk.ErrCredential)
	without := clonedSecrets(c.Secrets)
	for i := range without {
		without[i].Fields = nil
	}
	k.refused(checkSecrets, "secrets without fields", c.Request, without, advice, sdk.ErrCredential)

	// Another source before, and the same credentials once more behind.
	decoys := all(last)
	for i := range decoys {
		decoys[i].Source = "another-" + decoys[i].Source
	}
	n := len(c.Secrets)
	more := slices.Concat(decoys, c.Secrets, c.Secrets)
	var want []int
	for _, i := range c.want.Which {
		want = append(want, n+i)
	}
	for _, i := range c.want.Which {
		want = append(want, 2*n+i)
	}
	if k.stopped() {
		return
	}
	d, err := k.deliver("beside secrets of other sources", c.Request, more, sdk.DeliverOptions{})
	switch {
	case err != nil && kindOf(err) != "":
		k.report(checkSecrets, "refused (%s) beside secrets of other sources; try every secret, one that does not fit says nothing about the others", clip(k.masked(err.Error())))
	case err == nil && !slices.Equal(sorted(d.Which), sorted(want)):
		k.report(checkSecrets, "which is %v of %d secrets, and should be %v: exactly those that made the signature; the event goes to their sources", d.Which, len(more), want)
	}
}

func sorted(in []int) []int { return slices.Sorted(slices.Values(in)) }

// age moves the time of receipt away from the time that was signed.
func (k *checker) age(headers []string) {
	off := 2*k.suite.Tolerance + time.Second
	if k.suite.Tolerance == 0 {
		// Nobody said that a time is signed. A header of that name that counts
		// is one.
		if !slices.ContainsFunc(headers, func(name string) bool { return strings.Contains(strings.ToLower(name), "timestamp") }) {
			return
		}
		off = 24 * time.Hour
	}
	for _, shift := range []time.Duration{off, -off} {
		if k.stopped() {
			return
		}
		what := "received late"
		if shift < 0 {
			what = "received early"
		}
		req := k.c.Request
		req.ReceivedAt = req.ReceivedAt.Add(shift)
		_, err := k.deliver(what, req, k.c.Secrets, sdk.DeliverOptions{})
		switch {
		case err == nil:
			k.report(checkTimestamp, "%s by %s: the request is accepted, so that anybody can repeat it for ever; compare the signed time with Request.ReceivedAt (sdk.CheckTimestamp)", what, off)
		case kindOf(err) != "" && kindOf(err) != kindStale:
			k.report(checkTimestamp, "%s by %s: refused with %q instead of sdk.ErrStale, by which an operator knows a wrong clock from a wrong secret", what, off, clip(k.masked(err.Error())))
		}
	}
}

// changedBodies keeps the signature and changes what was signed.
func (k *checker) changedBodies() {
	body := k.c.Request.Body
	advice := "verify over Request.Body exactly as received, before anything decodes it"
	try := func(what string, changed []byte) {
		if !bytes.Equal(changed, body) {
			k.refused(checkBody, what, withBody(k.c.Request, changed), k.c.Secrets, advice)
		}
	}
	try("an empty body", nil)
	try("a body without its last byte", body[:max(0, len(body)-1)])
	try("half of the body", body[:len(body)/2])
	try("a body with a line end behind it", append(bytes.Clone(body), '\n'))
	try("a body with a byte order mark", append([]byte("\ufeff"), body...))
	try("another body", []byte(canary))
	try("another body that is not UTF-8", []byte("\xff\xfe"+canary))
	step := max(1, len(body)/64)
	for i := 0; i < len(body); i += step {
		changed := bytes.Clone(body)
		changed[i] ^= 1
		try("a body with a bit changed", changed)
	}
	for _, other := range reencoded(body) {
		try("the same JSON written in another way", other)
	}
}

func (k *checker) with(name string, values ...string) sdk.Request {
	req := k.c.Request
	req.Header = req.Header.Clone()
	req.Header[http.CanonicalHeaderKey(name)] = values
	return req
}

func (k *checker) without(names ...string) sdk.Request {
	req := k.c.Request
	req.Header = req.Header.Clone()
	for _, name := range names {
		req.Header.Del(name)
	}
	return req
}

func withBody(req sdk.Request, body []byte) sdk.Request {
	req.Body = body
	return req
}
