package handover

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Protocol is the version of what the two sides say to each other. It goes up
// when a side would misunderstand the other; fields are added without.
const Protocol = 1

// Hello is how each side begins.
type Hello struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"` // of al
	PID      int    `json:"pid"`
	ID       string `json:"id"`                // of the gateway
	Address  string `json:"address,omitempty"` // where it listens
}

// What the next one asks for.
const (
	askTake    = "take"
	askReady   = "ready"
	askServing = "serving"
	askStop    = "stop"
)

type question struct {
	Do  string `json:"do"`
	Now bool   `json:"now,omitempty"` // of stop
}

type answer struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
	// Passed names the descriptors that came with it, in order.
	Passed []string `json:"passed,omitempty"`
}

// The names of descriptors.
const (
	passedListener = "listener"
	passedLock     = "lock"
)

const (
	maxLine   = 64 << 10
	maxPassed = 8
)

// wire is one end of a connection.
type wire struct {
	conn   *net.UnixConn
	buf    []byte
	passed []int // descriptors that nobody has taken yet
}

func (w *wire) close() error {
	for _, fd := range w.passed {
		_ = unix.Close(fd) // there is nothing else to do with it
	}
	w.passed = nil
	return w.conn.Close()
}

// within bounds what is done with the connection until the function is called,
// by a time and by a context.
func (w *wire) within(ctx context.Context, limit time.Duration) (undo func()) {
	_ = w.conn.SetDeadline(time.Now().Add(limit))
	stop := context.AfterFunc(ctx, func() { _ = w.conn.SetDeadline(time.Unix(1, 0)) })
	return func() { stop() }
}

func (w *wire) write(v any, passed ...int) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var rights []byte
	if len(passed) > 0 {
		rights = unix.UnixRights(passed...)
	}
	line = append(line, '\n')
	n, _, err := w.conn.WriteMsgUnix(line, rights, nil)
	if err == nil && n < len(line) {
		_, err = w.conn.Write(line[n:])
	}
	return err
}

func (w *wire) read(v any) error {
	for {
		if line, rest, ok := bytes.Cut(w.buf, []byte{'\n'}); ok {
			err := json.Unmarshal(line, v)
			w.buf = append([]byte(nil), rest...)
			return err
		}
		if len(w.buf) > maxLine {
			return errors.New("a line is too long")
		}
		if err := w.fill(); err != nil {
			return err
		}
	}
}

// fill takes in what has come, descriptors included.
func (w *wire) fill() error {
	in := make([]byte, 4096)
	rights := make([]byte, unix.CmsgSpace(4*maxPassed))
	n, rightsLen, flags, _, err := w.conn.ReadMsgUnix(in, rights)
	if err != nil {
		return err
	}
	if n == 0 {
		return io.EOF
	}
	w.buf = append(w.buf, in[:n]...)
	messages, err := unix.ParseSocketControlMessage(rights[:rightsLen])
	if err != nil {
		return fmt.Errorf("descriptors: %w", err)
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return fmt.Errorf("descriptors: %w", err)
		}
		w.passed = append(w.passed, fds...)
	}
	if flags&unix.MSG_CTRUNC != 0 || len(w.passed) > maxPassed {
		return errors.New("more descriptors came than were asked for")
	}
	return nil
}

// take returns the descriptors that came with an answer, by their names.
func (w *wire) take(names []string) (map[string]*os.File, error) {
	if len(names) != len(w.passed) {
		return nil, fmt.Errorf("%d descriptors came, %d were named", len(w.passed), len(names))
	}
	files := make(map[string]*os.File, len(names))
	for i, fd := range w.passed {
		files[names[i]] = os.NewFile(uintptr(fd), names[i])
	}
	w.passed = nil
	return files, nil
}

// checkPeer makes sure that the other side is of the same user.
func checkPeer(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var uid int
	var asked error
	err = raw.Control(func(fd uintptr) { uid, asked = peerUser(int(fd)) })
	if err = errors.Join(err, asked); err != nil {
		return fmt.Errorf("find out who the other side is: %w", err)
	}
	if own := os.Geteuid(); uid != own {
		return fmt.Errorf("the other side is of user %d, and this one of user %d", uid, own)
	}
	return nil
}
