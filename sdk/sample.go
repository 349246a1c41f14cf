package sdk

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// Sampler is implemented by providers that can make a request as their vendor
// would send it, so that people can try out their agents before the vendor has
// anything to say.
type Sampler interface {
	// Samples lists what can be made. It must be constant.
	Samples() []Sample

	// Sample makes a request. What is asked for alone decides what comes out:
	// no clock and no chance, so that a sample stays a test.
	//
	// It returns [ErrNoSample] for a name that Samples does not have, unless the
	// body is given, and [ErrCredential], wrapped with what to do, when the
	// secret is not one that signs.
	Sample(ctx context.Context, ask SampleAsk) (Request, error)
}

// Sample is a request that a provider can make.
type Sample struct {
	// Name is what happens in it: [Event.Name] or, with its action,
	// name.action: "push", "issues.labeled".
	Name string
	Help string // one line for people
}

// SampleAsk says which request to make.
type SampleAsk struct {
	// Name of a sample. With a body of one's own it may be any event: it goes
	// where the vendor names the event outside of the body.
	Name string
	// Body is sent exactly so, instead of the sample's own. Nil asks for that.
	Body []byte
	// Secret signs the request. Nil asks for one that nobody signed.
	Secret *Secret
	// Settings are those of the source that it is for, which decide what its
	// request looks like. Empty for a provider without settings.
	Settings Settings
	// SentAt is when the request is sent: the time that the vendor signs, and
	// when what the sample tells of happened.
	SentAt time.Time
	// Unique tells this request from every other: the vendor's ids of the
	// delivery are made from it. See Fill.
	Unique string
}

// Fill puts what differs between deliveries into the text of a sample:
//
//	{{uuid}}    an id like 0f8fad5b-d9cb-469f-a165-70867728950e
//	{{hex}}     32 hex digits
//	{{digits}}  18 decimal digits, as of a snowflake
//	{{code}}    10 capital letters and digits
//	{{time}}    SentAt in UTC, as 2026-03-01T12:30:00; the zone follows
//	{{unix}}    SentAt in seconds
//	{{millis}}  SentAt in milliseconds
//
// The ids are made from Unique, so that they are the same each time.
func (a SampleAsk) Fill(text string) string {
	sum := sha256.Sum256([]byte(a.Unique))
	digits := hex.EncodeToString(sum[:])
	at := a.SentAt.UTC()
	return strings.NewReplacer(
		"{{uuid}}", uuidOf(sum),
		"{{hex}}", digits[:32],
		"{{digits}}", strconv.FormatUint(1e17+binary.BigEndian.Uint64(sum[:8])%(9*1e17), 10),
		"{{code}}", codeOf(sum),
		"{{time}}", at.Format("2006-01-02T15:04:05"),
		"{{unix}}", strconv.FormatInt(at.Unix(), 10),
		"{{millis}}", strconv.FormatInt(at.UnixMilli(), 10),
	).Replace(text)
}

// uuidOf makes a UUID of version 4, which is what vendors send.
func uuidOf(sum [sha256.Size]byte) string {
	sum[6], sum[8] = sum[6]&0x0f|0x40, sum[8]&0x3f|0x80
	text := hex.EncodeToString(sum[:16])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

func codeOf(sum [sha256.Size]byte) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345" // 32 of them, so that each is as likely
	code := make([]byte, 10)
	for i := range code {
		code[i] = letters[sum[i]%byte(len(letters))]
	}
	return string(code)
}

// Text returns the body that was given or else that of the sample, filled in:
// the file samples/<name>.json.
func (a SampleAsk) Text(files fs.FS) ([]byte, error) {
	if a.Body != nil {
		return a.Body, nil
	}
	text, err := fs.ReadFile(files, "samples/"+a.Name+".json")
	if err != nil {
		return nil, fmt.Errorf("%w: %q", ErrNoSample, a.Name)
	}
	return []byte(a.Fill(string(text))), nil
}

// SignHMACSHA256 returns the signature that goes with a message, in lower-case
// hex behind a prefix, or "" when nobody is to sign. Without a value in the field
// that is the key it is [ErrCredential].
func (a SampleAsk) SignHMACSHA256(field, prefix string, message ...[]byte) (string, error) {
	if a.Secret == nil {
		return "", nil
	}
	key := a.Secret.Fields[field]
	if key == "" {
		return "", fmt.Errorf("%w: the field %q is empty", ErrCredential, field)
	}
	return SignHMACSHA256(prefix, key, message...), nil
}
