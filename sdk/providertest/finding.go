package providertest

import "fmt"

// Finding is one thing that is wrong with a provider, or with its cases.
type Finding struct {
	// Target is the way to the provider on which it showed: direct, grpc or
	// binary; empty when it shows in the cases alone.
	Target string
	// Case is the name of the case; empty when it is about the provider as a
	// whole.
	Case string
	// Check is a short constant name for what was checked.
	Check string
	// Message says what happened, and what to do about it.
	Message string
}

// String puts the parts of a finding into one line, or more if there is a
// difference to show.
func (f Finding) String() string {
	where := ""
	if f.Target != "" {
		where += f.Target + ": "
	}
	if f.Case != "" {
		where += f.Case + ": "
	}
	return fmt.Sprintf("%s%s: %s", where, f.Check, f.Message)
}

// The names of the checks.
const (
	checkCall        = "call"        // a call panicked, hung, or failed in a way that no host understands
	checkCase        = "case"        // the case does not become what want.json says
	checkConcurrency = "concurrency" // it does become something else with others at the same time
	checkRequest     = "request"     // the request was changed, or parts of it kept
	checkLeak        = "leak"        // a secret or a body in an error, an event or the log
	checkDescriptor  = "descriptor"
	checkFilters     = "filters"
	checkEvents      = "events"
	checkEvent       = "event" // an event that no filter or agent can use
	checkSignature   = "signature"
	checkSecrets     = "secrets"
	checkTimestamp   = "timestamp"
	checkBody        = "body" // a body that is not the one that was signed
	checkParse       = "parse"
	checkSign        = "sign" // Options.Sign
	checkSamples     = "samples"
)
