package main

import (
	"flag"
	"testing"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

var update = flag.Bool("update", false, "rewrite the expectations in cases, and their signatures")

// The kit delivers each case in process, over gRPC and to the built binary, and
// tries on the provider what strangers would.
func TestProvider(t *testing.T) {
	providertest.Run(t, providertest.Options{
		New:           func() sdk.Provider { return provider{version: "test"} },
		Package:       ".",
		Cases:         "cases",
		Update:        *update,
		Sign:          sign,
		Events:        []string{"invoice.paid", "customer.subscription.updated"},
		Tolerance:     tolerance,
		AlwaysPresent: map[string]string{"mode": "livemode is false where it is missing"},
		Short:         testing.Short(),
	})
}

// sign signs a request as Stripe does.
func sign(req *sdk.Request, secret map[string]string) {
	req.Header.Set(signatureHeader, sdk.SignTimestampedHMAC(secret["secret"], req.ReceivedAt, req.Body))
}
