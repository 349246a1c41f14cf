package sdk

import (
	"context"
	"net/http"
	"time"
)

// Provider knows one vendor. The host holds the same interface that a provider
// implements, so a test can hand the host an in-process fake.
//
// All methods must be safe for concurrent use, must not keep or change the
// byte slices they are given, and should return soon after ctx is done: the
// deadline is what the vendor allows for the whole answer, less the host's
// share of it.
type Provider interface {
	// Describe says who this provider is, what credential it needs and which
	// filters it offers. It is called once after start and must be constant.
	Describe() Descriptor

	// Verify says which of the secrets signed the request. It compares in
	// constant time and over req.Body exactly as received.
	//
	// It returns [ErrBadSignature] (or an error wrapping it, such as
	// [ErrStale]) when none did, also for a missing, doubled or malformed
	// signature: a stranger's bytes are never any other kind of error.
	//
	// An empty Which with a nil error means "a handshake that this vendor does
	// not sign" (X's CRC, Slack's ssl_check). It proves no source; the request
	// goes to Challenge, and is refused as a bad signature unless that answers.
	Verify(ctx context.Context, req Request, secrets []Secret) (Which, error)

	// Parse reads the events out of a request that Verify accepted: usually
	// one, several for vendors that batch, none for a notice that starts
	// nothing (a ping). It also runs without Verify, on replay.
	//
	// It returns [ErrUnparseable], wrapped with what is wrong and where, for a
	// body that is not what the vendor documents. Unknown event kinds are not
	// an error: pass them on in generic form.
	Parse(ctx context.Context, req Request) ([]Event, error)
}

// Challenger is implemented by providers whose vendor expects certain requests
// to be answered in an exact form and to start nothing.
type Challenger interface {
	// Challenge returns the exact answer, or nil when the request is an
	// ordinary delivery that Parse should see. It is called after Verify, with
	// the secrets that Verify proved (all of them for an unsigned handshake).
	Challenge(ctx context.Context, req Request, secrets []Secret) (*Reply, error)
}

// Request is one HTTP request from a vendor, as received.
type Request struct {
	Method string      // "POST", or "GET" for handshakes
	Path   string      // the URL's path, for example "/webhooks/github"
	Query  string      // the raw query, without "?"
	Header http.Header // all values, canonical names
	Body   []byte      // the raw bytes, which are what vendors sign

	// ReceivedAt is when the host read the request. Judge a signed timestamp
	// against this and not against the clock, so that a stored request stays
	// a test.
	ReceivedAt time.Time

	// Settings are those of the sources that the request is read for; see
	// [Descriptor.Settings]. Sources with other settings get a call of their own,
	// so that a provider need not look further. Empty without settings.
	Settings Settings
	// Sources are those that the request may be for, or from Verify on those that
	// it is for, with a provider that has settings. All that a provider is handed
	// have the Settings above.
	Sources []Source
}

// Secret is one live credential of one source. During a rotation a source has
// several, in the order of the configuration: the newest last.
type Secret struct {
	Source   string            // name of the source, [webhooks.<name>], that it proves
	Instance string            // name of the credential, to report which of several matched
	Fields   map[string]string // values by the field names of Descriptor.Credential
}

// Which lists the secrets that signed a request, as indexes into the slice
// that was given to Verify. Two sources may share a secret, so all are tried.
type Which []int

// Reply is an exact HTTP answer that a vendor expects.
type Reply struct {
	Status int         // 100 to 599 are passed on; anything else is the host's 502
	Header http.Header // for example Content-Type
	Body   []byte      // may be empty; at most 1 MiB
}
