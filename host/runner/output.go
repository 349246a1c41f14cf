package runner

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

const (
	defaultMaxOutput = 10 << 20
	// maxTail is how much of the end of a too long output is kept: it says how
	// a run ended. It waits in memory until then.
	maxTail = 256 << 10
)

// outputLog is output.log, bounded: the beginning is written as it comes, so
// that it can be followed while the run is under way. Beyond the bound only
// the end is kept, and written when the log is closed, after a line that says
// how much is missing. Not for concurrent use.
type outputLog struct {
	file io.WriteCloser
	room int64 // of the file, for the beginning
	tail *tail
	cut  int64 // bytes that the tail has pushed out
	err  error // the first failure; later writes are taken and lost
}

func openOutput(path string, limit int64) (*outputLog, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return newOutput(f, limit), nil
}

func newOutput(file io.WriteCloser, limit int64) *outputLog {
	end := min(maxTail, limit/2)
	return &outputLog{file: file, room: limit - end, tail: &tail{limit: int(end)}}
}

// Write takes all of p and never fails: a full disk must not stop a harness.
// Close reports it.
func (o *outputLog) Write(p []byte) (int, error) {
	head := p[:min(int64(len(p)), o.room)]
	o.room -= int64(len(head))
	o.write(head)
	o.cut += o.tail.push(p[len(head):])
	return len(p), nil
}

func (o *outputLog) write(p []byte) {
	if o.err == nil && len(p) > 0 {
		_, o.err = o.file.Write(p)
	}
}

// Truncated says that a part of the output was not kept.
func (o *outputLog) Truncated() bool { return o.cut > 0 || o.err != nil }

// Close adds the end of a too long output and closes the file.
func (o *outputLog) Close() error {
	end := o.tail.bytes()
	if o.cut > 0 {
		// Start with a whole line, unless there is only a long one.
		if i := bytes.IndexByte(end, '\n'); i >= 0 && i < len(end)-1 {
			o.cut += int64(i + 1)
			end = end[i+1:]
		}
		o.write(fmt.Appendf(nil, "\n[al: %d bytes of output left out here]\n", o.cut))
	}
	o.write(end)
	if err := o.file.Close(); o.err == nil {
		o.err = err
	}
	return o.err
}

// tail keeps the last limit bytes in a ring that grows when first needed.
type tail struct {
	limit int
	ring  []byte
	next  int // where the next byte goes once the ring is full
}

// push adds p and returns how many bytes that pushed out.
func (t *tail) push(p []byte) (lost int64) {
	if over := len(p) - t.limit; over > 0 {
		lost = int64(over)
		p = p[over:]
	}
	grow := min(len(p), t.limit-len(t.ring))
	t.ring = append(t.ring, p[:grow]...)
	for p = p[grow:]; len(p) > 0; {
		n := copy(t.ring[t.next:], p)
		t.next = (t.next + n) % t.limit
		lost += int64(n)
		p = p[n:]
	}
	return lost
}

func (t *tail) bytes() []byte {
	return append(t.ring[t.next:len(t.ring):len(t.ring)], t.ring[:t.next]...)
}
