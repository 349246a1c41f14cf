package provider

import (
	"strings"

	"github.com/action-llama/gateway/sdk"
)

// Kinds of posts.
const (
	kindPost    = "post"
	kindReply   = "reply"
	kindQuote   = "quote"
	kindRetweet = "retweet"
)

// post is a post in the old form, of the Account Activity API.
type post struct {
	ID          id     `json:"id"`
	IDStr       id     `json:"id_str"`
	TimestampMs millis `json:"timestamp_ms"`
	CreatedAt   text   `json:"created_at"`

	Text     text             `json:"text"`
	Entities object[entities] `json:"entities"`
	Extended object[struct {
		FullText text             `json:"full_text"`
		Entities object[entities] `json:"entities"`
	}] `json:"extended_tweet"`

	User      object[person] `json:"user"`
	Retweeted object[post]   `json:"retweeted_status"`

	IsQuote   truth        `json:"is_quote_status"`
	Quoted    object[post] `json:"quoted_status"`
	QuotedID  id           `json:"quoted_status_id_str"`
	Permalink object[struct {
		Expanded text `json:"expanded"`
	}] `json:"quoted_status_permalink"`

	InReplyToID   id   `json:"in_reply_to_status_id_str"`
	InReplyToUser id   `json:"in_reply_to_user_id_str"`
	InReplyToName text `json:"in_reply_to_screen_name"`
}

type entities struct {
	URLs list[struct {
		Expanded text `json:"expanded_url"`
	}] `json:"urls"`
}

func (e *entities) links() []any {
	var links []any
	for _, u := range e.URLs {
		if u.Expanded != "" {
			links = append(links, sdk.Truncate(string(u.Expanded)))
		}
	}
	return links
}

func (p *post) id() string { return firstOf(string(p.IDStr), string(p.ID)) }

// whole is the text of a post. The plain one of a longer post is cut off.
func (p *post) whole() string {
	return unescape(firstOf(string(p.Extended.get().FullText), string(p.Text)))
}

func (p *post) links() []any {
	if p.Extended.ok() {
		return p.Extended.get().Entities.get().links()
	}
	return p.Entities.get().links()
}

// kinds says what a post is, best first: a reply can quote as well.
func (p *post) kinds() []string {
	if p.Retweeted.ok() {
		return []string{kindRetweet}
	}
	var kinds []string
	if bool(p.IsQuote) || p.Quoted.ok() {
		kinds = append(kinds, kindQuote)
	}
	if p.InReplyToID != "" {
		kinds = append(kinds, kindReply)
	}
	if kinds == nil {
		return []string{kindPost}
	}
	return kinds
}

// describe puts a post into a draft. What a retweet says is somebody else's:
// its own text is that one cut off.
func (p *post) describe(d *draft) {
	d.set("postId", p.id())
	d.URL = address(p.User.get().account(), p.id())
	said := p
	if p.Retweeted.ok() {
		said = p.Retweeted.get()
		d.set("retweetedPostId", said.id())
	}
	author := said.User.get().account()
	d.Body = said.whole()
	d.Author = author.String()
	d.set("authorId", author.id)
	if links := said.links(); len(links) > 0 {
		d.put("links", links)
	}
	d.set("inReplyToPostId", string(p.InReplyToID))
	d.set("inReplyToUserId", string(p.InReplyToUser))
	d.set("inReplyToUser", string(p.InReplyToName))

	quoted := said.Quoted.get()
	d.set("quotedPostId", firstOf(string(said.QuotedID), quoted.id()))
	d.set("quotedText", quoted.whole())
	d.set("quotedAuthor", quoted.User.get().account().String())
	d.set("quotedUrl", string(said.Permalink.get().Expanded))
}

// newPost is a post in the form of the API's second version.
type newPost struct {
	ID        id   `json:"id"`
	Text      text `json:"text"`
	NoteTweet object[struct {
		Text     text             `json:"text"`
		Entities object[entities] `json:"entities"`
	}] `json:"note_tweet"`
	Entities       object[entities] `json:"entities"`
	AuthorID       id               `json:"author_id"`
	CreatedAt      text             `json:"created_at"`
	ConversationID id               `json:"conversation_id"`
	InReplyToID    id               `json:"in_reply_to_tweet_id"`
	InReplyToUser  id               `json:"in_reply_to_user_id"`
	Referenced     list[reference]  `json:"referenced_tweets"`
}

type reference struct {
	Type text `json:"type"`
	ID   id   `json:"id"`
}

func (p *newPost) whole() string {
	return unescape(firstOf(string(p.NoteTweet.get().Text), string(p.Text)))
}

func (p *newPost) links() []any {
	if p.NoteTweet.ok() {
		return p.NoteTweet.get().Entities.get().links()
	}
	return p.Entities.get().links()
}

func (p *newPost) refers(how text) (to id, ok bool) {
	for _, r := range p.Referenced {
		if r.Type == how {
			return r.ID, true
		}
	}
	return "", false
}

// kinds says what a post is, best first; nothing if it does not tell.
func (p *newPost) kinds() []string {
	if _, ok := p.refers("retweeted"); ok {
		return []string{kindRetweet}
	}
	var kinds []string
	if _, ok := p.refers("quoted"); ok {
		kinds = append(kinds, kindQuote)
	}
	if _, ok := p.refers("replied_to"); ok || p.InReplyToID != "" {
		kinds = append(kinds, kindReply)
	}
	return kinds
}

// describe puts a post into a draft, with what else X included.
func (p *newPost) describe(d *draft, included *includes) {
	poster := included.named(p.AuthorID)
	said, author := p, poster
	if to, ok := p.refers("retweeted"); ok {
		d.set("retweetedPostId", string(to))
		author = account{}
		if original := included.post(to); original.Text != "" {
			said, author = original, included.named(original.AuthorID)
		}
	}
	d.set("postId", string(p.ID))
	d.URL = address(poster, string(p.ID))
	d.Body = said.whole()
	d.Author = author.String()
	d.set("authorId", author.id)
	if links := said.links(); len(links) > 0 {
		d.put("links", links)
	}
	d.set("conversationId", string(p.ConversationID))
	repliedTo, _ := p.refers("replied_to")
	d.set("inReplyToPostId", firstOf(string(p.InReplyToID), string(repliedTo)))
	d.set("inReplyToUserId", string(p.InReplyToUser))
	d.set("inReplyToUser", included.named(p.InReplyToUser).handle)
	if to, ok := p.refers("quoted"); ok {
		quoted := included.post(to)
		d.set("quotedPostId", string(to))
		d.set("quotedText", quoted.whole())
		d.set("quotedAuthor", included.named(quoted.AuthorID).String())
	}
}

// address is the page of a post. X finds it without the name as well.
func address(by account, post string) string {
	switch {
	case post == "":
		return ""
	case by.handle == "":
		return "https://x.com/i/web/status/" + post
	default:
		return "https://x.com/" + by.handle + "/status/" + post
	}
}

// unescape undoes what X does to three characters of every text.
func unescape(s string) string {
	if !strings.Contains(s, "&") {
		return s
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}
