package provider

import (
	"time"

	"github.com/action-llama/gateway/sdk"
)

const (
	credentialType = "hmac_secret"
	secretField    = "secret"
	userField      = "user"
)

// The names of the settings.
const (
	setScheme          = "scheme"
	setHeader          = "signatureHeader"
	setPrefix          = "prefix"
	setAlgorithm       = "algorithm"
	setEncoding        = "encoding"
	setSecretEncoding  = "secretEncoding"
	setSigned          = "signed"
	setTimestamp       = "timestampHeader"
	setTimestampFormat = "timestampFormat"
	setTolerance       = "tolerance"
	setEvent           = "event"
	setDeliveryID      = "deliveryId"
	setFields          = "fields"
	setAttributes      = "attributes"
	setExtra           = "extra"
)

// Ways to sign.
const (
	schemeHMAC        = "hmac"
	schemeTimestamped = "timestamped"
	schemeStandard    = "standard-webhooks"
	schemeToken       = "token"
	schemeBasic       = "basic"
)

// Forms of a signed time.
const (
	formatSeconds = "seconds"
	formatMillis  = "milliseconds"
	formatRFC3339 = "rfc3339"
)

const (
	defaultHeader = "X-Signature"

	encodingText   = "text"
	encodingHex    = "hex"
	encodingBase64 = "base64"
)

// pathPattern is a path as path.go reads it.
const pathPattern = "header:[A-Za-z0-9!#$%&'*+.^_`|~-]+|[^.\\s]+(\\.[^.\\s]+)*"

// Describe says what people configure. Nothing has to be written: a sender of
// one's own can do as the defaults say.
func (p *Provider) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type:    "hmac",
		Name:    "Generic HMAC",
		Version: p.version,
		Credential: sdk.Credential{
			Type: credentialType,
			Fields: []sdk.Field{
				{
					Name: secretField, Label: "Secret", Secret: true, Generated: true,
					Help: "What the sender signs with, or the token or password that it sends. If the sender hands it out, it is on its page about webhooks; otherwise make one up, long and random.",
				},
				{
					Name: userField, Label: "User name", Optional: true,
					Help: "Only for the scheme basic.",
				},
			},
		},
		// For hosts that know no settings, and go by the defaults.
		SignatureHeaders: []string{defaultHeader},
		Filters: []sdk.Filter{
			{Name: "events", Attribute: "event", Help: "Kinds of events, as the setting event finds them."},
			{Name: "actions", Attribute: "action", Help: "Actions, as fields.action finds them."},
		},
		Settings: settings(),
		Setup: `Find in the sender's documentation how it signs, and write that into the settings of the source.
Enter {url} followed by / and the name of the source as the address of the webhook.
The body has to be JSON, or a form.`,
	}
}

func settings() []sdk.Setting {
	return []sdk.Setting{
		{
			Name: setScheme, Default: schemeHMAC, Values: []string{schemeHMAC, schemeTimestamped, schemeStandard, schemeToken, schemeBasic},
			Help: "How the sender proves itself.",
		},
		{
			Name: setHeader, Default: defaultHeader, SignatureHeader: true,
			Help: "The header with the signature, the token or the password.",
		},
		{
			Name: setPrefix, Default: "",
			Help: `What stands before the signature in it ("sha256="), or before the token ("Bearer ").`,
		},
		{
			Name: setAlgorithm, Default: "sha256", Values: []string{"sha256", "sha512", "sha1"},
			Help: "Of the scheme hmac: the hash function.",
		},
		{
			Name: setEncoding, Default: encodingHex, Values: []string{encodingHex, encodingBase64},
			Help: "Of the scheme hmac: how the signature is written. Hex is in lower-case letters.",
		},
		{
			Name: setSecretEncoding, Default: encodingText, Values: []string{encodingText, encodingHex, encodingBase64},
			Help: "Of the scheme hmac: how the secret is written. With text, its bytes are the key.",
		},
		{
			Name: setSigned, Default: "{body}",
			Help: `Of the scheme hmac: what is signed, with {body}, {timestamp} and {id} for the body, the signed time as it is sent, and the delivery id: "{timestamp}.{body}".`,
		},
		{
			Name: setTimestamp, Pattern: headerPattern,
			Help: "Of the scheme hmac: the header with the signed time, if a time is signed.",
		},
		{
			Name: setTimestampFormat, Default: formatSeconds, Values: []string{formatSeconds, formatMillis, formatRFC3339},
			Help: "Of the scheme hmac: how that is written.",
		},
		{
			Name: setTolerance, Kind: sdk.DurationSetting, Default: 5 * time.Minute,
			Help: "How far a signed time may be from the time of receipt.",
		},
		{
			Name: setEvent, Pattern: pathPattern,
			Help: `Where the kind of event is: a path into the body ("data.type"), or "header:X-Event". Without it, and where there is nothing, it is webhook.`,
		},
		{
			Name: setDeliveryID, Pattern: pathPattern,
			Help: "Where the id is that tells a repeat from something new. Without one, a repeat starts agents again.",
		},
		{
			Name: setFields, Kind: sdk.TableSetting, Pattern: pathPattern,
			Help: "Where the fields of the event are that agents see: action, repo, number, title, body, url, author, assignee, labels, branch, conclusion, comment, sender and timestamp.",
		},
		{
			Name: setAttributes, Kind: sdk.TableSetting, Pattern: pathPattern,
			Filters: &sdk.Filter{Help: "What the source's setting attributes names."},
			Help:    "Where there is something to filter by.",
		},
		{
			Name: setExtra, Kind: sdk.TableSetting, Pattern: pathPattern,
			Help: "Where there is something else that agents are to see, as extra. Without it they see a body of up to 64 KiB as extra.payload.",
		},
	}
}

const headerPattern = "[A-Za-z0-9!#$%&'*+.^_`|~-]+"
