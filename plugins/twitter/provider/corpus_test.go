package provider

import (
	"fmt"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

// corpusDir holds X's own payloads, which are not ours to distribute.
const corpusDir = "../../../../shared/corpus/twitter"

func corpus(t testing.TB) map[string]sdk.Event {
	t.Helper()
	all := map[string]sdk.Event{}
	for name, body := range providertest.Payloads(t, corpusDir) {
		if strings.HasPrefix(name, "tweet_object") { // a post alone
			body = fmt.Appendf(nil, `{"for_user_id":"2244994945","tweet_create_events":[%s]}`, body)
		}
		req := delivery(body)
		req.Header.Set(signatureHeader, sign(testSecret, body))
		d, err := sdk.Deliver(t.Context(), New("test"), req, secretsOf(testSecret), sdk.DeliverOptions{})
		if err != nil || len(d.Events) != 1 || d.Reply != nil {
			t.Errorf("%s: %d events, reply %v, %v", name, len(d.Events), d.Reply, err)
			continue
		}
		all[name] = d.Events[0]
	}
	return all
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	events := corpus(t)
	attribute := func(name string) func(sdk.Event) any {
		return func(e sdk.Event) any { return strings.Join(e.Attributes[name], " ") }
	}
	extra := func(name string) func(sdk.Event) any { return func(e sdk.Event) any { return e.Extra[name] } }
	key := func(e sdk.Event) any { return e.DeliveryID }
	body := func(e sdk.Event) any { return e.Body }
	url := func(e sdk.Event) any { return e.URL }
	people := func(e sdk.Event) any { return e.Sender + " of " + e.Author }
	at := func(e sdk.Event) any { return e.Timestamp.Format("2006-01-02 15:04:05.000") }

	for _, tt := range []struct {
		name string
		get  func(e sdk.Event) any
		want string
	}{
		{"tweet_create_events.mention_in_reply", key, "tweet_create_events:1114259648326987776:1332557345071644672"},
		{"tweet_create_events.mention_in_reply", body, "@Learn_Awesome Save this"},
		{"tweet_create_events.mention_in_reply", attribute("kind"), "reply"},
		{"tweet_create_events.mention_in_reply", attribute("origin"), "others"},
		{"tweet_create_events.mention_in_reply", url, "https://x.com/example_user/status/1332557345071644672"},
		{"tweet_create_events.mention_in_reply", extra("inReplyToPostId"), "1332252354599555074"},
		{"tweet_create_events.mention_in_reply", at, "2020-11-28 05:30:03.440"},
		{"tweet_create_events.long_quote", key, "tweet_create_events:1014719446525476864:1179790868309368834"}, // the number beside it is rounded
		{"tweet_create_events.long_quote", attribute("kind"), "quote"},
		{"tweet_create_events.long_quote", extra("quotedPostId"), "1177845435857133568"},
		{"tweet_create_events.long_quote", extra("quotedUrl"), "https://twitter.com/example_user/status/1177845435857133568"},
		{"tweet_create_events.long_quote", func(e sdk.Event) any { return strings.HasSuffix(e.Body, "@cmsn_d @cmsn_M @cmsn_RT @cmsn_w") }, "true"},
		{"tweet_create_events.long_quote", func(e sdk.Event) any {
			text, _ := e.Extra["quotedText"].(string)
			return strings.Contains(text, "배포용")
		}, "true"},
		{"tweet_object.retweet", attribute("kind"), "retweet"},
		{"tweet_object.retweet", people, "X Developers of suhemparack"},
		{"tweet_object.retweet", attribute("origin"), "self"},
		{"tweet_object.retweet", func(e sdk.Event) any { return strings.HasPrefix(e.Body, "I built") && strings.Contains(e.Body, "👇") }, "true"},
		{"tweet_object.retweet", at, "2020-02-18 19:33:59.000"},
		{"tweet_delete_events", key, "tweet_delete_events:930524282358325248:1045405559317569537"},
		{"tweet_delete_events", people, "930524282358325248 of "},
		{"favorite_events", key, "favorite_events:100:4242:850006245121695744"},
		{"favorite_events", people, "UserTest of TwitterDev"},
		{"favorite_events", url, "https://x.com/TwitterDev/status/850006245121695744"},
		{"follow_events.follow", key, "follow:1245855954975051776:1693649419:1586216143967"},
		{"follow_events.follow", attribute("event"), "follow_events"},
		{"follow_events.unfollow", attribute("event"), "unfollow_events"},
		{"follow_events.unfollow", extra("target"), "tweetinvitest"},
		{"follow_events.unfollow", attribute("origin"), "self"},
		{"block_events.unblock", attribute("event"), "unblock_events"},
		{"block_events.unblock", attribute("user"), "1245855954975051776"},
		{"direct_message_events.received", key, "direct_message_events:4337869213:954491830116155396"},
		{"direct_message_events.received", people, "furiouscamper of furiouscamper"},
		{"direct_message_events.received", extra("conversation"), "3001969357-4337869213"},
		{"direct_message_events.received", extra("sourceApp"), "FuriousCamperTestApp1"},
		{"direct_message_events.received", attribute("origin"), "others"},
		{"direct_message_events.sent_by_own_app", attribute("origin"), "self"},
		{"direct_message_events.sent_by_own_app", extra("sourceApp"), "The tweetinvi app"},
		{"direct_message_indicate_typing_events", key, "direct_message_indicate_typing_events:3284025577:1518127183443"},
		{"direct_message_indicate_typing_events", people, "bogusbogart of "},
		{"direct_message_mark_read_events", extra("lastReadMessageId"), "963085315333238788"},
		{"user_event.revoke", key, "user_event:63046977:2018-05-24T09:48:12+00:00"},
		{"user_event.revoke", attribute("user"), "63046977"},
		{"user_event.revoke", at, "2018-05-24 09:48:12.000"},
		{"xaa.post.mention.create", key, "post.mention.create:1111111111111111111:2080765813578191303"},
		{"xaa.post.mention.create", people, "OtherUser of OtherUser"},
		{"xaa.post.mention.create", attribute("origin"), "others"},
		{"xaa.post.mention.create", attribute("tag"), "mentions"},
		{"xaa.post.mention.create", url, "https://x.com/OtherUser/status/2080765813578191303"},
		{"xaa.post.delete", key, "post.delete:1111111111111111111:2080761269309813134"},
		{"xaa.post.delete", people, "ExampleUser of "},
		{"xaa.like.create", people, "1111111111111111111 of PublicUser"},
		{"xaa.like.create", attribute("origin"), "self"},
		{"xaa.like.create", at, "2026-07-24 21:12:45.236"},
		{"xaa.like.create", extra("postId"), "2079814480427442556"},
		{"xaa.follow.follow", key, "follow.follow:-7953119945885597316"},
		{"xaa.follow.follow", people, "ExampleUser of "},
		{"xaa.dm.received", key, "dm.received:1111111111111111111:2080765901528535096"},
		{"xaa.dm.received", people, "OtherUser of OtherUser"},
		{"xaa.dm.received", body, "hello!"},
		{"xaa.dm.received", extra("recipient"), "ExampleUser"},
		{"xaa.oauth.revoke", attribute("user"), "1111111111111111111"},
		{"xaa.oauth.revoke", key, "oauth.revoke:5934540941047412905"},
		{"filtered_stream.post", key, "filtered_stream:1346889436626259968:120897978112909812"},
		{"filtered_stream.post", people, "Xdevelopers of Xdevelopers"},
		{"filtered_stream.post", attribute("user"), ""},
		{"filtered_stream.post", attribute("tag"), "api-posts"},
	} {
		e, ok := events[tt.name]
		if !ok {
			t.Errorf("no payload %s", tt.name)
			continue
		}
		if got := fmt.Sprint(tt.get(e)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
