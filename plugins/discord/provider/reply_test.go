package provider

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// Type 1 is a ping in one family and an event in the other. Either answer to
// the other breaks the endpoint.
func TestFamiliesAreToldApart(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		pingBody:                  `200 {"type":1}`,
		`{"type":1}`:              `200 {"type":1}`,
		"{\n\"type\" : 1\n}\n":    `200 {"type":1}`,
		`{"type":0}`:              `204 `,
		`{"type":0,"event":null}`: `204 `,
		eventBody:                 `event 204 204`,
		`{"type":2,"id":"1","token":"t","data":{"name":"a"},"event":{"type":"X"}}`: `event 200 200`,
	} {
		d, err := sdk.Deliver(t.Context(), New("test"), signed([]byte(body)), secretsOf(public(testKey)), sdk.DeliverOptions{})
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		got := ""
		if d.Reply != nil {
			got = fmt.Sprintf("%d %s", d.Reply.Status, d.Reply.Body)
			if d.Reply.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: header %v", body, d.Reply.Header)
			}
			// On replay a ping starts nothing either.
			if events, err := New("test").Parse(t.Context(), signed([]byte(body))); err != nil || len(events) != 0 {
				t.Errorf("%s: Parse = %v, %v", body, events, err)
			}
		}
		for _, e := range d.Events {
			got += fmt.Sprintf("event %d %d", e.Taken.Status, e.Ignored.Status)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

// The answers that Discord's documentation allows for each kind of interaction.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const nobody = `{"type":4,"data":{"content":"No agent handles this here.","flags":64}}`
	for fixture, want := range map[string][2]string{
		"application_command.slash":          {`{"type":5}`, nobody},
		"application_command.user-menu":      {`{"type":5}`, nobody},
		"application_command.message-menu":   {`{"type":5}`, nobody},
		"application_command.direct-message": {`{"type":5}`, nobody},
		"application_command.entry-point":    {`{"type":12}`, `{"type":12}`},
		"message_component.button":           {`{"type":6}`, `{"type":6}`},
		"message_component.string-select":    {`{"type":6}`, `{"type":6}`},
		"autocomplete.slash":                 {`{"type":8,"data":{"choices":[]}}`, `{"type":8,"data":{"choices":[]}}`},
		"modal_submit.from-command":          {`{"type":5}`, nobody},
		"modal_submit.from-component":        {`{"type":6}`, `{"type":6}`},
		"interaction_6.unknown":              {`{"type":4,"data":{"content":"Received.","flags":64}}`, nobody},
	} {
		e := eventsOf(t, caseNamed(t, fixture))[0]
		if got := [2]string{string(e.Taken.Body), string(e.Ignored.Body)}; got != want {
			t.Errorf("%s: %q, want %q", fixture, got, want)
		}
		// What the agent is told is what Discord was told.
		var sent struct {
			Type int
			Data struct{ Flags int }
		}
		if err := json.Unmarshal(e.Taken.Body, &sent); err != nil {
			t.Fatal(err)
		}
		deferral := in(e.Extra, "interaction", "deferral")
		if isFinal := sent.Type == 8 || sent.Type == 4; isFinal && deferral != nil || !isFinal && deferral != json.Number(fmt.Sprint(sent.Type)) {
			t.Errorf("%s: deferral %v, sent %d", fixture, deferral, sent.Type)
		}
		if ephemeral := in(e.Extra, "interaction", "ephemeral"); ephemeral != (sent.Data.Flags == 64) {
			t.Errorf("%s: ephemeral %v, sent flags %d", fixture, ephemeral, sent.Data.Flags)
		}
	}
}

// The token reaches the agent under a sensitive name and shows nowhere else.
func TestTokenIsWhereItIsMaskedAndNowhereElse(t *testing.T) {
	t.Parallel()
	for _, c := range cases(t) {
		for _, e := range eventsOf(t, c) {
			var body struct{ Token string }
			if err := json.Unmarshal(c.Request.Body, &body); err != nil {
				t.Fatal(err)
			}
			if len(body.Token) < 8 { // a webhook event, or too short to look for
				continue
			}
			answering, ok := e.Extra["interaction"].(map[string]any)
			if !ok || answering["token"] != body.Token {
				t.Errorf("%s: the token is missing", c.Name)
			}
			for _, path := range e.Sensitive {
				name, ok := strings.CutPrefix(path, "interaction.")
				if _, there := answering[name]; !ok || !there {
					t.Errorf("%s: nothing is at %s", c.Name, path)
				}
				delete(answering, name)
			}
			rest, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(rest, []byte(body.Token)) {
				t.Errorf("%s: the token is elsewhere, too: %s", c.Name, rest)
			}
		}
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	const id = "1477598773248000001" // of 09:30
	at := func(clock string) time.Time {
		v, err := time.Parse(time.RFC3339, "2026-03-01T"+clock+"Z")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, tt := range map[string]struct {
		id       string
		received time.Time
		expires  any
		expired  any
	}{
		"at once":              {id, at("09:30:01"), "2026-03-01T09:45:00Z", nil},
		"our clock is behind":  {id, at("09:29:00"), "2026-03-01T09:44:00Z", nil},
		"at the last moment":   {id, at("09:45:00"), "2026-03-01T09:45:00Z", nil},
		"replayed a day later": {id, at("09:30:00").AddDate(0, 0, 1), "2026-03-01T09:45:00Z", true},
		"not an id":            {"abc", at("09:30:00"), "2026-03-01T09:45:00Z", nil},
		"arrival unknown":      {id, time.Time{}, "2026-03-01T09:45:00Z", nil},
		"neither is known":     {"abc", time.Time{}, nil, nil},
		"an id beyond 64 bits": {"99999999999999999999", at("09:30:00"), "2026-03-01T09:45:00Z", nil},
		"the largest id":       {"18446744073709551615", at("09:30:00"), "2026-03-01T09:45:00Z", nil},
	} {
		req := delivery([]byte(`{"type":3,"id":"` + tt.id + `","token":"t","data":{"custom_id":"x"}}`))
		req.ReceivedAt = tt.received
		events, err := New("test").Parse(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		expires, expired := in(events[0].Extra, "interaction", "expiresAt"), in(events[0].Extra, "interaction", "expired")
		if expires != tt.expires || expired != tt.expired {
			t.Errorf("%s: expires %v, expired %v; want %v, %v", name, expires, expired, tt.expires, tt.expired)
		}
	}
}
