package provider

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// slashCommand is the name of the one event for which Slack has none.
const slashCommand = "slash_command"

// command reads the fields of a slash command.
func command(req sdk.Request, f form) sdk.Event {
	e := sdk.Event{
		DeliveryID: deliveryID(f["trigger_id"], req),
		Name:       slashCommand,
		Action:     f["command"],
		Body:       f["text"],
		Sender:     f["user_id"],
		Timestamp:  requestTime(req),
		Taken:      empty(),
		Ignored:    empty(),
		Attributes: attributes{}.
			with("event", slashCommand).
			with("command", f["command"]).
			with("channel", f["channel_id"]).
			with("team", f["team_id"]).
			with("user", f["user_id"]).
			with("from", fromPerson),
	}
	x := extra{}
	x.text("channel", f["channel_id"])
	x.text("channelName", f["channel_name"]) // directmessage, privategroup: not always a name
	x.text("userName", f["user_name"])
	x.text("team", f["team_id"])
	x.text("teamDomain", f["team_domain"])
	x.text("enterprise", f["enterprise_id"])
	x.text("app", f["api_app_id"])
	x.flag("orgInstall", f["is_enterprise_install"] == "true") // a boolean everywhere else
	x.text("responseUrl", f["response_url"])
	x.text("triggerId", f["trigger_id"])
	e.Extra = x.all(&e)
	return e
}

// interaction reads what comes when a person uses what the app has shown.
func (p *Provider) interaction(req sdk.Request, payload string) ([]sdk.Event, error) {
	var i interaction
	if err := p.decoder.read([]byte(payload), &i); err != nil {
		return nil, err
	}
	if i.Type == "" {
		return nil, sdk.Unparseable("the payload has no type")
	}
	return []sdk.Event{i.event(req)}, nil
}

func (i *interaction) event(req sdk.Request) sdk.Event {
	channel := cmp.Or(i.Channel.ID, i.Container.ChannelID)
	thread := cmp.Or(i.Container.ThreadTS, i.Message.ThreadTS)
	ts := cmp.Or(i.Message.TS, i.MessageTS, i.Container.MessageTS)
	names := i.actions()
	reply := i.reply()
	e := sdk.Event{
		DeliveryID: deliveryID(i.TriggerID, req),
		Name:       i.Type,
		Title:      i.View.Title.Text,
		Body:       firstText(&i.Message, &i.Original),
		URL:        i.permalink(channel, ts),
		Author:     cmp.Or(i.Message.User.ID, i.Message.BotID),
		Sender:     i.User.ID,
		Timestamp:  cmp.Or(timeOf(i.actionTime()), requestTime(req)),
		Taken:      reply,
		Ignored:    reply,
	}
	if len(names) > 0 {
		e.Action = names[0]
	}
	a := attributes{}.
		with("event", i.Type).
		with("action", names...).
		with("channel", channel).
		with("team", i.teams()...).
		with("user", i.User.ID).
		with("from", fromPerson)
	if ts != "" {
		a.with("in_thread", yesNo(thread != "" && thread != ts))
	}
	e.Attributes = a

	x := extra{}
	x.text("channel", channel)
	x.text("channelName", i.Channel.Name)
	x.text("ts", ts)
	x.text("thread", thread)
	x.flag("ephemeral", i.Container.IsEphemeral)
	x.text("userName", cmp.Or(i.User.Username, i.User.Name))
	x.text("team", cmp.Or(i.View.InstalledTeamID, i.Team.ID, i.User.TeamID))
	x.text("teamDomain", i.Team.Domain)
	x.text("enterprise", cmp.Or(i.Enterprise.ID, i.Team.EnterpriseID))
	x.text("app", i.AppID)
	x.flag("orgInstall", i.OrgInstall)
	i.more(x)
	e.Extra = x.all(&e)
	return e
}

// actions are the names that the app gave to what was used, the one that counts
// first.
func (i *interaction) actions() []string {
	var names []string
	for _, a := range i.Actions {
		names = appendText(names, a.ActionID)
	}
	for _, name := range []string{i.ActionID, i.View.CallbackID, i.CallbackID, i.Name} {
		names = appendText(names, name)
	}
	for _, a := range i.Actions {
		names = appendText(names, a.Name)
	}
	return names
}

// teams are those of the installation. The person's own is the last resort: in
// a shared channel it is another company's.
func (i *interaction) teams() []string {
	if i.Team.ID == "" && i.View.InstalledTeamID == "" {
		return []string{i.User.TeamID}
	}
	return []string{i.Team.ID, i.View.InstalledTeamID}
}

// reply is the same whether an agent takes it or not. A select that asks for
// options can not be answered later; everything else wants no body.
func (i *interaction) reply() *sdk.Reply {
	switch i.Type {
	case "block_suggestion", "dialog_suggestion":
		return jsonReply([]byte(`{"options":[]}`))
	default:
		return empty()
	}
}

func (i *interaction) actionTime() string {
	if i.ActionTS == "" && len(i.Actions) > 0 {
		return i.Actions[0].ActionTS
	}
	return i.ActionTS
}

// permalink makes the address of a message, which only needs the workspace's
// name. One that only one person sees has none.
func (i *interaction) permalink(channel, ts string) string {
	number := strings.Replace(ts, ".", "", 1)
	if channel == "" || number == "" || i.Container.IsEphemeral || i.Team.Domain == "" {
		return ""
	}
	if !isWord(i.Team.Domain) || !isWord(channel) || strings.Trim(number, "0123456789") != "" {
		return ""
	}
	return "https://" + i.Team.Domain + ".slack.com/archives/" + channel + "/p" + number
}

// isWord keeps what is no part of a name out of addresses.
func isWord(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}

// more has what a person put in, and what an agent can answer with.
func (i *interaction) more(x extra) {
	var used []any
	for _, a := range i.Actions {
		one := extra{}
		one.text("actionId", a.ActionID)
		one.text("name", a.Name)
		one.text("blockId", a.BlockID)
		one.text("type", a.Type)
		one.set("value", a.held())
		if len(one) > 0 {
			used = append(used, map[string]any(one))
		}
	}
	if len(used) > 0 {
		x["actions"] = used
	}
	if i.ActionID != "" || i.Name != "" { // of a suggestion: what was typed so far
		x.text("value", i.Value)
	}
	x.text("blockId", i.BlockID)
	x.values(i.State)
	x.values(i.View.State)
	if len(i.Submission) > 0 {
		submission := extra{}
		for name, value := range i.Submission {
			submission.text(name, value)
		}
		x["submission"] = map[string]any(submission)
	}
	x.text("state", i.State.Text)
	x.text("view", i.View.ID)
	x.text("viewType", i.View.Type)
	x.text("privateMetadata", i.View.PrivateMetadata)
	x.files(i.Message.Files)

	x.text("responseUrl", i.ResponseURL)
	var urls []string
	for _, u := range i.ResponseURLs {
		urls = append(urls, u.URL)
	}
	x.texts("responseUrls", urls)
	x.text("triggerId", i.TriggerID)
}

// held returns what an input holds: a text, several, or nothing.
func (in *input) held() any {
	for _, text := range []string{in.Value, in.Option.Value, in.User, in.Channel, in.Conversation, in.Date, in.Time} {
		if text != "" {
			return sdk.Truncate(text)
		}
	}
	if in.DateTime != 0 {
		return json.Number(number(in.DateTime))
	}
	var options []string
	for _, o := range in.Options {
		options = append(options, o.Value)
	}
	var files []string
	for _, f := range in.Files {
		files = append(files, f.ID)
	}
	for _, list := range [][]string{options, in.Users, in.Channels, in.Conversations, files} {
		if values := anyOf(list); values != nil {
			return values
		}
	}
	if text := gather(in.RichText); text != "" {
		return text
	}
	return nil
}

// bodyID stands in for the id that some interactions lack. Nobody presses the
// same button twice with the same bytes: they hold a time, or the view's hash.
func bodyID(req sdk.Request) string { return hashed(req.Body) }

// deliveryID is a hash, since lists show it: who has a trigger id can open a
// form in the app's name.
func deliveryID(trigger string, req sdk.Request) string {
	if trigger == "" {
		return bodyID(req)
	}
	return hashed([]byte("trigger " + trigger))
}

func hashed(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// requestTime is when Slack sent the request, where the payload has no time.
// The header is kept with a receipt, so that a replay has the same.
func requestTime(req sdk.Request) time.Time {
	if at, err := sdk.SignedHeader(req.Header, timestampHeader); err == nil {
		if t := timeOf(at); !t.IsZero() {
			return t
		}
	}
	return req.ReceivedAt.UTC().Truncate(time.Second)
}
