// Command al-provider-hmac is the provider for senders that nobody has written
// one for: the settings of a source say how it signs and where in the body what
// is.
package main

import (
	"github.com/action-llama/gateway/plugins/hmac/provider"
	"github.com/action-llama/gateway/sdk"
)

// version is stamped by the build.
var version = "dev"

func main() { sdk.Serve(provider.New(version)) }
