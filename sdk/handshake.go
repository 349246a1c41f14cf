package sdk

import (
	"strings"

	"github.com/hashicorp/go-plugin"
)

const (
	// ProtocolVersion is the version of actionllama.provider.v1 in go-plugin's
	// negotiation.
	ProtocolVersion = 1
	// BinaryPrefix begins the file name of every provider; its type follows.
	BinaryPrefix = "al-provider-"
	// PluginName is the name under which go-plugin dispenses a provider.
	PluginName = "provider"

	// MaxBodyEnv tells a provider how large a body the host may hand it, in
	// bytes. Its gRPC limits follow.
	MaxBodyEnv = "AL_PROVIDER_MAX_BODY_BYTES"
	// HostPIDEnv tells a provider the process that it must not outlive.
	HostPIDEnv = "AL_PROVIDER_HOST_PID"

	// DefaultMaxBody is the limit when MaxBodyEnv is not set: 32 MiB, as in
	// the host's configuration. GitHub sends up to 25 MiB.
	DefaultMaxBody = 32 << 20
	// MessageOverhead is what a gRPC message may be larger than the body in
	// it: headers, secrets and framing.
	MessageOverhead = 2 << 20
)

// Handshake is go-plugin's handshake for providers. The cookie keeps people
// from running a provider by hand; it is not a secret.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{
		ProtocolVersion:  ProtocolVersion,
		MagicCookieKey:   "AL_PROVIDER_PLUGIN",
		MagicCookieValue: "actionllama.provider",
	}
}

// TypeOfBinary returns the provider type that a file name stands for.
func TypeOfBinary(name string) (string, bool) {
	typ, ok := strings.CutPrefix(name, BinaryPrefix)
	return typ, ok && typ != ""
}
