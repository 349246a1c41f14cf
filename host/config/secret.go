package config

import "fmt"

// redacted is what stands for a secret wherever one would show.
const redacted = "<secret>"

// Secret is a text that can not be printed by accident: fmt, JSON, TOML, YAML
// and hclog all show "<secret>", also for a struct that contains one. The zero
// Secret is the empty text and shows as that, so that a missing value is seen.
type Secret struct {
	// A pointer, because fmt prints unexported fields of unexported fields
	// without asking: it finds an address here, and the text nowhere.
	text *string
}

// NewSecret hides a text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the text. Each call is a place to look at in a review.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero says that there is no text.
func (s Secret) IsZero() bool { return s.text == nil }

// Equal says that two secrets hide the same text. It is not for comparing what
// a stranger sent, since it takes longer the more of it fits.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

func (s Secret) String() string {
	if s.text == nil {
		return ""
	}
	return redacted
}

// Format keeps every verb, %#v and %x too, from reaching the text.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText is for JSON, TOML, YAML and hclog.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
