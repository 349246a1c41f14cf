package provider

import (
	"slices"
	"strings"
)

// activityReader puts the payload of an activity into a draft. It sets the
// fields; readActivity has set what all activities have.
type activityReader func(d *draft, a *activity, f *facts)

// activityReaders are by family: what stands before the first dot of an event
// type. X adds families and types often; those to come are read by
// readOtherActivity.
func activityReaders() map[string]activityReader {
	return map[string]activityReader{
		"post":      readPostActivity,
		"like":      readLike,
		"follow":    readRelationActivity,
		"mute":      readRelationActivity,
		"block":     readRelationActivity,
		"dm":        readMessageActivity,
		"chat":      readChat,
		"profile":   readProfile,
		"spaces":    readBroadcast,
		"broadcast": readBroadcast,
		"news":      readNews,
		"oauth":     readOAuth,
	}
}

// readActivity makes a draft of the one event in a delivery of the Activity API.
func (p *Provider) readActivity(a *activity) draft {
	f, filter := a.Payload.get(), a.Filter.get()
	kind := string(a.EventType)
	d := draft{user: string(filter.UserID), tags: []string{string(a.Tag)}}
	d.Name = kind
	d.Action = kind[strings.LastIndexByte(kind, '.')+1:]
	d.set("keyword", string(filter.Keyword))
	d.set("tag", string(a.Tag))

	family, _, _ := strings.Cut(kind, ".")
	read := p.activities[family]
	if read == nil {
		read = readOtherActivity
	}
	read(&d, a, f)

	// X calls event_uuid the id of a delivery, so two subscriptions to one
	// thing may differ in it. What the thing itself is called is better.
	if d.DeliveryID == "" {
		asked := firstOf(string(filter.UserID), string(filter.Keyword))
		d.DeliveryID = firstOf(key(kind, asked, string(f.ID)), key(kind, string(a.EventUUID)))
	}
	return d
}

func readPostActivity(d *draft, a *activity, f *facts) {
	included := a.Includes.get()
	d.sender = included.named(f.AuthorID)
	if d.Action == "delete" { // of the post there is only the id left
		d.set("postId", string(f.ID))
		return
	}
	f.describe(d, included)
	d.Timestamp = firstTime(timeOf(f.CreatedAt), timeOfID(f.ID))
	if !a.Payload.ok() {
		return
	}
	d.kinds = kindsOf(d.Name, &f.newPost)
}

// kindsOf also knows what the type of the event says of the post.
func kindsOf(eventType string, p *newPost) []string {
	kinds := p.kinds()
	said := ""
	switch eventType {
	case "post.reply.create":
		said = kindReply
	case "post.quote.create":
		said = kindQuote
	case "post.repost.create":
		said = kindRetweet
	}
	if said != "" && !slices.Contains(kinds, said) {
		kinds = append(kinds, said)
	}
	if len(kinds) == 0 {
		return []string{kindPost}
	}
	return kinds
}

// readLike knows who liked only if that is the subscribed user. The time in
// created_at is that of the liked post.
func readLike(d *draft, a *activity, f *facts) {
	included, filter := a.Includes.get(), a.Filter.get()
	switch {
	case filter.Direction == "outbound":
		d.sender = included.named(filter.UserID)
	case filter.UserID != "" && filter.UserID == f.LikedTweetAuthorID:
		d.origin = byOthers
	}
	d.Timestamp = f.TimestampMs.time()
	author := included.named(f.LikedTweetAuthorID)
	d.Author = author.String()
	d.URL = address(author, string(f.LikedTweetID))
	d.Body = included.post(f.LikedTweetID).whole()
	d.set("authorId", author.id)
	d.set("postId", string(f.LikedTweetID))
	d.set("direction", string(filter.Direction))
}

func readRelationActivity(d *draft, _ *activity, f *facts) {
	to := f.Target.get().account()
	d.sender = f.Source.get().account()
	d.set("targetId", to.id)
	d.set("target", to.handle)
}

// readMessageActivity finds the message, or the signal, in the form that the
// Account Activity API has.
func readMessageActivity(d *draft, a *activity, f *facts) {
	all := slices.Concat(f.Messages, f.Typing, f.Read)
	if len(all) == 0 {
		return
	}
	e := &all[0]
	if e.MessageCreate.ok() {
		describeMessage(d, e, f.Users, f.Apps)
	} else {
		describeSignal(d, e, f.Users)
	}
	if d.Action == "received" || d.Action == "sent" {
		d.DeliveryID = key(d.Name, string(a.Filter.get().UserID), e.id())
	}
}

// readChat reads of encrypted conversations what is readable.
func readChat(d *draft, a *activity, f *facts) {
	d.sender = a.Includes.get().named(f.SenderID)
	d.Timestamp = f.CreatedMsec.time()
	d.set("messageId", string(f.ID))
	d.set("conversation", string(f.ConversationID))
}

// readProfile finds no user in the payload: it is the subscribed one.
func readProfile(d *draft, a *activity, f *facts) {
	d.sender = a.Includes.get().named(a.Filter.get().UserID)
	d.set("before", unescape(string(f.Before)))
	d.set("after", unescape(string(f.After)))
}

// readBroadcast reads spaces and broadcasts. The event_type in their payload is
// another word for the same.
func readBroadcast(d *draft, _ *activity, f *facts) {
	d.sender = f.User.get().account()
	if f.Author.ok() { // of a message beside a broadcast
		d.sender = f.Author.get().account()
		d.Author = d.sender.String()
		d.Body = unescape(string(f.Message))
	}
	if f.MessageID != "" {
		d.DeliveryID = key(d.Name, d.user, string(f.MessageID))
	}
	d.set("broadcastId", string(f.BroadcastID))
	d.set("messageId", string(f.MessageID))
}

func readNews(d *draft, _ *activity, f *facts) {
	d.Title = string(f.Name)
	d.Body = firstOf(string(f.Summary), string(f.Hook))
	d.Timestamp = timeOf(f.UpdatedAt)
	d.set("hook", string(f.Hook))
	d.set("category", string(f.Category))
	d.set("newsId", string(f.ID))
}

// readOAuth reads that a user took away the app's access. The filter is empty.
func readOAuth(d *draft, a *activity, f *facts) {
	d.last = d.Action == "revoke"
	d.user = firstOf(d.user, string(f.UserID))
	d.sender = a.Includes.get().named(f.UserID)
	d.Timestamp = timeOf(f.DateTime)
	d.set("appId", string(f.AppID))
}

// readOtherActivity takes what payloads of other families have under the names
// that are known.
func readOtherActivity(d *draft, a *activity, f *facts) {
	included := a.Includes.get()
	for _, who := range []account{
		included.named(f.AuthorID), f.Source.get().account(), f.User.get().account(),
		f.Author.get().account(), included.named(f.SenderID), included.named(f.UserID),
	} {
		if d.sender.id == "" {
			d.sender = who
		}
	}
	d.Body = f.whole()
	d.Timestamp = firstTime(f.TimestampMs.time(), f.CreatedMsec.time(), timeOf(f.CreatedAt), timeOf(f.DateTime))
	d.set("id", string(f.ID))
}

// readStream makes a draft of a post that rules of the filtered stream asked
// for. There is no subscribed user.
func readStream(b *body) draft {
	p, included := b.data.get(), b.includes.get()
	d := draft{sender: included.named(p.AuthorID), kinds: p.kinds()}
	d.Name = "filtered_stream"
	d.Timestamp = firstTime(timeOf(p.CreatedAt), timeOfID(p.ID))
	var rules []string
	for _, r := range b.rules {
		rules = append(rules, string(r.ID))
		if r.Tag != "" {
			d.tags = append(d.tags, string(r.Tag))
		}
	}
	slices.Sort(rules)
	d.DeliveryID = key(d.Name, string(p.ID), strings.Join(rules, "+"))
	if d.DeliveryID == "" {
		d.DeliveryID = key(d.Name, string(p.ID))
	}
	p.describe(&d, included)
	if len(d.tags) > 0 {
		tags := make([]any, len(d.tags))
		for i, tag := range d.tags {
			tags[i] = tag
		}
		d.put("tags", tags)
	}
	return d
}
