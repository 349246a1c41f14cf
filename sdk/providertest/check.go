package providertest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/action-llama/gateway/sdk"
)

const (
	// describeLimit is how long a provider may take to say who it is. It has
	// it compiled in, so this is for slow machines.
	describeLimit = 5 * time.Second
	// slowMachine is by how much a call may be slower here than its vendor
	// allows. A busy machine with the race detector on is that slow; a provider
	// with a real fault is slower by orders.
	slowMachine = 4
	// largeLimit is how long a provider may take for a body of 25 MiB, at
	// least. On a usual machine a second is plenty; whoever is quadratic in the
	// size of a body takes hours.
	largeLimit = time.Minute
	// hangGrace is how long after its deadline a call may take to return.
	hangGrace = 2 * time.Second
)

// Suite is a folder of cases and what the kit has to know to use them.
type Suite struct {
	// Cases, each with its expectation.
	Cases []*Case
	// Sign is [Options.Sign]. Without it the kit tries to find out how the
	// cases are signed, and leaves out what it can not sign.
	Sign func(req *sdk.Request, secret map[string]string)
	// Tolerance is [Options.Tolerance].
	Tolerance time.Duration
	// Events is [Options.Events].
	Events []string
	// AlwaysPresent is [Options.AlwaysPresent].
	AlwaysPresent map[string]string
	// Forgeable is [Options.Forgeable].
	Forgeable func(body []byte) bool
	// SampleSecret is [Options.SampleSecret].
	SampleSecret map[string]string
	// Short is [Options.Short].
	Short bool
	// Alone says that the target is all there is: a binary of which nothing is
	// asked in process. Without it a binary is asked less, since Run has asked
	// the same code before.
	Alone bool
}

// Check runs everything against a target and closes it, so that all it wrote
// is there to be searched. It stops early when ctx is done: look at that before
// you say that nothing was found.
func (s *Suite) Check(ctx context.Context, t *Target) []Finding {
	found := s.CheckProvider(ctx, t)
	found = append(found, s.CheckCases(sdk.Describe(t.provider))...)
	for _, c := range s.Cases {
		found = append(found, s.CheckCase(ctx, t, c)...)
	}
	return append(found, s.CheckLog(t)...)
}

// CheckCase delivers one case and, if a secret signs it, what hostile senders
// could make of it.
func (s *Suite) CheckCase(ctx context.Context, t *Target, c *Case) []Finding {
	k := s.checker(ctx, t, c)
	if !k.replay() {
		return k.found()
	}
	k.headerNames()
	if t.Name == "grpc" || t.Name == "binary" && !s.Alone && !s.represents(c) {
		return k.found() // the same code was asked the same in process, or for a case like it
	}
	k.hostile()
	k.bodies()
	return k.found()
}

// CheckLog closes a target and searches what its process wrote.
func (s *Suite) CheckLog(t *Target) []Finding {
	k := s.checker(context.Background(), t, nil)
	if err := t.Close(); err != nil {
		k.report(checkCall, "stop: %v", err)
	}
	if t.log == nil {
		return k.found()
	}
	for _, line := range t.log.lines() {
		if what, ok := k.leaks(string(line)); ok {
			k.report(checkLeak, "the log has %s in it: %s; log neither bodies nor headers nor secrets", what, clip(k.masked(string(line))))
		}
	}
	return k.found()
}

// represents says that no case before this one has the same method, content
// type and signature headers. What takes long is done for those.
func (s *Suite) represents(c *Case) bool {
	for _, other := range s.Cases {
		if other == c {
			return true
		}
		if other.accepted() == c.accepted() && shape(other) == shape(c) {
			return false
		}
	}
	return true
}

func shape(c *Case) string {
	contentType, _, _ := strings.Cut(strings.ToLower(c.Request.Header.Get("Content-Type")), ";")
	return c.Request.Method + " " + contentType
}

// checker is one check of one target, or of one case on it.
type checker struct {
	ctx        context.Context
	suite      *Suite
	target     *Target
	c          *Case // nil for the target as a whole
	desc       sdk.Descriptor
	settings   sdk.Settings // that samples are made by
	needles    []needle
	limit      time.Duration
	findings   []Finding
	kinds      []string       // of the findings
	more       map[string]int // findings by kind
	slow       int
	signedOdd  bool // bodies that a vendor does not send have been delivered, signed
	unreliable bool // calls hang or the process is gone: what follows says nothing
}

func (s *Suite) checker(ctx context.Context, t *Target, c *Case) *checker {
	k := &checker{ctx: ctx, suite: s, target: t, c: c, desc: sdk.Describe(t.provider), more: map[string]int{}}
	k.limit = slowMachine * k.desc.ReplyDeadline
	k.needles = s.needles(k.desc)
	for _, each := range s.Cases {
		if err := each.settle(k.desc); err != nil && each == c {
			k.report(checkCase, "%v", err)
		}
	}
	if c != nil {
		k.desc = c.with(k.desc)
	}
	return k
}

// maxLike is how many findings of one kind on one case are told. All bytes of a
// signature are one fault.
const maxLike = 2

func (k *checker) report(check, format string, args ...any) {
	k.reportLike(check, check, format, args...)
}

// reportLike reports what is one of a kind.
func (k *checker) reportLike(kind, check, format string, args ...any) {
	k.more[kind]++
	if k.more[kind] > maxLike {
		return
	}
	f := Finding{Target: k.target.Name, Check: check, Message: fmt.Sprintf(format, args...)}
	if k.c != nil {
		f.Case = k.c.Name
	}
	k.findings = append(k.findings, f)
	k.kinds = append(k.kinds, kind)
}

func (k *checker) found() []Finding {
	for i := len(k.findings) - 1; i >= 0; i-- { // at the last one of each kind
		f := &k.findings[i]
		if n := k.more[k.kinds[i]] - maxLike; n > 0 {
			f.Message += fmt.Sprintf(" (and %d more like this)", n)
			k.more[k.kinds[i]] = 0
		}
	}
	return k.findings
}

// stopped says that there is no point in going on.
func (k *checker) stopped() bool { return k.unreliable || k.ctx.Err() != nil }

var errHangs = errors.New("no answer in time")

// guard makes one call with a deadline and looks at how it ended.
func guard[V any](k *checker, what string, limit time.Duration, f func(context.Context) (V, error)) (V, error) {
	type result struct {
		v   V
		err error
	}
	ctx, cancel := context.WithTimeout(k.ctx, limit)
	defer cancel()
	done := make(chan result, 1)
	begun := time.Now()
	go func() {
		var r result
		defer func() {
			if thrown := recover(); thrown != nil {
				r.err = fmt.Errorf("%s: %s", panicText, thrownAt(thrown))
			}
			done <- r
		}()
		r.v, r.err = f(ctx)
	}()
	var r result
	hung := time.NewTimer(limit + hangGrace)
	defer hung.Stop()
	select {
	case r = <-done:
	case <-hung.C:
		// The goroutine is lost: nothing ends a function that does not look
		// at its context.
		k.unreliable = true
		k.report(checkCall, "%s has no answer after %s and does not look at its context; return soon after it is done", what, limit)
		return r.v, errHangs
	}
	if k.ctx.Err() != nil {
		return r.v, errHangs
	}
	if took := time.Since(begun); took > limit {
		k.slow++
		k.unreliable = k.slow == maxLike // the others would only take time
		k.report(checkCall, "%s takes %s; the vendor waits %s for the whole answer (Descriptor.ReplyDeadline)", what, took.Round(time.Millisecond), k.desc.ReplyDeadline)
		return r.v, errHangs
	}
	k.inspect(what, r.err)
	return r.v, r.err
}

// inspect reports what is wrong with any error, whatever was asked.
func (k *checker) inspect(what string, err error) {
	if err == nil {
		return
	}
	if text, ok := k.leaks(err.Error()); ok {
		k.report(checkLeak, "%s: the error has %s in it: %s; errors end up in logs and on screens", what, text, clip(k.masked(err.Error())))
	}
	switch {
	case status.Code(err) == codes.Unavailable && k.target.gone():
		if !k.unreliable {
			k.report(checkCall, "%s ended the process (%s); a call must not, whatever it is given. It wrote: %s",
				what, clip(err.Error()), k.masked(k.target.log.tail()))
		}
		k.unreliable = true
	case panicked(err):
		k.report(checkCall, "%s: %s; a stranger's bytes must not do that", what, clip(err.Error()))
	case errors.Is(err, sdk.ErrNoSample) && strings.HasPrefix(what, sampleWord):
	case kindOf(err) == "":
		k.report(checkCall, "%s fails with %q, which the host can only answer with 500; return sdk.ErrBadSignature, ErrUnparseable or ErrCredential, or wrap them",
			what, clip(k.masked(err.Error())))
	}
}

func (k *checker) deliver(what string, req sdk.Request, secrets []sdk.Secret, opts sdk.DeliverOptions) (sdk.Delivery, error) {
	return k.deliverIn(k.limit, what, req, secrets, opts)
}

func (k *checker) deliverIn(limit time.Duration, what string, req sdk.Request, secrets []sdk.Secret, opts sdk.DeliverOptions) (sdk.Delivery, error) {
	return guard(k, what, limit, func(ctx context.Context) (sdk.Delivery, error) {
		req.Sources = meant(req, secrets)
		return sdk.Deliver(ctx, k.target.provider, req, secrets, opts)
	})
}

// refused asserts that a request is nobody's.
func (k *checker) refused(check, what string, req sdk.Request, secrets []sdk.Secret, advice string, also ...error) {
	if k.stopped() {
		return
	}
	_, err := k.deliver(what, req, secrets, sdk.DeliverOptions{})
	if err == nil {
		k.reportLike(check+what, check, "%s: the request is accepted; %s", what, advice)
		return
	}
	for _, kind := range append(also, sdk.ErrBadSignature) {
		if errors.Is(err, kind) {
			return
		}
	}
	if kindOf(err) != "" { // others are reported already
		k.reportLike(check+what, check, "%s: refused with %q instead of sdk.ErrBadSignature; it has to be 401, so verify before anything else is looked at",
			what, clip(k.masked(err.Error())))
	}
}

// lowMemory gives the memory of a large body back before the next one.
func lowMemory() { debug.FreeOSMemory() }

// clip bounds what is quoted.
func clip(s string) string {
	const most = 300
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
