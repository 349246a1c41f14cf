package provider

import (
	"context"
	"crypto/ed25519"
	"embed"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

//go:embed samples/*.json
var sampleFiles embed.FS

const (
	// testKeyField is the private half of a key pair of the operator's own, with
	// which samples are signed. Discord's never leaves Discord.
	testKeyField = "test_private_key"
	// testKeyPrefix tells it from a public key, which is as long.
	testKeyPrefix = "ed25519:"
)

// Samples lists what people start agents with.
func (p *Provider) Samples() []sdk.Sample {
	return []sdk.Sample{
		{Name: applicationCommand, Help: "Somebody uses the command /ask in a server."},
		{Name: "message_component", Help: "Somebody presses a button below a message."},
		{Name: "modal_submit", Help: "Somebody sends off a form."},
		{Name: "APPLICATION_AUTHORIZED", Help: "Somebody adds the app to a server."},
	}
}

// Sample makes a request as Discord sends it.
func (p *Provider) Sample(_ context.Context, ask sdk.SampleAsk) (sdk.Request, error) {
	body, err := ask.Text(sampleFiles)
	if err != nil {
		return sdk.Request{}, err
	}
	if ask.Body == nil {
		id := sampleSnowflake(ask)
		body = []byte(strings.NewReplacer("{{snowflake}}", id, "{{micros}}", id[len(id)-6:]).Replace(string(body)))
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "Discord-Interactions/1.0 (+https://discord.com)")
	if ask.Secret != nil {
		key, err := ownKey(ask.Secret)
		if err != nil {
			return sdk.Request{}, err
		}
		at := ask.Fill("{{unix}}")
		h.Set(timestampHeader, at)
		h.Set(signatureHeader, hex.EncodeToString(ed25519.Sign(key, append([]byte(at), body...))))
	}
	return sdk.Request{Method: http.MethodPost, Header: h, Body: body, ReceivedAt: ask.SentAt}, nil
}

// ownKey returns the key that samples are signed with.
func ownKey(secret *sdk.Secret) (ed25519.PrivateKey, error) {
	text := secret.Fields[testKeyField]
	if text == "" {
		return nil, fmt.Errorf("%w: only Discord can sign for an application's public key; "+
			"for tests store a key pair of your own, its private half as the field %s", sdk.ErrCredential, testKeyField)
	}
	digits, ok := strings.CutPrefix(text, testKeyPrefix)
	seed, err := hex.DecodeString(digits)
	if !ok || err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%w: the field %s is not %s and %d hex digits", sdk.ErrCredential, testKeyField, testKeyPrefix, 2*ed25519.SeedSize)
	}
	key := ed25519.NewKeyFromSeed(seed)
	if public := hex.EncodeToString(key[ed25519.SeedSize:]); !strings.EqualFold(public, secret.Fields[keyField]) {
		return nil, fmt.Errorf("%w: the fields %s and %s are not of one key pair", sdk.ErrCredential, testKeyField, keyField)
	}
	return key, nil
}

// sampleSnowflake is an id of Discord's: its upper bits are the time.
func sampleSnowflake(ask sdk.SampleAsk) string {
	const low = 22 // bits, for worker and sequence
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(ask.Unique))
	return strconv.FormatInt((ask.SentAt.UnixMilli()-snowflakeEpoch)<<low|int64(sum.Sum32()>>(32-low)), 10)
}
