// Package sdk is what the author of a provider needs: the [Provider] interface,
// the types that cross it, helpers for the signature schemes vendors use, and
// [Serve], which is all of a provider's main function.
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
