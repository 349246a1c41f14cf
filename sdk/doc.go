// Package sdk is what the author of a provider needs. This is a whole provider,
// of a door bell that signs what it sends:
//
//	// bell is a whole provider: a door bell that signs what it sends.
//	type bell struct{}
//
//	func (bell) Describe() sdk.Descriptor {
//		return sdk.Descriptor{
//			Type: "bell", Name: "Door bell", Version: "1.0.0",
//			Credential: sdk.Credential{Type: "bell_secret", Fields: []sdk.Field{
//				{Name: "secret", Label: "Secret", Secret: true, Generated: true},
//			}},
//			SignatureHeaders: []string{"X-Bell-Signature"},
//			DeliveryIDHeader: "X-Bell-Delivery",
//			Filters: []sdk.Filter{
//				{Name: "doors", Attribute: "door", Help: "which doors", Values: []string{"front", "back"}},
//			},
//		}
//	}
//
//	func (bell) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
//		signature, err := sdk.HexSignature(req.Header, "X-Bell-Signature", "sha256=")
//		if err != nil {
//			return nil, err
//		}
//		return sdk.VerifyHMACSHA256(secrets, "secret", signature, req.Body)
//	}
//
//	func (bell) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
//		var ring struct{ Door, Visitor string }
//		if err := json.Unmarshal(req.Body, &ring); err != nil {
//			return nil, sdk.Unparseable("body is not JSON")
//		}
//		return []sdk.Event{{
//			DeliveryID: req.Header.Get("X-Bell-Delivery"),
//			Name:       "ring",
//			Sender:     ring.Visitor,
//			Attributes: map[string][]string{"door": {ring.Door}},
//		}}, nil
//	}
//
//	func main() { sdk.Serve(bell{}) }
//
// `al plugin init` writes the module around it, with tests, and docs/writing-a-provider.md
// of the gateway goes through it step by step.
//
// The package has the [Provider] interface, the types that cross it, helpers for
// the signature schemes vendors use, and [Serve], which is all of a provider's
// main function.
//
// A provider is a binary named al-provider-<type>. The host starts it, asks it
// to [Provider.Describe] itself, and from then on hands it each request that
// arrives for its type. The provider says whose signature the request carries
// ([Provider.Verify]) and what happened ([Provider.Parse]); a vendor with a
// handshake (Discord's PING, Slack's url_verification, X's CRC) adds the
// optional [Challenger], and one that can make test deliveries is a [Sampler].
// What differs between the senders that one provider serves is a [Setting] of
// the source, and in [Request.Settings]. Hosts of before there were any leave it
// at the defaults.
// Everything else (HTTP, limits, deduplication, matching, queueing, running
// agents, metrics) is the host's.
//
// This package is not the wire format. That is the proto package
// actionllama.provider.v1, kept apart so that it can be spoken from any
// language; the host's end of it is in the package client.
package sdk
