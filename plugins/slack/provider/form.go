package provider

import (
	"bytes"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/action-llama/gateway/sdk"
)

// form holds the fields of a form that this provider reads, none of them empty.
type form map[string]string

// formField says whether a field is read. What else a form has is checked and
// left.
func formField(name string) bool {
	switch name {
	case "payload", "ssl_check", "command", "text", "user_id", "user_name", "channel_id", "channel_name",
		"team_id", "team_domain", "enterprise_id", "api_app_id", "response_url", "trigger_id", "is_enterprise_install":
		return true
	default:
		return false
	}
}

// isForm goes by the content type. Slack names it on every request.
func isForm(req sdk.Request) bool {
	mediaType, _, _ := strings.Cut(req.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(mediaType), "application/x-www-form-urlencoded")
}

// isProbe says whether this is Slack looking at the certificate. It starts
// nothing whatever else it says: it is not signed.
func isProbe(req sdk.Request) bool {
	if !isForm(req) || !bytes.Contains(req.Body, []byte("ssl_check")) {
		return false
	}
	f, err := readForm(req.Body)
	return err == nil && f["ssl_check"] == "1"
}

// readForm goes field by field, so that a body of nothing but separators costs
// no memory. A field that is read may be there once: nobody can say which of
// two others would go by.
func readForm(body []byte) (form, error) {
	f := form{}
	seen := map[string]bool{}
	for pair := range bytes.SplitSeq(body, []byte("&")) {
		name, value, _ := bytes.Cut(pair, []byte("="))
		key, err := unescape(name)
		if err != nil {
			return nil, err
		}
		text, err := unescape(value)
		if err != nil {
			return nil, err
		}
		if !formField(key) {
			continue
		}
		if seen[key] {
			return nil, sdk.Unparseable("the form has the field %s twice", key)
		}
		seen[key] = true
		if text != "" {
			f[key] = text
		}
	}
	return f, nil
}

// unescape reads a part of a form, in which a plus is a space.
func unescape(part []byte) (string, error) {
	text, err := url.QueryUnescape(string(part))
	switch {
	case err != nil:
		return "", sdk.Unparseable("the form is not percent-encoded")
	case !utf8.ValidString(text):
		return "", sdk.Unparseable("the form is not UTF-8")
	}
	return text, nil
}
