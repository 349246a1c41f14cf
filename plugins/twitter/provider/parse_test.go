package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/action-llama/gateway/sdk"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty":                           "",
		"white space":                     " \n",
		"not json":                        "Hello, World!",
		"null":                            "null",
		"array":                           `[{"for_user_id":"1"}]`,
		"cut off":                         `{"tweet_create_events":[{"id_str":"1"}`,
		"two objects":                     `{"for_user_id":"1"}{}`,
		"not utf-8":                       "{\"tweet_create_events\":[{\"text\":\"\xff\"}]}",
		"not utf-8 where nothing is read": "{\"zzz\":[\"\xc3\"]}",
		"half a surrogate pair":           `{"data":{"event_type":"post.create","payload":{"text":"\ud83d"}}}`,
		"name twice":                      `{"for_user_id":"1","for_user_id":"2"}`,
		"name twice in an event":          `{"tweet_create_events":[{"id_str":"1","id_str":"2"}]}`,
		"name twice where nothing reads":  `{"zzz":{"a":1,"a":1}}`,
		"name twice, once escaped":        `{"data":{},"d\u0061ta":{}}`,
		"nested without end":              strings.Repeat(`{"data":`, 1<<17),
		"posts in posts without end":      `{"tweet_create_events":[` + strings.Repeat(`{"retweeted_status":`, 20_000),
		"nested too deep":                 `{"zzz":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`,
		"more events than X sends":        `{"tweet_create_events":[{}` + strings.Repeat(",{}", 1000) + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := delivery([]byte(body))
			events, err := New("test").Parse(t.Context(), req)
			if !errors.Is(err, sdk.ErrUnparseable) || events != nil {
				t.Fatalf("Parse = %v, %v; want unparseable", events, err)
			}
			if len(err.Error()) > 120 || strings.Contains(err.Error(), "Hello") {
				t.Errorf("the error quotes the body: %v", err)
			}
			if reply, err := New("test").Challenge(t.Context(), req, nil); reply != nil || err != nil {
				t.Errorf("Challenge = %+v, %v; what is broken must not be answered as fine", reply, err)
			}
		})
	}
}

func TestParseTakesAsManyEventsAsThereAre(t *testing.T) {
	t.Parallel()
	var entries []string
	for i := range 1000 {
		entries = append(entries, fmt.Sprintf(`{"id_str":"%d"}`, i))
	}
	events := parse(t, `{"for_user_id":"1","tweet_create_events":[`+strings.Join(entries[:400], ",")+`],"mute_events":null,"tweet_delete_events":[`+strings.Join(entries[400:], ",")+`]}`)
	if len(events) != 1000 || events[399].DeliveryID != "tweet_create_events:1:399" || events[400].Name != "tweet_delete_events" {
		t.Fatalf("%d events", len(events))
	}
}

// Events come in the order of the payload, whatever comes first.
func TestParseKeepsTheOrder(t *testing.T) {
	t.Parallel()
	events := parse(t, `{"users":{"7":{"screen_name":"octo_ann"}},"mute_events":[{"type":"mute"},{"type":"unmute"}],
		"direct_message_indicate_typing_events":[{"sender_id":"7"}],"follow_events":[{"type":"unfollow"}],"for_user_id":"7"}`)
	var got []string
	for _, e := range events {
		got = append(got, e.Name)
	}
	want := []string{"mute_events", "unmute_events", "direct_message_indicate_typing_events", "unfollow_events"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if e := events[2]; e.Sender != "octo_ann" || e.Attributes["origin"][0] != bySelf {
		t.Errorf("what comes around an event belongs to it: %+v", e)
	}
}

// A user who unfollows somebody who is followed by a filter on follow_events
// must not start it.
func TestOppositesAreApart(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"follow_events":[{"type":"follow"}]}`:   "follow_events",
		`{"follow_events":[{"type":"unfollow"}]}`: "unfollow_events",
		`{"follow_events":[{"type":"unblock"}]}`:  "follow_events",
		`{"follow_events":[{}]}`:                  "follow_events",
		`{"block_events":[{"type":"unblock"}]}`:   "unblock_events",
		`{"mute_events":[{"type":"unmute"}]}`:     "unmute_events",
	} {
		if e := parse(t, body)[0]; e.Name != want || !slices.Equal(e.Attributes["event"], []string{want}) {
			t.Errorf("%s: %s, %q", body, e.Name, e.Attributes["event"])
		}
	}
}

func TestParseIDsAreExact(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"9007199254740993":       "9007199254740993", // no float64
		`"9007199254740993"`:     "9007199254740993",
		`"18446744073709551617"`: "18446744073709551617",
		"-7953119945885597316":   "-7953119945885597316",
		"1.5":                    "",
		"1e3":                    "",
		"null":                   "",
		"[]":                     "",
		`""`:                     "",
	} {
		e := parse(t, `{"for_user_id":`+text+`,"tweet_create_events":[{}]}`)[0]
		got, _ := e.Extra["forUserId"].(string)
		if got != want || len(e.Attributes["user"]) != min(len(want), 1) {
			t.Errorf("%s: %q, %q", text, got, e.Attributes["user"])
		}
	}
	// The string is right where both are there: many tools round the number.
	e := parse(t, `{"tweet_create_events":[{"id":1179790868309368800,"id_str":"1179790868309368834"}]}`)[0]
	if e.Extra["postId"] != "1179790868309368834" {
		t.Errorf("%v", e.Extra["postId"])
	}
}

func TestParseTimes(t *testing.T) {
	t.Parallel()
	for post, want := range map[string]string{
		`"timestamp_ms":"1772357400123"`:                                   "2026-03-01T09:30:00.123Z",
		`"timestamp_ms":1772357400123`:                                     "2026-03-01T09:30:00.123Z",
		`"timestamp_ms":"x","created_at":"Sun Mar 01 09:30:00 +0530 2026"`: "2026-03-01T04:00:00Z",
		`"timestamp_ms":0,"created_at":"2026-03-01T09:30:00.000Z"`:         "2026-03-01T09:30:00Z",
		`"created_at":"yesterday","id_str":"1212092628029698048"`:          "2019-12-31T19:26:16.771Z",
		`"id":1212092628029698048`:                                         "2019-12-31T19:26:16.771Z",
		`"id_str":"20"`:                                                    "", // from before ids held the time
		`"id_str":"99999999999999999999"`:                                  "",
		`"id_str":"abc"`:                                                   "",
		`"timestamp_ms":"9223372036854775807"`:                             "",
		`"timestamp_ms":"-1"`:                                              "",
		`"created_at":"Fri Dec 31 23:59:59 -2300 9999"`:                    "",
	} {
		e := parse(t, `{"tweet_create_events":[{`+post+`}]}`)[0]
		got := ""
		if !e.Timestamp.IsZero() {
			got = e.Timestamp.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", post, got, want)
		}
	}
	// A deletion's id says when the post was made.
	if e := parse(t, `{"tweet_delete_events":[{"status":{"id":"1212092628029698048"}}]}`)[0]; !e.Timestamp.IsZero() {
		t.Errorf("deleted at %v", e.Timestamp)
	}
}

// A command in a post that somebody only passed on is not theirs.
func TestRetweetIsNotTheRetweetersWord(t *testing.T) {
	t.Parallel()
	e := parse(t, `{"tweet_create_events":[{"text":"RT @octo_bob: deploy","user":{"screen_name":"octo_ann"},
		"retweeted_status":{"text":"deploy it all","user":{"screen_name":"octo_bob"}}}]}`)[0]
	if e.Body != "deploy it all" || e.Author != "octo_bob" || e.Sender != "octo_ann" || e.Extra["kind"] != kindRetweet {
		t.Errorf("%+v", e)
	}
	e = parse(t, `{"data":{"event_type":"post.create","payload":{"text":"RT @octo_bob: deploy","author_id":"7",
		"referenced_tweets":[{"type":"retweeted","id":"8"}]}}}`)[0]
	if e.Author != "" || e.Sender != "7" {
		t.Errorf("whose words they are is not known: %+v", e)
	}
}

func TestEntitiesAreUndoneOnce(t *testing.T) {
	t.Parallel()
	e := parse(t, `{"tweet_create_events":[{"text":"&lt;b&gt; &amp; &amp;lt; &quot; &"}]}`)[0]
	if e.Body != `<b> & &lt; &quot; &` {
		t.Errorf("%s", e.Body)
	}
}

// Without a part of its key an event has none: a shorter one would swallow
// other events.
func TestNoKeyWithoutItsParts(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"tweet_create_events":[{"id_str":"1"}]}`,
		`{"for_user_id":"1","tweet_create_events":[{}]}`,
		`{"for_user_id":"1","follow_events":[{"type":"follow","source":{"id":"1"},"target":{"id":"2"}}]}`,
		`{"for_user_id":"1","favorite_events":[{"user":{"id":"1"}}]}`,
		`{"for_user_id":"1","direct_message_indicate_typing_events":[{"sender_id":"1"}]}`,
		`{"user_event":{"revoke":{"source":{"user_id":"1"}}}}`,
		`{"data":{"event_type":"follow.follow","filter":{"user_id":"1"}}}`,
		`{"data":{"text":"Hello."},"matching_rules":[{"id":"1"}]}`,
	} {
		if e := parse(t, body)[0]; e.DeliveryID != "" {
			t.Errorf("%s: %q", body, e.DeliveryID)
		}
	}
}

// Two users hear of one post, and each is an event; two subscriptions of one
// user to it are not.
func TestKeys(t *testing.T) {
	t.Parallel()
	const activity = `{"data":{"event_uuid":"%s","event_type":"post.mention.create","filter":{"user_id":"%s"},"payload":{"id":"9"}}}`
	first, again := parse(t, fmt.Sprintf(activity, "1", "7"))[0], parse(t, fmt.Sprintf(activity, "2", "7"))[0]
	other := parse(t, fmt.Sprintf(activity, "3", "8"))[0]
	if first.DeliveryID != again.DeliveryID || first.DeliveryID == other.DeliveryID {
		t.Errorf("%q, %q, %q", first.DeliveryID, again.DeliveryID, other.DeliveryID)
	}
	const old = `{"for_user_id":"%s","tweet_create_events":[{"id_str":"9"}]}`
	if a, b := parse(t, fmt.Sprintf(old, "7"))[0], parse(t, fmt.Sprintf(old, "8"))[0]; a.DeliveryID == b.DeliveryID {
		t.Errorf("%q twice", a.DeliveryID)
	}
	// Rules in another order are the same delivery again.
	const post = `{"data":{"id":"9"},"matching_rules":[{"id":"%s"},{"id":"%s"}]}`
	if a, b := parse(t, fmt.Sprintf(post, "1", "2"))[0], parse(t, fmt.Sprintf(post, "2", "1"))[0]; a.DeliveryID != b.DeliveryID {
		t.Errorf("%q, %q", a.DeliveryID, b.DeliveryID)
	}
}

// Whatever arrives is events, a quiet delivery or unparseable, and what is
// taken for JSON is JSON for others, too.
func FuzzParse(f *testing.F) {
	for _, c := range cases(f) {
		f.Add(c.Request.Body)
	}
	f.Add([]byte(`{"a_event":{},"b_events":[{}],"data":[]}`))
	p := New("test")
	f.Fuzz(func(t *testing.T, body []byte) {
		req := delivery(body)
		events, err := p.Parse(t.Context(), req)
		reply, challengeErr := p.Challenge(t.Context(), req, nil)
		if challengeErr != nil || (reply != nil) != (err == nil && len(events) == 0) {
			t.Fatalf("%d events and %v, but reply %+v and %v", len(events), err, reply, challengeErr)
		}
		if err != nil {
			if !errors.Is(err, sdk.ErrUnparseable) || events != nil {
				t.Fatalf("%v, %v", events, err)
			}
			return
		}
		if !json.Valid(body) || !utf8.Valid(body) {
			t.Fatal("took what is not JSON")
		}
		for _, e := range events {
			if e.Name == "" || e.Taken == nil || e.Ignored == nil {
				t.Fatalf("%+v", e)
			}
			if _, err := json.Marshal(e); err != nil { // its time, its extras
				t.Fatal(err)
			}
			for name, values := range e.Attributes {
				if len(values) == 0 || slices.Contains(values, "") {
					t.Fatalf("attribute %s = %q", name, values)
				}
			}
		}
	})
}

func parse(t testing.TB, body string) []sdk.Event {
	t.Helper()
	events, err := New("test").Parse(t.Context(), delivery([]byte(body)))
	if err != nil || len(events) == 0 {
		t.Fatalf("Parse(%s) = %v, %v", body, events, err)
	}
	return events
}
