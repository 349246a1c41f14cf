package deliveries

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/action-llama/gateway/host/sensitive"
	"github.com/action-llama/gateway/sdk"
)

// hider keeps out of a listing what only an agent may see. What that is the
// provider says, by value: where in a body the value stood nobody knows, so it
// is hidden wherever it is. Beside that goes what is called a token or a
// password, since a vendor's body may hold one that no event repeats.
type hider struct {
	exact    map[string]bool // values of any length, where they are a whole text
	anywhere *strings.Replacer
}

func hiderOf(events []sdk.Event) hider {
	var values []string
	for _, e := range events {
		values = append(values, sensitive.Values(e.Extra, e.Sensitive)...)
	}
	h := hider{exact: make(map[string]bool, len(values))}
	for _, v := range values {
		h.exact[v] = v != ""
	}
	// The longest first: one may be part of another.
	spellings := sensitive.Spellings(values)
	slices.SortFunc(spellings, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(spellings))
	for _, s := range spellings {
		pairs = append(pairs, s, sensitive.Mask)
	}
	h.anywhere = strings.NewReplacer(pairs...)
	return h
}

// text hides what is sensitive in a text; key is what it is the value of.
func (h hider) text(key, text string) string {
	if text == "" {
		return text
	}
	if h.exact[text] || isSecretName(key) {
		return sensitive.Mask
	}
	return h.anywhere.Replace(text)
}

func (h hider) header(in http.Header) http.Header {
	out := make(http.Header, len(in))
	for name, values := range in {
		for _, v := range values {
			out[name] = append(out[name], h.text(name, v))
		}
	}
	return out
}

func (h hider) attributes(in map[string][]string) map[string][]string {
	out := make(map[string][]string, len(in))
	for name, values := range in {
		out[name] = h.texts(values)
	}
	return out
}

func (h hider) texts(in []string) []string {
	out := make([]string, len(in))
	for i, text := range in {
		out[i] = h.text("", text)
	}
	return out
}

// context hides what stands somewhere else in a context than where it is
// sensitive: a link with a token in it, an id that is one.
func (h hider) context(raw json.RawMessage) json.RawMessage {
	if hidden := h.anywhere.Replace(string(raw)); json.Valid([]byte(hidden)) {
		return json.RawMessage(hidden)
	}
	return json.RawMessage("{}") // not for what json.Marshal wrote, unless a value is a piece of JSON
}

func (h hider) query(raw string) string {
	if raw == "" {
		return ""
	}
	parts := strings.Split(raw, "&")
	for i, part := range parts {
		name, value, _ := strings.Cut(part, "=")
		plainName, plain := unescaped(name), unescaped(value)
		if hidden := h.text(plainName, plain); hidden != plain {
			parts[i] = name + "=" + hidden
		}
	}
	return strings.Join(parts, "&")
}

func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// secretNames are what keys of secrets end with, in every vendor's spelling.
var secretNames = map[string]bool{
	"token": true, "tokens": true, "secret": true, "secrets": true, "password": true, "passwd": true,
	"passphrase": true, "authorization": true, "cookie": true, "credential": true, "credentials": true,
	"apikey": true, "signature": true,
}

// isSecretName says that a key is called like the key of a secret: its last
// word is one of the usual names ("access_token", "clientSecret", "X-Api-Key").
func isSecretName(key string) bool {
	words := wordsOf(key)
	if len(words) == 0 {
		return false
	}
	last := words[len(words)-1]
	if secretNames[last] {
		return true
	}
	if len(words) < 2 {
		return false
	}
	switch words[len(words)-2] + " " + last {
	case "api key", "private key", "secret key", "access key", "signing key", "response url", "webhook url":
		return true
	}
	return false
}

// wordsOf takes a key apart: "accessToken", "access_token" and "ACCESS-TOKEN"
// are the same two words.
func wordsOf(key string) []string {
	const longest = 100 // no key of a secret is longer
	if len(key) > longest {
		key = key[len(key)-longest:]
	}
	var words []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
			word = nil
		}
	}
	lower := false
	for _, r := range key {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			lower = false
			continue
		case unicode.IsUpper(r) && lower:
			flush()
		}
		lower = !unicode.IsUpper(r)
		word = append(word, r)
	}
	flush()
	return words
}
