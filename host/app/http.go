package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/config"
)

// listen opens the port before anything else is started: a port that is taken
// is found out at once. One that was given stays, and is told where it is not
// that of the configuration.
func (a *App) listen(ctx context.Context, g config.Gateway) error {
	address := net.JoinHostPort(g.Host, strconv.Itoa(g.Port))
	if a.listener != nil {
		if !sameAddress(a.listener.Addr(), g) {
			a.log.Warn("the port is systemd's, and [gateway] host and port say another; they have no effect",
				"listening", a.listener.Addr().String(), "configured", address)
		}
		return nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is taken by another process; choose another port with [gateway] port in config.toml, AL_GATEWAY_PORT or --port", address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s is not for this user to open; choose a port above 1023 with [gateway] port, AL_GATEWAY_PORT or --port", address)
	case err != nil:
		return fmt.Errorf("listen: %w; see [gateway] host and port in config.toml", err)
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return errors.Join(fmt.Errorf("listen: %s is no TCP port", l.Addr()), l.Close())
	}
	a.listenOn(tcp)
	return nil
}

// sameAddress says whether a port is one that the configuration allows.
func sameAddress(is net.Addr, g config.Gateway) bool {
	at, ok := is.(*net.TCPAddr)
	if !ok || g.Port != 0 && g.Port != at.Port {
		return false
	}
	want := net.ParseIP(g.Host)
	return want == nil || want.Equal(at.IP) || want.IsUnspecified() && at.IP.IsUnspecified() // a name may be any
}

func (a *App) listenOn(l *net.TCPListener) {
	a.listener = l
	a.self.URL = "http://" + l.Addr().String()
	a.later(func() error { return ignoreClosed(l.Close()) })
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// idleTimeout is how long a connection may wait for the next request.
const idleTimeout = 2 * time.Minute

func newServer(handler http.Handler, g config.Gateway, log hclog.Logger) *http.Server {
	return &http.Server{
		Handler: handler,
		// A sender that is slower than this is closed, whatever it is doing.
		ReadHeaderTimeout: min(g.ReadTimeout, 10*time.Second),
		ReadTimeout:       g.ReadTimeout,
		// From the end of the headers: reading, the longest deadline of a
		// vendor, and the way back.
		WriteTimeout:   g.ReadTimeout + 70*time.Second,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
}

func (a *App) serveHTTP() error {
	defer close(a.closed)
	err := a.server.Serve(a.listener)
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) && a.left.now.Load() {
		return nil
	}
	return err
}
