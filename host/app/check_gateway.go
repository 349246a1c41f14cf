package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/sdk"
)

// CheckedGateway is the gateway of the project, if it runs.
type CheckedGateway struct {
	Running bool
	URL     string
	// Refused names the sources that turned a wrongly signed request away.
	Refused []string
}

// gatewayPatience is for one request to a gateway on this machine.
const gatewayPatience = 15 * time.Second

func (c *checker) checkGateway(ctx context.Context, descriptors map[string]sdk.Descriptor) {
	at := config.Pos{File: "config.toml", Line: 1, Column: 1}
	instance, err := Find(c.p.Dir)
	switch {
	case errors.Is(err, ErrNotRunning):
		if p, ok := checkPort(ctx, c.p.Gateway); !ok {
			c.found(AboutGateway, p)
		}
		return
	case err != nil:
		c.found(AboutGateway, config.Errorf(config.Pos{File: ".al/gateway.json"}, "%v", err))
		return
	}
	c.Gateway.Running, c.Gateway.URL = true, instance.URL
	c.checkRunningProviders(ctx, instance)
	for _, source := range c.p.Sources {
		d, known := descriptors[source.Name]
		if !known || len(d.SignatureHeaders) == 0 {
			continue // its provider is a finding of its own, or verifies nothing
		}
		problem, err := knock(ctx, instance.URL, source, d)
		switch {
		case err != nil:
			c.found(AboutGateway, config.Errorf(at, "the running gateway does not answer at %s: %v", instance.URL, err).
				WithFix("look at its log, and start it again"))
			return // it will not answer for the others either
		case problem != "":
			c.found(AboutGateway, config.Errorf(source.Pos, "webhooks.%s: %s", source.Name, problem))
		default:
			c.Gateway.Refused = append(c.Gateway.Refused, source.Name)
		}
	}
}

// knock sends a source of the running gateway a request that nobody signed, and
// returns what is wrong with the answer.
func knock(ctx context.Context, address string, source config.Source, d sdk.Descriptor) (problem string, err error) {
	ctx, cancel := context.WithTimeout(ctx, gatewayPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/webhooks/"+source.Type+"/"+source.Name, strings.NewReader(wrongBody))
	if err != nil {
		return "", err
	}
	req.Header = wronglySigned(d.SignatureHeaders)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return "", nil
	case http.StatusNotFound:
		return "the running gateway does not know it; it runs an older configuration: al reload, or start it again", nil
	case http.StatusServiceUnavailable:
		return "the running gateway can not verify its deliveries (503); al stat and its log say why", nil
	default:
		return fmt.Sprintf("the running gateway answered a wrongly signed request with %d instead of 401", resp.StatusCode), nil
	}
}

// checkRunningProviders tells of providers that are down in the gateway, though
// they may have started here.
func (c *checker) checkRunningProviders(ctx context.Context, instance Instance) {
	ctx, cancel := context.WithTimeout(ctx, gatewayPatience)
	defer cancel()
	key, err := APIKey(c.credentials)
	if err != nil || key == "" {
		c.found(AboutGateway, config.Warnf(config.Pos{File: c.credentials.Dir}, "the key of the running gateway is not here, so that it can not be asked how it is").
			WithFix("run al doctor as the user that started it, or set %s", config.CredentialsEnv))
		return
	}
	client := api.Client{URL: instance.URL, Key: key}
	status, err := client.Status(ctx)
	if err != nil {
		c.found(AboutGateway, config.Errorf(config.Pos{File: ".al/gateway.json"}, "the running gateway was asked how it is: %v", err))
		return
	}
	for _, p := range status.Providers {
		if p.State == string(pluginhost.Up) {
			continue
		}
		for _, source := range c.p.Sources {
			if source.Type == p.Type {
				c.found(AboutGateway, config.Errorf(source.TypePos, "webhooks.%s: in the running gateway the provider %s is %s: %s", source.Name, p.Type, p.State, p.Error))
			}
		}
	}
}

// checkPort tries whether the gateway could listen where it is told to.
func checkPort(ctx context.Context, g config.Gateway) (config.Problem, bool) {
	if g.Port == 0 {
		return config.Problem{}, true
	}
	address := net.JoinHostPort(g.Host, strconv.Itoa(g.Port))
	at := config.Pos{File: "config.toml", Line: 1, Column: 1}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		_ = l.Close()
		return config.Problem{}, true
	case errors.Is(err, syscall.EADDRINUSE):
		return config.Errorf(at, "gateway.port: %s is taken by another process", address).
			WithFix("end that one, or choose another port with [gateway] port, AL_GATEWAY_PORT or al start --port"), false
	case errors.Is(err, syscall.EACCES):
		return config.Errorf(at, "gateway.port: %s is not for this user to open", address).
			WithFix("choose a port above 1023"), false
	default:
		return config.Errorf(at, "gateway.host: can not listen on %s: %v", address, err), false
	}
}
