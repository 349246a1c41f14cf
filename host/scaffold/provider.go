package scaffold

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/action-llama/gateway/sdk"
)

// The languages.
const (
	Go         = "go"
	TypeScript = "typescript"
)

// Scheme is how a vendor signs.
type Scheme struct {
	Name string
	Help string

	header string // of the signature; "%s" is the vendor
	prefix string
	times  bool // a time is signed
}

// Schemes are those that a provider can begin with, the most usual first.
func Schemes() []Scheme {
	return []Scheme{
		{"hmac-hex", "HMAC-SHA256 of the body, in hex", "X-%s-Signature", "sha256=", false},
		{"hmac-base64", "HMAC-SHA256 of the body, in base64", "X-%s-Signature", "", false},
		{"timestamped", "t=1700000000,v1=hex, over the time and the body", "X-%s-Signature", "", true},
		{"standard-webhooks", "Standard Webhooks (webhook-id, webhook-timestamp, webhook-signature)", "Webhook-Signature", "", true},
		{"ed25519", "Ed25519 over a time in a header and the body, in hex", "X-%s-Signature", "", true},
		{"token", "a secret token in a header, which signs nothing", "Authorization", "Bearer ", false},
	}
}

// Provider is one that is about to be written.
type Provider struct {
	Type     string // as in type = "acme"
	Language string // Go or TypeScript
	Scheme   string // the name of a Scheme
	// Name is the vendor's, for people. Defaults to the type, spelt like one.
	Name string
	// Module is the path of the Go module. Defaults to the binary's name.
	Module string
	// Header is that of the signature, and Prefix what stands before the signature
	// in it. Nil is what is usual.
	Header, Prefix *string
	// SDKVersion is the version of the SDK that the module requires; SDKDir a folder
	// that stands in for it, or nothing. For Go alone.
	SDKVersion, SDKDir string
	// Year is that of the licence.
	Year int
}

var (
	headerPattern = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
	// What is put between quotes of Go, TypeScript, Markdown and Make.
	textPattern   = regexp.MustCompile(`^[\p{L}\p{N} ._+&,()/=:-]*$`)
	modulePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~/-]*$`)
)

// Check says what is wrong with the choices, or nil.
func (p Provider) Check() error {
	var errs []error
	probe := sdk.Descriptor{Type: p.Type}
	if err := probe.Validate(); err != nil {
		errs = append(errs, err)
	}
	if i := slices.IndexFunc(Schemes(), func(s Scheme) bool { return s.Name == p.Scheme }); i < 0 {
		errs = append(errs, fmt.Errorf("scheme %q is none of %s", p.Scheme, strings.Join(SchemeNames(), ", ")))
	}
	if p.Language != Go && p.Language != TypeScript {
		errs = append(errs, fmt.Errorf("language %q is none of %s, %s", p.Language, Go, TypeScript))
	}
	if p.Language == TypeScript && p.Scheme != standardWebhooks {
		errs = append(errs, fmt.Errorf("in TypeScript a provider begins with the scheme %s; change src/signature.ts for another one", standardWebhooks))
	}
	if p.Header != nil && (!headerPattern.MatchString(*p.Header) || p.Scheme == standardWebhooks) {
		errs = append(errs, fmt.Errorf("header %q: letters, digits and \"-\", and only where the scheme does not say it", *p.Header))
	}
	if p.Prefix != nil && (!textPattern.MatchString(*p.Prefix) || p.Scheme == standardWebhooks || p.Scheme == "timestamped") {
		errs = append(errs, fmt.Errorf("prefix %q: a plain text, and only where the scheme does not say it", *p.Prefix))
	}
	if !textPattern.MatchString(p.Name) {
		errs = append(errs, fmt.Errorf("name %q: letters, digits and usual punctuation", p.Name))
	}
	if p.Module != "" && !modulePattern.MatchString(p.Module) {
		errs = append(errs, fmt.Errorf("module %q is no path of a Go module", p.Module))
	}
	return errors.Join(errs...)
}

const standardWebhooks = "standard-webhooks"

// SchemeNames are the names of the schemes.
func SchemeNames() []string {
	var names []string
	for _, s := range Schemes() {
		names = append(names, s.Name)
	}
	return names
}

// Binary is the name of the program.
func (p Provider) Binary() string { return sdk.BinaryPrefix + p.Type }

// title is a type spelt like a name: "acme-crm" is "Acme Crm".
func title(typ string) string {
	words := strings.FieldsFunc(typ, func(r rune) bool { return r == '-' })
	for i, w := range words {
		words[i] = string(unicode.ToUpper(rune(w[0]))) + w[1:]
	}
	return strings.Join(words, " ")
}

// data is what the templates see.
type data struct {
	Provider
	Binary          string
	Name            string
	Module          string
	CredentialType  string
	Field           string
	Header          string // of the signature
	Prefix          string
	SignatureHeader string // as Go text
	TimestampHeader string
	HasHeader       bool // a constant for the header is needed
	Times           bool
	TimeField       string // of the body
	Samples         bool
	SampleKey       bool // a sample looks at the key itself
	KitFlags        string
	SchemeText      string
	Seeds           []string
	Go              string
}

// goVersion is that of the SDK's go.mod.
const goVersion = "1.26.0"

func (p Provider) data() data {
	i := slices.IndexFunc(Schemes(), func(s Scheme) bool { return s.Name == p.Scheme })
	s := Schemes()[i]
	d := data{
		Provider: p, Binary: p.Binary(), Name: p.Name, Module: p.Module,
		CredentialType: strings.ReplaceAll(p.Type, "-", "_") + "_secret", Field: "secret",
		Prefix: s.prefix, Times: s.times, HasHeader: s.Name != standardWebhooks, TimeField: "created_at",
		Samples: s.Name != "ed25519", Go: goVersion,
	}
	if d.Name == "" {
		d.Name = title(p.Type)
	}
	if d.Module == "" {
		d.Module = d.Binary
	}
	vendor := strings.ReplaceAll(title(p.Type), " ", "-")
	d.Header = strings.ReplaceAll(s.header, "%s", vendor)
	if p.Header != nil {
		d.Header = *p.Header
	}
	if p.Prefix != nil {
		d.Prefix = *p.Prefix
	}
	d.TimestampHeader = "X-" + vendor + "-Timestamp"
	d.SignatureHeader = "signatureHeader"
	d.SampleKey = s.Name == "hmac-base64" || s.Name == "timestamped" || s.Name == "token"
	switch s.Name {
	case standardWebhooks:
		d.SignatureHeader, d.TimeField = `"Webhook-Signature"`, "timestamp"
	case "ed25519":
		d.Field, d.CredentialType = "public_key", strings.ReplaceAll(p.Type, "-", "_")+"_key"
		d.Seeds = seeds()
	}
	if d.Times {
		d.KitFlags = " --tolerance 5m"
	}
	d.KitFlags += " --event order.created --event ping"
	d.SchemeText = d.schemeText()
	return d
}

func (d data) schemeText() string {
	of := "the header `" + d.Header + "`"
	if d.Prefix != "" {
		of += ", behind `" + d.Prefix + "`"
	}
	switch d.Scheme {
	case "hmac-hex":
		return "Each request has an HMAC-SHA256 of its body, in hex, in " + of + "."
	case "hmac-base64":
		return "Each request has an HMAC-SHA256 of its body, in base64, in " + of + "."
	case "timestamped":
		return "Each request is signed in " + of + ", as `t=<seconds>,v1=<hex>`: an HMAC-SHA256 of the time, a dot and the body. A request that is more than five minutes old is refused."
	case "ed25519":
		return "Each request has an Ed25519 signature of the time in `" + d.TimestampHeader + "` and its body, in hex, in " + of + ". A request that is more than five minutes old is refused."
	case "token":
		return "Each request has a token in " + of + ". It says who sends, and does not protect what is sent: use TLS all the way."
	default:
		return "Requests are signed as Standard Webhooks says. One that is more than five minutes old is refused."
	}
}
