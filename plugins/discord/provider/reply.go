package provider

import (
	"net/http"

	"github.com/action-llama/gateway/sdk"
)

// Types of interactions, as Discord numbers them.
const (
	typeCommand      = 2
	typeComponent    = 3
	typeAutocomplete = 4
	typeModal        = 5
)

// Types of commands.
const (
	commandSlash      = 1
	commandUser       = 2
	commandMessage    = 3
	commandEntryPoint = 4
)

// Types of answers that put the real one off.
const (
	deferMessage   = 5  // "is thinking", then a new message
	deferUpdate    = 6  // nothing to see, then perhaps a change of the message
	launchActivity = 12 // an entry point opens the application's activity
)

// answers are the two replies to an interaction, and what the first of them is
// to an agent that answers later.
type answers struct {
	taken, ignored string
	deferral       int // type of the deferral in taken; 0 for none
	ephemeral      bool
}

const (
	private = `","flags":64}}`
	nobody  = `{"type":4,"data":{"content":"No agent handles this here.` + private
	noted   = `{"type":4,"data":{"content":"Received.` + private
	putOff  = `{"type":5}`
	keep    = `{"type":6}`
	launch  = `{"type":12}`
	choices = `{"type":8,"data":{"choices":[]}}`
)

// answersTo says what Discord accepts at once. "Is thinking" lasts 15 minutes
// unless somebody answers, so it is only for interactions that an agent took.
func answersTo(p *payload) answers {
	switch p.Type.n {
	case typeCommand:
		if p.Data.get().Type.is(commandEntryPoint) {
			return answers{taken: launch, ignored: launch, deferral: launchActivity}
		}
		return answers{taken: putOff, ignored: nobody, deferral: deferMessage}
	case typeComponent:
		return answers{taken: keep, ignored: keep, deferral: deferUpdate}
	case typeAutocomplete:
		return answers{taken: choices, ignored: choices}
	case typeModal:
		if p.Message.ok() { // opened from a component of this message
			return answers{taken: keep, ignored: keep, deferral: deferUpdate}
		}
		// Type 6 would be accepted, but leave no message to answer in.
		return answers{taken: putOff, ignored: nobody, deferral: deferMessage}
	default: // a message of one's own is what every kind so far allows
		return answers{taken: noted, ignored: nobody, ephemeral: true}
	}
}

func jsonReply(body string) *sdk.Reply {
	return &sdk.Reply{
		Status: http.StatusOK,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   []byte(body),
	}
}

// noContent is empty and has a content type all the same: Discord asks for it.
func noContent() *sdk.Reply {
	return &sdk.Reply{
		Status: http.StatusNoContent,
		Header: http.Header{"Content-Type": {"application/json"}},
	}
}
