package provider

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// body is any of X's payloads. What kind it is shows in the names it has: none
// of them says.
type body struct {
	// Activity API (with an event type) and filtered stream (without).
	data     object[activity]
	includes object[includes]
	rules    list[rule]

	// Account Activity API.
	forUser id
	blocked truth
	entries []keyedEntry
	users   dict[person]
	apps    dict[app]
}

// keyedEntry is what happened, under the key that says what it is.
type keyedEntry struct {
	key string
	*entry
}

// maxEntries is far beyond what X sends in one request. A body of 25 MiB has
// room for millions.
const maxEntries = 1000

var errTooMany = errors.New("the body holds more than 1000 events")

// holdsEvents says that a key is one whose elements are events. Among those
// that X documents only user_event is an object; keys to come are read alike.
func holdsEvents(key string) (listed, single bool) {
	return strings.HasSuffix(key, "_events"), strings.HasSuffix(key, "_event")
}

func (b *body) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != jsontext.KindBeginObject {
		if _, err := dec.ReadValue(); err != nil {
			return err
		}
		return errors.New("not an object")
	}
	return eachMember(dec, func(name string) error {
		switch name {
		case "data":
			return json.UnmarshalDecode(dec, &b.data)
		case "includes":
			return json.UnmarshalDecode(dec, &b.includes)
		case "matching_rules":
			return json.UnmarshalDecode(dec, &b.rules)
		case "for_user_id":
			return json.UnmarshalDecode(dec, &b.forUser)
		case "user_has_blocked":
			return json.UnmarshalDecode(dec, &b.blocked)
		case "users":
			return json.UnmarshalDecode(dec, &b.users)
		case "apps":
			return json.UnmarshalDecode(dec, &b.apps)
		}
		read := func() error {
			if len(b.entries) == maxEntries {
				return errTooMany
			}
			e := keyedEntry{key: name, entry: new(entry)}
			b.entries = append(b.entries, e)
			return json.UnmarshalDecode(dec, e.entry)
		}
		listed, single := holdsEvents(name)
		switch {
		case listed:
			return eachObject(dec, read)
		case single && dec.PeekKind() == jsontext.KindBeginObject:
			return read()
		default:
			return dec.SkipValue()
		}
	})
}

// isQuiet says that a body is well-formed and holds no event: the notice that a
// replay is over, empty lists. It stops at the first event, which comes early,
// so that bodies are not read twice.
func isQuiet(data []byte) bool {
	dec := jsontext.NewDecoder(bytes.NewBuffer(data))
	if dec.PeekKind() != jsontext.KindBeginObject {
		return false
	}
	err := eachMember(dec, func(name string) error {
		listed, single := holdsEvents(name)
		isObject := dec.PeekKind() == jsontext.KindBeginObject
		switch {
		case listed:
			return eachObject(dec, func() error { return errEvent })
		case isObject && (single || name == "data"):
			return errEvent
		default:
			return dec.SkipValue()
		}
	})
	if err != nil {
		return false
	}
	_, err = dec.ReadToken()
	return errors.Is(err, io.EOF)
}

var errEvent = errors.New("there is an event")

// entry is one thing that happened, of the Account Activity API. Each key uses
// a few of these.
type entry struct {
	post // tweet_create_events; User also of favorite_events

	Type            text                  `json:"type"`
	CreatedMs       millis                `json:"created_timestamp"`
	Source          object[person]        `json:"source"` // of a post a string: the app
	Target          object[target]        `json:"target"`
	FavoritedStatus object[post]          `json:"favorited_status"`
	Status          object[deletedStatus] `json:"status"`
	SenderID        id                    `json:"sender_id"`
	LastReadEventID id                    `json:"last_read_event_id"`
	MessageCreate   object[message]       `json:"message_create"`
	InitiatedVia    object[initiatedVia]  `json:"initiated_via"`
	Revoke          object[revocation]    `json:"revoke"`
}

// target is the other account: of a follow, or of a message.
type target struct {
	person
	RecipientID id `json:"recipient_id"`
}

type deletedStatus struct {
	ID     id `json:"id"`
	UserID id `json:"user_id"`
}

type message struct {
	SenderID    id                  `json:"sender_id"`
	SourceAppID id                  `json:"source_app_id"`
	Target      object[target]      `json:"target"`
	Data        object[messageData] `json:"message_data"`
}

type messageData struct {
	Text       text             `json:"text"`
	Entities   object[entities] `json:"entities"`
	Attachment object[struct {
		Type  text `json:"type"`
		Media object[struct {
			URL      text `json:"media_url_https"`
			Expanded text `json:"expanded_url"`
		}] `json:"media"`
	}] `json:"attachment"`
	QuickReply object[struct {
		Metadata text `json:"metadata"`
	}] `json:"quick_reply_response"`
}

type initiatedVia struct {
	TweetID          id `json:"tweet_id"`
	WelcomeMessageID id `json:"welcome_message_id"`
}

type revocation struct {
	DateTime text `json:"date_time"`
	Target   object[struct {
		AppID id `json:"app_id"`
	}] `json:"target"`
	Source object[struct {
		UserID id `json:"user_id"`
	}] `json:"source"`
}

type app struct {
	Name text `json:"name"`
}

// person is an account, in the old form and in the new one, which is sometimes
// wrapped in data.
type person struct {
	ID         id             `json:"id"`
	IDStr      id             `json:"id_str"`
	ScreenName text           `json:"screen_name"`
	Username   text           `json:"username"`
	Data       object[person] `json:"data"`
}

func (p *person) account() account {
	if p.Data.ok() {
		inner := p.Data.get()
		p = &person{ID: inner.ID, IDStr: inner.IDStr, ScreenName: inner.ScreenName, Username: inner.Username}
	}
	return account{
		id:     firstOf(string(p.IDStr), string(p.ID)),
		handle: firstOf(string(p.ScreenName), string(p.Username)),
	}
}

// activity is one event of the Activity API, or one post of the filtered
// stream.
type activity struct {
	newPost

	EventUUID id               `json:"event_uuid"`
	EventType text             `json:"event_type"`
	Filter    object[matched]  `json:"filter"`
	Tag       text             `json:"tag"`
	Payload   object[facts]    `json:"payload"`
	Includes  object[includes] `json:"includes"`
}

// matched is what a subscription asked for.
type matched struct {
	UserID    id   `json:"user_id"`
	Keyword   text `json:"keyword"`
	Direction text `json:"direction"`
}

// facts are the payload of an activity. Each type uses a few of these.
type facts struct {
	newPost

	LikedTweetID       id     `json:"liked_tweet_id"`
	LikedTweetAuthorID id     `json:"liked_tweet_author_id"`
	TimestampMs        millis `json:"timestamp_ms"`

	Source object[person] `json:"source"`
	Target object[person] `json:"target"`
	User   object[person] `json:"user"`
	Author object[person] `json:"author"`

	Messages list[entry]  `json:"direct_message_events"`
	Typing   list[entry]  `json:"direct_message_indicate_typing_events"`
	Read     list[entry]  `json:"direct_message_mark_read_events"`
	Users    dict[person] `json:"users"`
	Apps     dict[app]    `json:"apps"`

	SenderID    id     `json:"sender_id"`
	CreatedMsec millis `json:"created_at_msec"`

	Before      text `json:"before"`
	After       text `json:"after"`
	BroadcastID id   `json:"broadcast_id"`
	MessageID   id   `json:"message_id"`
	Message     text `json:"message"`

	Name      text `json:"name"`
	Category  text `json:"category"`
	Hook      text `json:"hook"`
	Summary   text `json:"summary"`
	UpdatedAt text `json:"updated_at"`

	UserID   id   `json:"user_id"`
	AppID    id   `json:"app_id"`
	DateTime text `json:"date_time"`
}

type includes struct {
	Users  list[person]       `json:"users"`
	Tweets list[includedPost] `json:"tweets"`
}

type includedPost struct {
	newPost
	Data object[newPost] `json:"data"`
}

type rule struct {
	ID  id   `json:"id"`
	Tag text `json:"tag"`
}

// named returns an account with the name that the included users give it.
func (n *includes) named(i id) account {
	a := account{id: string(i)}
	for k := range n.Users {
		if other := n.Users[k].account(); i != "" && other.id == a.id {
			return other
		}
	}
	return a
}

// post returns the included post with an id.
func (n *includes) post(i id) *newPost {
	for k := range n.Tweets {
		p := &n.Tweets[k].newPost
		if n.Tweets[k].Data.ok() {
			p = n.Tweets[k].Data.get()
		}
		if i != "" && p.ID == i {
			return p
		}
	}
	return new(newPost)
}
