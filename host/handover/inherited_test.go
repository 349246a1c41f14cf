package handover

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// place puts descriptors where systemd would, from a number on that is free.
func place(t *testing.T, first int, files ...*os.File) {
	t.Helper()
	for i, f := range files {
		if err := unix.Dup2(int(f.Fd()), first+i); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Close(first + i) })
	}
}

func listening(t *testing.T, network, address string) *os.File {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var f *os.File
	switch l := l.(type) {
	case *net.TCPListener:
		f, err = l.File()
	case *net.UnixListener:
		f, err = l.File()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestInherited(t *testing.T) {
	const first = 300
	web := listening(t, "tcp", "127.0.0.1:0")
	other := listening(t, "tcp", "127.0.0.1:0")
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	dir, err := os.MkdirTemp("", "al-h-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	unixSocket := listening(t, "unix", dir+"/s")
	self := strconv.Itoa(os.Getpid())

	for name, tt := range map[string]struct {
		env   map[string]string
		files []*os.File
		want  string // part of the error; "none" for no listener, "" for one
	}{
		"nothing":          {want: "none"},
		"one":              {map[string]string{envPID: self, envFDs: "1"}, []*os.File{web}, ""},
		"one with a name":  {map[string]string{envPID: self, envFDs: "1", envNames: "al.socket"}, []*os.File{web}, ""},
		"none passed":      {map[string]string{envPID: self, envFDs: "0"}, nil, "none"},
		"another process":  {map[string]string{envPID: "1", envFDs: "1"}, nil, "none"},
		"no process":       {map[string]string{envPID: "x", envFDs: "1"}, nil, `LISTEN_PID="x" is no process number`},
		"no process named": {map[string]string{envFDs: "1"}, nil, `LISTEN_PID="" is no process number`},
		"no number":        {map[string]string{envPID: self, envFDs: "-1"}, nil, `LISTEN_FDS="-1"`},
		"not open":         {map[string]string{envPID: self, envFDs: "1"}, nil, "descriptor 300 is not open"},
		"two, one named":   {map[string]string{envPID: self, envFDs: "2", envNames: "admin:al"}, []*os.File{other, web}, ""},
		"two, none named":  {map[string]string{envPID: self, envFDs: "2"}, []*os.File{other, web}, "FileDescriptorName=al"},
		"two of the name":  {map[string]string{envPID: self, envFDs: "2", envNames: "al:al"}, []*os.File{other, web}, "several sockets named al"},
		"names missing":    {map[string]string{envPID: self, envFDs: "2", envNames: "al"}, []*os.File{other, web}, "LISTEN_FDNAMES names 1 sockets"},
		"a file":           {map[string]string{envPID: self, envFDs: "1"}, []*os.File{file}, "it is no socket"},
		"a Unix socket":    {map[string]string{envPID: self, envFDs: "1"}, []*os.File{unixSocket}, "needs a TCP port"},
	} {
		t.Run(name, func(t *testing.T) {
			place(t, first, tt.files...)
			l, err := inherited(func(name string) string { return tt.env[name] }, os.Getpid(), first)
			switch {
			case tt.want == "none" && (l != nil || err != nil):
				t.Errorf("got %v, %v; want nothing", l, err)
			case tt.want != "" && tt.want != "none" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, %v; want %q", l, err, tt.want)
			case tt.want == "":
				if err != nil {
					t.Fatal(err)
				}
				answers(t, l)
			}
		})
	}
}

// A socket that is connected, or bound and no more, is not one to listen on.
func TestInheritedMustListen(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fds[1]) })
	_, err = adopt(os.NewFile(uintptr(fds[0]), "a pair"))
	if err == nil || !strings.Contains(err.Error(), "nobody can connect to it") {
		t.Errorf("got %v", err)
	}
}

// answers connects to a listener, and closes it.
func answers(t *testing.T, l net.Listener) {
	t.Helper()
	defer func() { _ = l.Close() }()
	accepted := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = c.Write([]byte("here"))
			_ = c.Close()
		}
		accepted <- err
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	buf := make([]byte, 4)
	if _, err := c.Read(buf); err != nil || string(buf) != "here" {
		t.Errorf("read %q, %v", buf, err)
	}
	if err := <-accepted; err != nil {
		t.Error(err)
	}
}
