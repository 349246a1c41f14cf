package provider

import (
	"context"
	"embed"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/action-llama/gateway/sdk"
)

//go:embed samples/*.json
var sampleFiles embed.FS

// Samples lists what people start agents with, by the API that tells of it.
func (p *Provider) Samples() []sdk.Sample {
	return []sdk.Sample{
		{Name: "post.mention.create", Help: "Somebody mentions the account; Activity API."},
		{Name: "dm.received", Help: "Somebody writes to the account; Activity API."},
		{Name: "follow.follow", Help: "Somebody follows the account; Activity API."},
		{Name: "tweet_create_events", Help: "Somebody mentions the account; Account Activity API."},
	}
}

// Sample makes a delivery as X sends it.
func (p *Provider) Sample(_ context.Context, ask sdk.SampleAsk) (sdk.Request, error) {
	body, err := ask.Text(sampleFiles)
	if err != nil {
		return sdk.Request{}, err
	}
	if ask.Body == nil {
		body = []byte(strings.NewReplacer(
			"{{snowflake}}", sampleSnowflake(ask),
			"{{ctime}}", ask.SentAt.UTC().Format(time.RubyDate),
		).Replace(string(body)))
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	if ask.Secret != nil {
		key := ask.Secret.Fields[secretField]
		if key == "" {
			return sdk.Request{}, fmt.Errorf("%w: the field %q is empty", sdk.ErrCredential, secretField)
		}
		h.Set(signatureHeader, sign(key, body))
	}
	return sdk.Request{Method: http.MethodPost, Header: h, Body: body, ReceivedAt: ask.SentAt}, nil
}

// sampleSnowflake is an id of X's: its upper bits are the time.
func sampleSnowflake(ask sdk.SampleAsk) string {
	const low = 22 // bits, for worker and sequence
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(ask.Unique))
	return strconv.FormatInt((ask.SentAt.UnixMilli()-snowflakeEpoch)<<low|int64(hash.Sum32()>>(32-low)), 10)
}
