package provider

import (
	"strings"
)

// accountReader puts an entry of the Account Activity API into a draft.
type accountReader func(d *draft, e *entry, b *body)

// accountReaders are by key. Keys to come are read by readUnknown.
func accountReaders() map[string]accountReader {
	return map[string]accountReader{
		"tweet_create_events":                   readPost,
		"tweet_delete_events":                   readDeletion,
		"favorite_events":                       readFavorite,
		"follow_events":                         readRelation,
		"block_events":                          readRelation,
		"mute_events":                           readRelation,
		"direct_message_events":                 readMessage,
		"direct_message_indicate_typing_events": readSignal,
		"direct_message_mark_read_events":       readSignal,
		"user_event":                            readRevocation,
	}
}

func (p *Provider) readAccount(b *body) []draft {
	drafts := make([]draft, len(b.entries))
	for i, e := range b.entries {
		d := &drafts[i]
		d.Name, d.user = e.key, string(b.forUser)
		read := p.accounts[e.key]
		if read == nil {
			read = readUnknown
		}
		read(d, e.entry, b)
	}
	return drafts
}

func readPost(d *draft, e *entry, b *body) {
	d.sender = e.User.get().account()
	d.Timestamp = firstTime(e.TimestampMs.time(), timeOf(e.CreatedAt), timeOfID(id(e.id())))
	d.kinds = e.kinds()
	d.DeliveryID = key(d.Name, d.user, e.id())
	e.describe(d)
	if b.blocked {
		d.put("userHasBlocked", true)
	}
}

// readDeletion knows two ids; the id of the post does not tell when it was
// deleted.
func readDeletion(d *draft, e *entry, _ *body) {
	s := e.Status.get()
	d.sender = account{id: string(s.UserID)}
	d.Timestamp = e.TimestampMs.time()
	d.DeliveryID = key(d.Name, d.user, string(s.ID))
	d.set("postId", string(s.ID))
}

func readFavorite(d *draft, e *entry, _ *body) {
	liked := e.FavoritedStatus.get()
	d.sender = e.User.get().account()
	d.Timestamp = firstTime(e.TimestampMs.time(), timeOf(e.CreatedAt))
	d.DeliveryID = firstOf(key(d.Name, d.user, e.id()), key(d.Name, d.user, d.sender.id, liked.id()))
	liked.describe(d)
}

// readRelation also reads the opposite of a follow, block or mute: X lists it
// as an event of its own, but sends it under the same key.
func readRelation(d *draft, e *entry, _ *body) {
	to := e.Target.get().account()
	d.sender = e.Source.get().account()
	d.Timestamp = e.CreatedMs.time()
	d.Action = string(e.Type)
	if verb := strings.TrimSuffix(d.Name, "_events"); d.Action == "un"+verb {
		d.Name = "un" + d.Name
	}
	d.DeliveryID = key(d.Action, d.sender.id, to.id, e.CreatedMs.String())
	d.set("targetId", to.id)
	d.set("target", to.handle)
}

func readMessage(d *draft, e *entry, b *body) {
	describeMessage(d, e, b.users, b.apps)
	d.DeliveryID = key(d.Name, d.user, e.id())
}

// describeMessage puts a direct message into a draft. Its accounts are named
// apart from it.
func describeMessage(d *draft, e *entry, users dict[person], apps dict[app]) {
	m := e.MessageCreate.get()
	data := m.Data.get()
	to := string(m.Target.get().RecipientID)
	d.sender = nameIn(users, string(m.SenderID))
	d.Author = d.sender.String()
	d.Action = firstOf(d.Action, string(e.Type))
	d.Body = unescape(string(data.Text))
	d.Timestamp = e.CreatedMs.time()
	d.set("messageId", e.id())
	d.set("recipientId", to)
	d.set("recipient", nameIn(users, to).handle)
	d.set("conversation", conversation(d.sender.id, to))
	d.set("sourceAppId", string(m.SourceAppID))
	d.set("sourceApp", string(apps[string(m.SourceAppID)].Name))
	if links := data.Entities.get().links(); len(links) > 0 {
		d.put("links", links)
	}
	attached := data.Attachment.get()
	d.set("attachmentType", string(attached.Type))
	d.set("attachmentUrl", firstOf(string(attached.Media.get().URL), string(attached.Media.get().Expanded)))
	d.set("quickReply", string(data.QuickReply.get().Metadata))
	d.set("initiatedViaPostId", string(e.InitiatedVia.get().TweetID))
	d.set("initiatedViaWelcomeMessageId", string(e.InitiatedVia.get().WelcomeMessageID))
}

// readSignal reads that somebody types or has read something.
func readSignal(d *draft, e *entry, b *body) {
	describeSignal(d, e, b.users)
	d.DeliveryID = key(d.Name, d.sender.id, e.CreatedMs.String())
}

func describeSignal(d *draft, e *entry, users dict[person]) {
	to := string(e.Target.get().RecipientID)
	d.sender = nameIn(users, string(e.SenderID))
	d.Timestamp = e.CreatedMs.time()
	d.set("recipientId", to)
	d.set("recipient", nameIn(users, to).handle)
	d.set("conversation", conversation(d.sender.id, to))
	d.set("lastReadMessageId", string(e.LastReadEventID))
}

// readRevocation reads that a user took away the app's access. The subscribed
// user is the one who did.
func readRevocation(d *draft, e *entry, _ *body) {
	r := e.Revoke.get()
	if !e.Revoke.ok() {
		return
	}
	d.Action, d.last = "revoke", true
	d.user = firstOf(d.user, string(r.Source.get().UserID))
	d.sender = account{id: string(r.Source.get().UserID)}
	d.Timestamp = timeOf(r.DateTime)
	d.DeliveryID = key(d.Name, d.sender.id, string(r.DateTime))
	d.set("appId", string(r.Target.get().AppID))
}

// readUnknown takes what other keys have under these names.
func readUnknown(d *draft, e *entry, b *body) {
	d.Action = string(e.Type)
	d.sender = e.User.get().account()
	if d.sender.id == "" {
		d.sender = e.Source.get().account()
	}
	if d.sender.id == "" {
		d.sender = nameIn(b.users, string(e.SenderID))
	}
	d.Body = e.whole()
	d.Timestamp = firstTime(e.TimestampMs.time(), e.CreatedMs.time(), timeOf(e.CreatedAt))
	d.DeliveryID = key(d.Name, d.user, e.id())
	d.set("id", e.id())
}

// nameIn returns an account with the name that the users beside the events
// give it.
func nameIn(users dict[person], i string) account {
	p := users[i]
	return account{id: i, handle: p.account().handle}
}

// conversation is the same whoever of the two writes.
func conversation(a, b string) string {
	if len(a) > len(b) || len(a) == len(b) && a > b {
		a, b = b, a
	}
	if a == "" {
		return ""
	}
	return a + "-" + b
}
