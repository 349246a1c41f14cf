package providertest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/action-llama/gateway/sdk"
)

const (
	// largeBody is the largest that a vendor is known to send.
	largeBody = 25 << 20
	// deep is beyond what decoders allow (10,000 in Go), and deeper is beyond
	// what recursion without a bound survives.
	deep   = 100_000
	deeper = 4_000_000
	// maxSpots bounds in how many places of one body another value is put.
	maxSpots = 400
)

// oddBody is one that a vendor does not send.
type oddBody struct {
	what  string
	body  []byte
	large bool
}

// strange returns bodies made from that of the case; what takes time only for
// one of several like it.
func (k *checker) strange(p payload) []oddBody {
	all := oddBodies(p)
	if k.suite.represents(k.c) {
		all = append(all, deepBodies(p)...)
		if !k.suite.Short && k.c.want.Error == "" {
			all = append(all, largeBodies(p)...)
		}
	}
	return all
}

func oddBodies(p payload) []oddBody {
	var all []oddBody
	raw := func(what, body string) { all = append(all, oddBody{what: what, body: []byte(body)}) }
	raw("an empty body", "")
	raw("a body that is no JSON", "Hello, "+canary)
	raw("a body that is not UTF-8", "\xff\xfe\x00"+canary)
	raw("a body of NULs", strings.Repeat("\x00", 64))
	raw("a form without payload", "payload=&"+canary+"=%zz")

	inner := func(what, text string) { all = append(all, oddBody{what: what, body: p.wrap([]byte(text))}) }
	for _, text := range []string{
		"null", "true", "0", "-1e999999", `"` + canary + `"`, "[]", "{}", "[{}]", "[null]", " ", `{"`, `{"` + canary + `":`,
	} {
		inner("a body that is only "+strings.ReplaceAll(text, canary, "x"), text)
	}
	inner("a text that is not UTF-8", `{"`+canary+`":"`+"\xff"+`"}`)
	inner("a name that is not UTF-8", `{"`+"\xc3"+canary+`":1}`)
	inner("half a surrogate pair", `{"x":"\ud83d"}`)
	inner("a name twice", `{"`+canary+`":1,"`+canary+`":2}`)
	if len(p.json) > 2 && p.json[0] == '{' {
		text := string(p.json)
		inner("half a body", text[:len(text)/2])
		inner("two bodies", text+text)
		inner("a body and more behind it", text+canary)
		inner("a byte order mark", "\ufeff"+text)
	}
	return all
}

// deepBodies are beyond what decoders recurse into.
func deepBodies(p payload) []oddBody {
	var all []oddBody
	inner := func(what, text string) { all = append(all, oddBody{what: what, body: p.wrap([]byte(text))}) }
	nested := strings.Repeat("[", deep) + strings.Repeat("]", deep)
	inner("lists nested deeply", nested)
	inner("objects nested deeply", strings.Repeat(`{"a":`, deep)+"1"+strings.Repeat("}", deep))
	inner("lists without an end", nested[:deep])
	if len(p.json) > 2 && p.json[0] == '{' {
		inner("a member nested deeply", `{"providertest":`+nested+","+string(p.json[1:]))
	}
	return all
}

func largeBodies(p payload) []oddBody {
	const head = `{"providertest":`
	rest := []byte("}")
	if len(p.json) > 2 && p.json[0] == '{' {
		rest = append([]byte(","), p.json[1:]...)
	}
	around := func(begin, each, end string) []byte {
		var b bytes.Buffer
		b.Grow(largeBody + len(rest))
		b.WriteString(head + begin)
		for n := largeBody - 2*len(rest) - 1024; b.Len()+len(each) < n; {
			b.WriteString(each)
		}
		b.WriteString(end)
		b.Write(rest)
		return p.wrap(b.Bytes())
	}
	all := []oddBody{{what: "25 MiB of text in the body", body: around(`"`, strings.Repeat("a", 1024), `"`), large: true}}
	if p.form {
		return all // escaped, the others would be larger than what a host takes
	}
	nested := strings.Repeat("[", deeper) + strings.Repeat("]", deeper)
	return append(all,
		oddBody{what: "25 MiB of numbers in the body", body: around("[1", strings.Repeat(",1", 512), "]"), large: true},
		oddBody{what: "lists nested four million times", body: []byte(nested), large: true},
	)
}

// bodies hands the provider what it has to understand or to refuse as
// unparseable. Replays parse without verifying, so this needs no signature.
func (k *checker) bodies() {
	c := k.c
	if c.want.Error != "" && c.want.Error != kindUnparseable {
		return
	}
	p := payloadOf(c.Request)
	if !k.signedOdd || k.suite.Tolerance > 0 { // then Verify may have kept them from Parse
		for _, b := range k.strange(p) {
			limit := k.limit
			if b.large {
				limit = max(limit, largeLimit)
			}
			k.parse(limit, b.what, b.body)
			if b.large {
				lowMemory()
			}
		}
	}
	if p.json == nil {
		return
	}
	all := spans(p.json)
	others := []string{
		"0", `"` + canary + `"`, "[]", "{}", "true", `""`, "-1.5e400", "\"\xff\"", `[null]`, `{"providertest":null}`, "12345678901234567890",
	}
	step := 1 + len(all)/maxSpots
	for i := 0; i < len(all); i += step {
		s := all[i]
		spot := fmt.Sprintf("value %d of the body (%s)", i, k.place(p.json, s))
		k.parse(k.limit, spot+" null", p.wrap(s.replaced(p.json, "null")))
		other := others[i%len(others)]
		k.parse(k.limit, spot+" of another type", p.wrap(s.replaced(p.json, other)))
		if s.member >= 0 {
			twice := span{begin: s.end, end: s.end}.replaced(p.json, ","+string(p.json[s.member:s.begin])+"null")
			k.parse(k.limit, spot+" there twice", p.wrap(twice))
		}
	}
}

// place names a value by the member that it is of.
func (k *checker) place(text []byte, s span) string {
	if s.member < 0 {
		return "in a list, or all of it"
	}
	return strings.TrimRight(string(text[s.member:s.begin]), " \t\r\n:")
}

// parse asserts that a body is understood or unparseable, to Parse and, where
// there are handshakes, to Challenge.
func (k *checker) parse(limit time.Duration, what string, body []byte) {
	if k.stopped() {
		return
	}
	req := withBody(cloned(k.c.Request), body)
	events, err := guard(k, "Parse of "+what, limit, func(ctx context.Context) ([]sdk.Event, error) {
		return sdk.Parse(ctx, k.target.provider, req)
	})
	if kind := kindOf(err); kind != "" && kind != kindUnparseable {
		k.report(checkParse, "%s: Parse returns %q; it has to be sdk.ErrUnparseable, and Verify is where signatures are judged", what, clip(k.masked(err.Error())))
	}
	for _, e := range events {
		k.usable(what, e)
	}
	if _, ok := k.encoded(sdk.Delivery{Events: events}, nil); !ok {
		return
	}
	c, ok := k.target.provider.(sdk.Challenger)
	if !ok || !k.desc.Challenges || k.stopped() {
		return
	}
	_, err = guard(k, "Challenge with "+what, limit, func(ctx context.Context) (*sdk.Reply, error) {
		return c.Challenge(ctx, req, k.c.Secrets)
	})
	if kind := kindOf(err); kind != "" && kind != kindUnparseable && kind != kindBadSignature {
		k.report(checkParse, "%s: Challenge returns %q; it has to be sdk.ErrUnparseable, or none and no reply", what, clip(k.masked(err.Error())))
	}
}
