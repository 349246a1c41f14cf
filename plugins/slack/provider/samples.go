package provider

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/action-llama/gateway/sdk"
)

//go:embed samples/*.json
var sampleFiles embed.FS

const formType = "application/x-www-form-urlencoded"

// Samples lists what people start agents with.
func (p *Provider) Samples() []sdk.Sample {
	return []sdk.Sample{
		{Name: "app_mention", Help: "Somebody mentions the app in a channel."},
		{Name: "message", Help: "Somebody writes in a channel."},
		{Name: "reaction_added", Help: "Somebody reacts to a message with :eyes:."},
		{Name: "slash_command", Help: "Somebody types /deploy widgets to prod."},
		{Name: "block_actions", Help: "Somebody presses the button Approve."},
	}
}

// Sample makes a request as Slack sends it: an event in JSON, a command or an
// interaction as a form. A body that is given is a form unless it is an object.
func (p *Provider) Sample(_ context.Context, ask sdk.SampleAsk) (sdk.Request, error) {
	body, err := ask.Text(sampleFiles)
	if err != nil {
		return sdk.Request{}, err
	}
	contentType := "application/json"
	switch {
	case ask.Body != nil:
		if !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
			contentType = formType
		}
	case ask.Name == slashCommand:
		contentType = formType
		if body, err = formOf(body); err != nil {
			return sdk.Request{}, err
		}
	case ask.Name == "block_actions":
		contentType = formType
		body = []byte(url.Values{"payload": {string(body)}}.Encode())
	}

	at := ask.Fill("{{unix}}")
	signature, err := ask.SignHMACSHA256(secretField, "v0=", []byte("v0:"+at+":"), body)
	if err != nil {
		return sdk.Request{}, err
	}
	h := http.Header{}
	h.Set("Content-Type", contentType)
	h.Set("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
	if signature != "" {
		h.Set(timestampHeader, at)
		h.Set(signatureHeader, signature)
	}
	return sdk.Request{Method: http.MethodPost, Header: h, Body: body, ReceivedAt: ask.SentAt}, nil
}

// formOf writes an object of texts as a form.
func formOf(object []byte) ([]byte, error) {
	var fields map[string]string
	if err := json.Unmarshal(object, &fields); err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	form := url.Values{}
	for name, value := range fields {
		form.Set(name, value)
	}
	return []byte(form.Encode()), nil
}
