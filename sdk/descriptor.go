package sdk

import "time"

const (
	defaultReplyDeadline = 10 * time.Second // what most vendors allow
	maxReplyDeadline     = 60 * time.Second // a host will not hold a connection longer
)

// Descriptor says what a provider is. The host knows no vendor by name:
// matching, checking of configurations, completion and documentation all come
// from here.
type Descriptor struct {
	// Type is the word in type = "github" and in the URL: lower-case letters,
	// digits and "-", starting with a letter, at most 32 characters.
	Type string
	// Name is for people: "GitHub".
	Name string
	// Version of the provider, for example "1.4.0"; "dev" when unstamped.
	Version string
	// DocsURL is the vendor's page about its webhooks.
	DocsURL string

	// Credential is what proves that a request came from the vendor.
	Credential Credential

	// SignatureHeaders are removed before a request is stored. A request that
	// carries any of them counts as signed: it is verified or refused, never
	// treated as unsigned. At least one is needed for providers that verify.
	SignatureHeaders []string
	// DeliveryIDHeader is the header with the vendor's delivery id, if there
	// is one. For information: the id that counts is Event.DeliveryID.
	DeliveryIDHeader string

	// Filters that a trigger on a source of this type can use.
	Filters []Filter

	// Settings are the keys that a source of this type has beside those of the
	// host, for a provider whose senders differ. Most need none.
	Settings []Setting
	// ChecksSettings says that the provider looks at settings as a whole. The SDK
	// sets it for a provider that is a [SettingsChecker].
	ChecksSettings bool

	// ReplyDeadline is how long the vendor waits for the whole answer (GitHub
	// 10 s, Slack 3 s, Sentry 1 s). The host answers 503 inside it rather than
	// letting the vendor give up. Zero means 10 s; above 60 s counts as 60 s.
	ReplyDeadline time.Duration

	// Challenges says that the provider answers handshakes. The SDK sets it
	// for a provider that is a Challenger.
	Challenges bool

	// Samples are the requests that the provider can make for people who try
	// out their agents. The SDK sets it for a provider that is a Sampler.
	Samples []Sample

	// Setup tells a person, in a few lines of plain text, what to do at the
	// vendor. "{url}" stands for the address of the source.
	Setup string
	// Example is a trigger that makes sense for a first try, as values by
	// filter name (string or []string). `al new` writes it.
	Example map[string][]string
}

// Credential describes what a person has to store before a source can verify.
type Credential struct {
	Type   string  // for example "github_webhook_secret"; lower-case, digits, "_"
	Fields []Field // at least one for a provider that verifies
}

// Field is one value of a credential, stored as one file.
type Field struct {
	Name     string // for example "secret"
	Label    string // what a prompt shows: "Webhook secret"
	Secret   bool   // typed without echo, masked wherever it would show
	Optional bool   // may be missing
	Help     string // where at the vendor to find it
	Pattern  string // RE2 that the whole value must match; empty allows anything but an empty value
	// Generated: the operator makes the value up and tells it to the vendor
	// (GitHub), so a tool may generate it. False: the vendor hands it out.
	Generated bool
	// Aliases are older names of this field, read when Name is not stored.
	Aliases []string
}

// FilterKind is what a filter's value in a configuration may be.
type FilterKind int

const (
	// StringList takes a list of strings, or one string as a list of one.
	StringList FilterKind = iota
	// String takes one string.
	String
)

// Filter is one key of a trigger. The values of all filters of a trigger that
// look at the same attribute unite; filters on different attributes must all
// hold.
type Filter struct {
	Name      string     // the key in the configuration: "labels"
	Kind      FilterKind // what its value may be
	Attribute string     // the key of Event.Attributes it looks at: "label"
	Help      string     // one line for people

	// Values that are known, for completion and for warnings about others.
	// Empty means that anything goes.
	Values []string
	// PassAbsent lets an event without the attribute pass. GitHub's branches
	// filter does not hold back issues; its labels filter does hold back a
	// push. Filters on the same attribute must agree.
	PassAbsent bool
	// MatchCase makes letter case count. GitHub logins do not care, branches
	// do. Filters on the same attribute must agree.
	MatchCase bool
	// OptIn are values that a trigger has to ask for, such as Discord's
	// autocomplete, which comes with every keystroke. An event whose attribute
	// has nothing but these values passes only triggers with a filter on the
	// attribute that names one of those the event has. All others do not get
	// it, also a trigger without any filter. At most 100; filters on the same
	// attribute must agree.
	OptIn []string
}
