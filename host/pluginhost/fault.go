package pluginhost

import "errors"

// Fault is a kind of what a provider does wrong. Each has a name for the metric,
// and the list is closed.
type Fault string

// The faults of a provider.
const (
	FaultFile       Fault = "file"       // it may not be run: others can change it, it is not the one that was installed, ...
	FaultTwice      Fault = "twice"      // another file of its type is hidden by it
	FaultHandshake  Fault = "handshake"  // it ends before, or says something else
	FaultProtocol   Fault = "protocol"   // it speaks no version of the protocol that the host speaks
	FaultStart      Fault = "start"      // it takes too long to shake hands, or to describe itself
	FaultDescriptor Fault = "descriptor" // what it says of itself is not valid, or is another type's
	FaultSelfTest   Fault = "self_test"  // it was to replace another one, and can not
	FaultCrash      Fault = "crash"
	FaultHang       Fault = "hang"     // it runs, and does not answer
	FaultMemory     Fault = "memory"   // it takes more than it may
	FaultCPU        Fault = "cpu"      // it computes without being asked
	FaultChildren   Fault = "children" // it has too many
	FaultTimeout    Fault = "timeout"  // a call was not answered in time
	FaultPanic      Fault = "panic"    // in a call
	FaultSource     Fault = "source"   // it names a sender that it was not asked about
	FaultEvents     Fault = "events"   // one delivery has too many
	FaultEvent      Fault = "event"    // one without a name, or one that is too large
	FaultReply      Fault = "reply"    // one that can not be sent
	FaultSize       Fault = "size"     // an answer that is too large
	FaultOutput     Fault = "output"   // it writes to stdout once it serves
	FaultFlood      Fault = "flood"    // it writes more than anybody reads
	FaultStop       Fault = "stop"     // it does not leave when it is asked to
)

// Faults lists them, for those who count.
func Faults() []Fault {
	return []Fault{
		FaultFile, FaultTwice, FaultHandshake, FaultProtocol, FaultStart, FaultDescriptor, FaultSelfTest, FaultCrash, FaultHang,
		FaultMemory, FaultCPU, FaultChildren, FaultTimeout, FaultPanic, FaultSource, FaultEvents, FaultEvent, FaultReply,
		FaultSize, FaultOutput, FaultFlood, FaultStop,
	}
}

// faultError is an error with the kind of what was done wrong.
type faultError struct {
	fault Fault
	error
}

func (e *faultError) Unwrap() error { return e.error }

// Misbehaved says that a provider answered, and that its answer is not one that
// can be gone by.
func (e *faultError) Misbehaved() bool {
	switch e.fault {
	case FaultSource, FaultEvents, FaultEvent, FaultReply, FaultSize:
		return true
	default:
		return false
	}
}

// faulty marks an error. The innermost mark counts.
func faulty(fault Fault, err error) error {
	var marked *faultError
	if err == nil || errors.As(err, &marked) {
		return err
	}
	return &faultError{fault, err}
}

// blame counts what an error says that the provider did wrong.
func (p *Provider) blame(err error) {
	var marked *faultError
	if errors.As(err, &marked) {
		p.fault(marked.fault)
	}
}

func (p *Provider) fault(f Fault) {
	p.tell(func(m Metrics) {
		if m.Fault != nil {
			m.Fault(p.typ, f)
		}
	})
}

// fault counts one of a process that may belong to no provider, since it was
// started to be looked at.
func (h *Host) fault(typ string, f Fault) {
	if p, ok := h.Provider(typ); ok {
		p.fault(f)
	}
}

// faultOfFile is that of a file that is there and may not be run.
func faultOfFile(err error) error {
	if errors.Is(err, ErrNotFound) {
		return err
	}
	return faulty(FaultFile, err)
}
