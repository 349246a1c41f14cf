package pluginhost

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"golang.org/x/net/http/httpguts"

	"github.com/action-llama/gateway/sdk"
)

const (
	// maxEvents of one delivery. Vendors that batch send some tens.
	maxEvents = 1000
	// maxEventBytes of one event, without the texts that are cut for the agent
	// anyway. All of it ends up in a prompt.
	maxEventBytes = 1 << 20
	// maxReplyBytes is far beyond what any vendor reads of an answer.
	maxReplyBytes = 1 << 20
)

// checkDelivery says what a provider has no right to say of a request, whether
// it was written with the SDK or not.
func checkDelivery(d sdk.Descriptor, req sdk.Request, secrets []sdk.Secret, opts sdk.DeliverOptions, out sdk.Delivery) error {
	if err := checkWhich(out.Which, secrets); err != nil {
		return err
	}
	switch {
	case out.Unsigned && !opts.AllowUnsigned:
		return faulty(FaultSource, errors.New("it takes a request as unsigned where every source has a credential"))
	case out.Unsigned && sdk.Signed(d, req):
		return faulty(FaultSource, errors.New("it takes a request as unsigned that carries a signature"))
	}
	if out.Reply != nil {
		if err := checkReply(out.Reply); err != nil {
			return err
		}
	}
	for _, e := range out.Events {
		for _, name := range e.Sources {
			if !slices.ContainsFunc(req.Sources, func(s sdk.Source) bool { return s.Name == name }) {
				return faulty(FaultSource, fmt.Errorf("it says that an event is for the source %q, of which it was not asked", clip(name)))
			}
		}
	}
	return checkEvents(out.Events)
}

// checkWhich: the index of a secret says which source a request belongs to.
func checkWhich(which sdk.Which, secrets []sdk.Secret) error {
	for _, i := range which {
		if i < 0 || i >= len(secrets) {
			return faulty(FaultSource, fmt.Errorf("it says that secret %d signed the request, and was given %d", i, len(secrets)))
		}
	}
	return nil
}

func checkEvents(events []sdk.Event) error {
	if len(events) > maxEvents {
		return faulty(FaultEvents, fmt.Errorf("it reads %d events out of one request; %d is the most", len(events), maxEvents))
	}
	for i := range events {
		if err := checkEvent(&events[i]); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
	}
	return nil
}

func checkEvent(e *sdk.Event) error {
	if e.Name == "" {
		return faulty(FaultEvent, errors.New("it has no name"))
	}
	if n := weight(e); n > maxEventBytes {
		return faulty(FaultEvent, fmt.Errorf("it has %d bytes beside its texts; %d is the most", n, maxEventBytes))
	}
	for _, reply := range []*sdk.Reply{e.Taken, e.Ignored} {
		if reply != nil {
			if err := checkReply(reply); err != nil {
				return err
			}
		}
	}
	return nil
}

// weight is about what an event takes beside its texts.
func weight(e *sdk.Event) int {
	n := len(e.DeliveryID) + len(e.Name) + len(e.Action) + len(e.Repo) + len(e.URL) + len(e.Author) + len(e.Assignee) +
		len(e.Branch) + len(e.Conclusion) + len(e.Sender) + weightOf(e.Extra)
	for _, list := range [][]string{e.Labels, e.Sensitive} {
		for _, s := range list {
			n += len(s) + 1
		}
	}
	for name, values := range e.Attributes {
		n += len(name)
		for _, s := range values {
			n += len(s) + 1
		}
	}
	return n
}

// weightOf is that of a value out of JSON.
func weightOf(v any) int {
	n := 8
	switch v := v.(type) {
	case string:
		n += len(v)
	case json.Number:
		n += len(v)
	case []any:
		for _, each := range v {
			n += weightOf(each)
		}
	case map[string]any:
		for name, each := range v {
			n += len(name) + weightOf(each)
		}
	}
	return n
}

// checkReply says why a reply can not be sent. Headers that are the host's own
// business are no harm: they are left out of it.
func checkReply(r *sdk.Reply) error {
	switch {
	case r.Status < http.StatusOK || r.Status > 599:
		return faulty(FaultReply, fmt.Errorf("its reply has the status %d", r.Status))
	case len(r.Body) > maxReplyBytes:
		return faulty(FaultReply, fmt.Errorf("its reply has %d bytes; %d is the most", len(r.Body), maxReplyBytes))
	}
	for name, values := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return faulty(FaultReply, fmt.Errorf("its reply has a header with the name %q", clip(name)))
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return faulty(FaultReply, fmt.Errorf("its reply has a header %s whose value can not be sent", name))
			}
		}
	}
	return nil
}
