package postgres

import (
	"encoding/base64"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/action-llama/gateway/host/internal/stored"
)

// PostgreSQL's text is UTF-8 without the character NUL. What vendors send is
// not always, and keys must stay apart whatever they are: such text is stored as
// its bytes in base64 behind a mark that no sane text begins with.
const escapeMark = "\x01b64:"

func encodeText(s string) string {
	if utf8.ValidString(s) && !strings.ContainsRune(s, 0) && !strings.HasPrefix(s, escapeMark) {
		return s
	}
	return escapeMark + base64.StdEncoding.EncodeToString([]byte(s))
}

func decodeText(s string) string {
	coded, ok := strings.CutPrefix(s, escapeMark)
	if !ok {
		return s
	}
	raw, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		return s // nothing of ours
	}
	return string(raw)
}

func encodeTexts(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = encodeText(s)
	}
	return out
}

// nanos is a time as it is stored; nil for the zero time.
func nanos(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	n := stored.Nanos(t)
	return &n
}

// text and instant are columns on their way out.
type text struct{ to *string }

// Scan implements sql.Scanner.
func (t text) Scan(v any) error {
	s, _ := v.(string)
	*t.to = decodeText(s)
	return nil
}

type instant struct{ to *time.Time }

// Scan implements sql.Scanner.
func (i instant) Scan(v any) error {
	*i.to = time.Time{}
	if n, ok := v.(int64); ok {
		*i.to = time.Unix(0, n).UTC()
	}
	return nil
}
