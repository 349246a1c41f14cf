package sdk

import "time"

// MaxTextRunes is where [Event] texts (Title, Body, Comment) are cut, on a
// character boundary and marked with "...", before an agent sees them.
const MaxTextRunes = 4000

// Event is one thing that happened, as read out of a request. Its fields reach
// the agent as JSON (the WebhookContext) under the names in the comments; empty
// fields are omitted there. The host adds source, provider and receiptId: what
// proves where an event came from is never taken from its body.
type Event struct {
	// DeliveryID is the vendor's identity of this event, the same on every
	// retry and redelivery, and the deduplication key within a source. Empty
	// means that the vendor has none, and that repeats can not be told.
	DeliveryID string // deliveryId

	Name       string    // event, for example "issues"; never empty
	Action     string    // action, for example "labeled"
	Repo       string    // repo, "owner/name"
	Number     int64     // number of the issue or pull request; 0 for none
	Title      string    // title
	Body       string    // body
	URL        string    // url of a page a person can open
	Author     string    // author of the thing (the issue), not of the change
	Assignee   string    // assignee
	Labels     []string  // labels the thing has after the event
	Branch     string    // branch, without refs/heads/
	Conclusion string    // conclusion of a check or a build
	Comment    string    // comment text
	Sender     string    // sender: who did it
	Timestamp  time.Time // timestamp of the event at the vendor; zero for unknown

	// Automated says that a program caused the event by acting the way people
	// do where people talk: it wrote or changed a comment, an issue, a review, a
	// discussion or a message. A host holds such events back from agents unless
	// it is told otherwise, since an agent that answers its own comments never
	// ends. Set it only where the payload says so.
	//
	// Results of automation are not automated in this sense: checks, builds,
	// deployments, alerts, releases, pushes. Nor is a pull request that a bot
	// opens or pushes to. And where a filter tells programs from people by values
	// that a trigger has to name (Filter.OptIn), it stays false: a trigger that
	// names such a value has asked for the event.
	Automated bool

	// Attributes are what filters look at: values by the attribute names that
	// the descriptor's filters use. They are kept apart from the fields above
	// because they can differ: GitHub's "labeled" is matched by the label that
	// was added, while Labels lists all of them. A missing key, and one
	// without values, both mean that the event has no such attribute.
	Attributes map[string][]string

	// Extra is whatever else an agent of this vendor needs (a Slack thread, a
	// Discord interaction token). Values are what encoding/json makes of a
	// JSON object: nil, bool, float64, json.Number, string, []any,
	// map[string]any.
	Extra map[string]any

	// Sources are the names of those that it is for, of the ones in
	// [Request.Sources]; empty means all that signed the request. The SDK sets it
	// where sources with different settings read one request differently.
	Sources []string

	// Sensitive names the values in Extra (dotted paths, "interaction.token")
	// that reach the agent and nobody else: the host masks them in listings,
	// logs and receipts.
	Sensitive []string

	// Taken is the reply when at least one agent takes the event. Nil asks for the
	// host's own reply. With several events in one request the first that has the
	// fitting reply decides.
	Taken *Reply
	// Ignored is the reply when no agent takes the event. See Taken.
	Ignored *Reply
}

// Truncate cuts text at [MaxTextRunes] characters, marking the cut with "...".
// Invalid UTF-8 is replaced, so that the result is always valid.
func Truncate(text string) string { return truncate(text, MaxTextRunes) }
