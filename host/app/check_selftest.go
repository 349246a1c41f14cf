package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/action-llama/gateway/host/ingest"
	"github.com/action-llama/gateway/sdk"
)

// wrongSignature is nobody's. It is no hex and no base64, and has no prefix.
const wrongSignature = "al-doctor: not a signature"

const wrongBody = `{"al-doctor":"a request that nobody signed"}`

// wronglySigned has every header by which a vendor signs.
func wronglySigned(signatureHeaders []string) http.Header {
	h := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"al-doctor"}}
	for _, name := range signatureHeaders {
		h.Set(name, wrongSignature)
	}
	return h
}

// selfTest has a provider refuse a delivery that carries a wrong signature, with
// the secrets that it would judge real ones by.
func selfTest(ctx context.Context, route *ingest.Route) error {
	headers := route.SignatureHeaders()
	if len(headers) == 0 {
		return nil // it verifies nothing, and does not claim to
	}
	var secrets []sdk.Secret
	var names []string
	unsigned := false
	for _, source := range route.Sources {
		secrets = append(secrets, source.Secrets...)
		names = append(names, source.Name)
		unsigned = unsigned || source.Unsigned
	}
	_, err := sdk.Deliver(ctx, route.Provider, sdk.Request{
		Method: http.MethodPost, Path: "/webhooks/" + route.Descriptor.Type, Header: wronglySigned(headers),
		Body: []byte(wrongBody), ReceivedAt: time.Now(), Sources: route.SourcesNamed(names),
	}, secrets, sdk.DeliverOptions{AllowUnsigned: unsigned})
	switch {
	case errors.Is(err, sdk.ErrBadSignature):
		return nil
	case err == nil:
		return errors.New("it took a delivery with a wrong signature; do not use this build of it")
	case errors.Is(err, sdk.ErrCredential):
		return fmt.Errorf("its credential can not be used: %w; store it again with al creds add", err)
	default:
		return fmt.Errorf("it failed on a delivery with a wrong signature: %w", err)
	}
}

func checksum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
