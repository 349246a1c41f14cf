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
// is found out at once.
func (a *App) listen(ctx context.Context, g config.Gateway) error {
	address := net.JoinHostPort(g.Host, strconv.Itoa(g.Port))
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is taken by another process; choose another port with [gateway] port in config.toml, AL_GATEWAY_PORT or --port", address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s is not for this user to open; choose a port above 1023 with [gateway] port, AL_GATEWAY_PORT or --port", address)
	case err != nil:
		return fmt.Errorf("listen: %w; see [gateway] host and port in config.toml", err)
	}
	a.listener = l
	a.url = "http://" + l.Addr().String()
	a.later(func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return nil
}

func newServer(handler http.Handler, g config.Gateway, log hclog.Logger) *http.Server {
	return &http.Server{
		Handler: handler,
		// A sender that is slower than this is closed, whatever it is doing.
		ReadHeaderTimeout: min(g.ReadTimeout, 10*time.Second),
		ReadTimeout:       g.ReadTimeout,
		// From the end of the headers: reading, the longest deadline of a
		// vendor, and the way back.
		WriteTimeout:   g.ReadTimeout + 70*time.Second,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
}

func (a *App) serveHTTP() error {
	if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
