package ingest

import (
	"encoding/json"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// webhookContext is the JSON that an agent sees. Its names are a contract with
// every agent's prompt. Absent fields are omitted.
type webhookContext struct {
	Source     string         `json:"source"`
	Provider   string         `json:"provider"`
	Event      string         `json:"event"`
	Action     string         `json:"action,omitempty"`
	Repo       string         `json:"repo,omitempty"`
	Number     int64          `json:"number,omitempty"`
	Title      string         `json:"title,omitempty"`
	Body       string         `json:"body,omitempty"`
	URL        string         `json:"url,omitempty"`
	Author     string         `json:"author,omitempty"`
	Assignee   string         `json:"assignee,omitempty"`
	Labels     []string       `json:"labels,omitempty"`
	Branch     string         `json:"branch,omitempty"`
	Conclusion string         `json:"conclusion,omitempty"`
	Comment    string         `json:"comment,omitempty"`
	Sender     string         `json:"sender,omitempty"`
	Timestamp  string         `json:"timestamp,omitempty"`
	DeliveryID string         `json:"deliveryId,omitempty"`
	ReceiptID  string         `json:"receiptId"`
	Extra      map[string]any `json:"extra,omitempty"`
}

// ContextJSON builds the context of an event. Where it came from is what the
// route and the signature proved, never what the payload says.
func ContextJSON(e sdk.Event, provider, source, receipt string) ([]byte, error) {
	c := webhookContext{
		Source:     source,
		Provider:   provider,
		Event:      e.Name,
		Action:     e.Action,
		Repo:       e.Repo,
		Number:     e.Number,
		Title:      sdk.Truncate(e.Title),
		Body:       sdk.Truncate(e.Body),
		URL:        e.URL,
		Author:     e.Author,
		Assignee:   e.Assignee,
		Labels:     e.Labels,
		Branch:     e.Branch,
		Conclusion: e.Conclusion,
		Comment:    sdk.Truncate(e.Comment),
		Sender:     e.Sender,
		DeliveryID: e.DeliveryID,
		ReceiptID:  receipt,
		Extra:      e.Extra,
	}
	if !e.Timestamp.IsZero() {
		c.Timestamp = e.Timestamp.UTC().Format(time.RFC3339)
	}
	return json.Marshal(c)
}
