package provider

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// Discord hands out a key that verifies and none that signs. Whoever tries to
// sign with it is told what to do.
func TestSamplesNeedAKeyPairOfOnesOwn(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fields map[string]string
		want   string
	}{
		"Discord's":          {map[string]string{keyField: public(testKey)}, "store a key pair of your own"},
		"a public key":       {map[string]string{keyField: public(testKey), testKeyField: public(testKey)}, "is not ed25519: and 64 hex digits"},
		"too short":          {map[string]string{keyField: public(testKey), testKeyField: testKeyPrefix + "00"}, "is not ed25519: and 64 hex digits"},
		"of another pair":    {map[string]string{keyField: public(otherKey), testKeyField: testKeyPrefix + hex.EncodeToString(testKey.Seed())}, "not of one key pair"},
		"without its public": {map[string]string{testKeyField: testKeyPrefix + hex.EncodeToString(testKey.Seed())}, "not of one key pair"},
	} {
		_, err := New("test").Sample(t.Context(), sdk.SampleAsk{
			Name: applicationCommand, Secret: &sdk.Secret{Fields: tt.fields}, SentAt: time.Unix(1772357400, 0), Unique: "one",
		})
		if !errors.Is(err, sdk.ErrCredential) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v; want %q", name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), hex.EncodeToString(testKey.Seed())) {
			t.Errorf("%s: the key is in the error", name)
		}
	}
}
