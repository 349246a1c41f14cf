package provider

import (
	"errors"
	"math"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/action-llama/gateway/sdk"
)

// payload is a delivery's body. Linear keeps what an event is about in data,
// but for those made for applications and agents, which have places of their
// own.
type payload struct {
	Action         string  `json:"action"`
	Type           string  `json:"type"`
	CreatedAt      string  `json:"createdAt"`
	URL            string  `json:"url"`
	OrganizationID string  `json:"organizationId"`
	WebhookID      string  `json:"webhookId"`
	Actor          person  `json:"actor"` // null for what Linear does itself
	Data           thing   `json:"data"`
	UpdatedFrom    changes `json:"updatedFrom"` // of updates

	IssueData thing `json:"issueData"` // of IssueSLA

	OAuthClientID string       `json:"oauthClientId"`
	AppUserID     string       `json:"appUserId"` // whom an event for an application is for
	Notification  notification `json:"notification"`

	AgentSession  session    `json:"agentSession"`
	AgentActivity activity   `json:"agentActivity"`
	PromptContext string     `json:"promptContext"`
	Guidance      []guidance `json:"guidance"`

	User           person   `json:"user"` // of OAuthAuthorization
	AddedTeamIDs   []string `json:"addedTeamIds"`
	RemovedTeamIDs []string `json:"removedTeamIds"`
}

// thing is an issue, a comment, a project and so on. They share most names, so
// one type does for all; what a kind of thing lacks stays empty.
type thing struct {
	ID          string `json:"id"`
	Number      whole  `json:"number"`
	Identifier  string `json:"identifier"`
	Title       string `json:"title"`
	Name        string `json:"name"`
	Subtitle    string `json:"subtitle"`
	Description string `json:"description"`
	Content     string `json:"content"`
	Body        string `json:"body"`
	QuotedText  string `json:"quotedText"`
	Emoji       string `json:"emoji"`
	URL         string `json:"url"`

	Creator               person `json:"creator"` // documented, and missing in every recorded issue
	CreatorID             string `json:"creatorId"`
	ExternalUserCreatorID string `json:"externalUserCreatorId"`
	User                  person `json:"user"`
	UserID                string `json:"userId"`
	ExternalUser          person `json:"externalUser"`
	Assignee              person `json:"assignee"`
	AssigneeID            string `json:"assigneeId"`
	Delegate              person `json:"delegate"` // the agent that works for the assignee
	DelegateID            string `json:"delegateId"`
	Lead                  person `json:"lead"`
	Owner                 person `json:"owner"`

	PreviousIdentifiers []string `json:"previousIdentifiers"` // of an issue that was moved
	Labels              []label  `json:"labels"`
	State               named    `json:"state"`
	Status              named    `json:"status"`
	Health              string   `json:"health"`
	PriorityLabel       string   `json:"priorityLabel"`
	DueDate             string   `json:"dueDate"`
	SLABreachesAt       string   `json:"slaBreachesAt"`
	ArchivedAt          string   `json:"archivedAt"`
	Trashed             bool     `json:"trashed"`
	ParentID            string   `json:"parentId"`
	IssueID             string   `json:"issueId"`
	CommentID           string   `json:"commentId"`

	Team       named   `json:"team"`
	TeamID     string  `json:"teamId"`
	Project    named   `json:"project"`
	Initiative named   `json:"initiative"`
	Document   named   `json:"document"`
	Cycle      cycle   `json:"cycle"`
	Issue      issue   `json:"issue"`
	Comment    comment `json:"comment"`
}

// issue is the short form in which other things name theirs. The oldest have
// no more than id and title.
type issue struct {
	ID          string `json:"id"`
	Identifier  string `json:"identifier"`
	Title       string `json:"title"`
	Description string `json:"description"`
	URL         string `json:"url"`
	Team        named  `json:"team"`
}

// person is a user, an OAuth client, an integration or somebody in another
// system. Any of the fields may be missing.
type person struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Email   string `json:"email"`
	Name    string `json:"name"`
	Service string `json:"service"` // of an integration, which has no name
	URL     string `json:"url"`
}

// named is a team, a project, a state. Initiatives have a bare name as status.
type named struct {
	ID    string `json:"id"`
	Key   string `json:"key"`
	Name  string `json:"name"`
	Title string `json:"title"`
	Type  string `json:"type"`
	URL   string `json:"url"`
}

type label struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type cycle struct {
	Number whole  `json:"number"`
	Name   string `json:"name"`
}

type comment struct {
	ID     string `json:"id"`
	Body   string `json:"body"`
	UserID string `json:"userId"`
}

type notification struct {
	ID                string  `json:"id"`
	Actor             person  `json:"actor"`
	ActorID           string  `json:"actorId"`
	ExternalUserActor person  `json:"externalUserActor"`
	Issue             issue   `json:"issue"`
	Project           named   `json:"project"`
	Document          thing   `json:"document"`
	Comment           comment `json:"comment"`
	ParentComment     comment `json:"parentComment"`
	ReactionEmoji     string  `json:"reactionEmoji"`
}

type session struct {
	ID        string  `json:"id"`
	Status    string  `json:"status"`
	Type      string  `json:"type"`
	URL       string  `json:"url"`
	Creator   person  `json:"creator"`
	CreatorID string  `json:"creatorId"`
	Issue     issue   `json:"issue"`
	Comment   comment `json:"comment"`
}

type activity struct {
	ID      string  `json:"id"`
	Signal  string  `json:"signal"`
	User    person  `json:"user"`
	UserID  string  `json:"userId"`
	Content content `json:"content"`
}

type content struct {
	Type string `json:"type"`
	Body string `json:"body"`
}

type guidance struct {
	Body string `json:"body"`
}

// decode reads a body, which has to be one JSON object in valid UTF-8, without
// a name twice in an object and nested at most 10,000 deep (jsontext's limit).
// Values that no event needs are checked and skipped.
func (p *Provider) decode(body []byte) (*payload, error) {
	pl := new(payload)
	err := json.Unmarshal(body, pl, p.lenient)
	if err == nil {
		return pl, nil
	}
	// The decoder's own errors quote the body.
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntax) && errors.Is(syntax.Err, jsontext.ErrDuplicateName):
		return nil, sdk.Unparseable("a name comes twice in one object, before byte %d", syntax.ByteOffset)
	case errors.As(err, &syntax):
		return nil, sdk.Unparseable("the payload is not valid JSON, after byte %d", syntax.ByteOffset)
	default:
		return nil, sdk.Unparseable("the payload is not a JSON object")
	}
}

// leniency makes a value that is null or of another type than documented count
// as missing: it must not cost the whole event.
func leniency() json.Options {
	return json.WithUnmarshalers(json.JoinUnmarshalers(
		only[string](jsontext.KindString),
		only[bool](jsontext.KindTrue),
		only[thing](jsontext.KindBeginObject),
		only[issue](jsontext.KindBeginObject),
		only[person](jsontext.KindBeginObject),
		json.UnmarshalFromFunc(func(dec *jsontext.Decoder, n *named) error {
			switch dec.PeekKind() {
			case jsontext.KindBeginObject:
				return errors.ErrUnsupported
			case jsontext.KindString:
				return json.UnmarshalDecode(dec, &n.Name)
			default:
				return dec.SkipValue()
			}
		}),
		only[label](jsontext.KindBeginObject),
		only[cycle](jsontext.KindBeginObject),
		only[comment](jsontext.KindBeginObject),
		only[notification](jsontext.KindBeginObject),
		only[session](jsontext.KindBeginObject),
		only[activity](jsontext.KindBeginObject),
		only[content](jsontext.KindBeginObject),
		only[guidance](jsontext.KindBeginObject),
		only[[]label](jsontext.KindBeginArray),
		only[[]guidance](jsontext.KindBeginArray),
		only[[]string](jsontext.KindBeginArray),
	))
}

func only[T any](kind jsontext.Kind) *json.Unmarshalers {
	return json.UnmarshalFromFunc(func(dec *jsontext.Decoder, _ *T) error {
		if dec.PeekKind() == kind {
			return errors.ErrUnsupported // decode it as usual
		}
		return dec.SkipValue()
	})
}

// whole is a number that the schema calls a float and that is whole in
// practice. Anything else counts as missing.
type whole int64

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (w *whole) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != jsontext.KindNumber {
		return dec.SkipValue()
	}
	token, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if n, err := strconv.ParseInt(token.String(), 10, 64); err == nil {
		*w = whole(n)
	} else if f, err := strconv.ParseFloat(token.String(), 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		*w = whole(f)
	}
	return nil
}

// changes are the names of the fields that an update changed. Of the former
// values only those of the labels are of use: the others are mostly ids, and
// null where nothing was set.
type changes struct {
	fields         []string
	labels         bool // among the fields
	formerLabelIDs []string
}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (c *changes) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != jsontext.KindBeginObject {
		return dec.SkipValue()
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() == jsontext.KindString {
		token, err := dec.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		if name != "" {
			c.fields = append(c.fields, name)
		}
		if name != "labelIds" {
			err = dec.SkipValue()
		} else {
			c.labels = true
			err = json.UnmarshalDecode(dec, &c.formerLabelIDs)
		}
		if err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}
