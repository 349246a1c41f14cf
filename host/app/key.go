package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The key of the local API is a credential like any other.
const (
	keyType  = "gateway_api_key"
	keyField = "key"
)

func keyFile(credentials string) string {
	return filepath.Join(credentials, keyType, "default", keyField)
}

// APIKey reads the key of the local API. It is empty before the first start.
func APIKey(credentials string) (string, error) {
	raw, err := os.ReadFile(keyFile(credentials))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the API key: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// ensureAPIKey returns the key, and makes one the first time.
func ensureAPIKey(credentials string) (string, error) {
	key, err := APIKey(credentials)
	if err != nil || key != "" {
		return key, err
	}
	key = RandomSecret()
	if err := WriteCredential(credentials, keyType, "default", map[string]string{keyField: key}); err != nil {
		return "", fmt.Errorf("keep the API key: %w", err)
	}
	return key, nil
}

// RandomSecret returns a secret that nobody guesses: 130 bits, in letters and
// digits that survive any form they are pasted into.
func RandomSecret() string { return rand.Text() }

// WriteCredential stores a credential, each field whole or not at all, readable
// by its owner alone.
func WriteCredential(credentials, typ, instance string, fields map[string]string) error {
	dir := filepath.Join(credentials, typ, instance)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, value := range fields {
		tmp, err := os.CreateTemp(dir, ".new-*") // 0600
		if err != nil {
			return err
		}
		_, err = tmp.WriteString(value)
		if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
			err = os.Rename(tmp.Name(), filepath.Join(dir, name))
		}
		if err != nil {
			return errors.Join(err, os.Remove(tmp.Name()))
		}
	}
	return nil
}
