package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/sdk"
)

// The key of the local API is a credential like any other.
const (
	keyType  = "gateway_api_key"
	keyField = "key"
)

// APIKey reads the key of the local API. It is empty before the first start.
func APIKey(c config.Credentials) (string, error) {
	fields, err := c.Read(keyType, config.DefaultInstance, []sdk.Field{{Name: keyField}})
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the API key: %w", err)
	}
	return fields[keyField], nil
}

// refreshAPIKey takes up a key that was replaced. One that can not be read leaves
// the one before.
func (a *App) refreshAPIKey() {
	if key, err := APIKey(a.credentials); err == nil && key != "" {
		a.key.Store(&key)
	}
}

func (a *App) apiKey() string {
	if key := a.key.Load(); key != nil {
		return *key
	}
	return ""
}

func apiKeyFiles(c config.Credentials) []string {
	return c.Paths(keyType, config.DefaultInstance, []sdk.Field{{Name: keyField}})
}

// ensureAPIKey returns the key, and makes one the first time.
func ensureAPIKey(c config.Credentials) (string, error) {
	key, err := APIKey(c)
	if err != nil || key != "" {
		return key, err
	}
	key = RandomSecret()
	if err := c.Write(keyType, config.DefaultInstance, map[string]string{keyField: key}); err != nil {
		return "", fmt.Errorf("keep the API key: %w", err)
	}
	return key, nil
}

// RandomSecret returns a secret that nobody guesses: 130 bits, in letters and
// digits that survive any form they are pasted into.
func RandomSecret() string { return rand.Text() }
