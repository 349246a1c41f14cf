// A host of the day on which the SDK had its first version, as far as a
// provider sees one. It is built with that SDK and starts the providers of
// later days, whose paths are its arguments; for each it writes a line of JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/client"
)

// told is what the host found out about a provider.
type told struct {
	Type, Version string
	Protocol      int
	Filters       int
	// Refused says that a delivery which nobody signed was.
	Refused bool
	// Events of the provider's first sample, signed with a secret of ours.
	Events []string
	Error  string
}

func main() {
	out := json.NewEncoder(os.Stdout)
	for _, path := range os.Args[1:] {
		t, err := meet(path)
		if err != nil {
			t.Error = err.Error()
		}
		if err := out.Encode(t); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func meet(path string) (told, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  sdk.Handshake(),
		VersionedPlugins: client.Plugins(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Cmd:              exec.Command(path),
		AutoMTLS:         true,
		Logger:           hclog.NewNullLogger(),
	})
	defer p.Kill()
	protocol, err := p.Client()
	if err != nil {
		return told{}, err
	}
	dispensed, err := protocol.Dispense(sdk.PluginName)
	if err != nil {
		return told{}, err
	}
	conn, ok := dispensed.(grpc.ClientConnInterface)
	if !ok {
		return told{}, errors.New("no connection")
	}
	c, err := client.Connect(ctx, conn)
	if err != nil {
		return told{}, err
	}
	d := c.Describe()
	t := told{Type: d.Type, Version: d.Version, Protocol: p.NegotiatedVersion(), Filters: len(d.Filters)}
	if err := d.Validate(); err != nil {
		return t, err
	}
	fields := map[string]string{}
	for _, f := range d.Credential.Fields {
		fields[f.Name] = "0123456789abcdef0123456789abcdef"
	}
	secret := sdk.Secret{Source: "kept", Instance: "default", Fields: fields}
	stranger := sdk.Request{Method: http.MethodPost, Header: http.Header{}, Body: []byte("{}"), ReceivedAt: time.Now()}
	_, err = c.Deliver(ctx, stranger, []sdk.Secret{secret}, sdk.DeliverOptions{})
	t.Refused = errors.Is(err, sdk.ErrBadSignature)
	for _, sample := range d.Samples {
		ask := sdk.SampleAsk{Name: sample.Name, Secret: &secret, SentAt: time.Now(), Unique: "kept"}
		req, err := c.Sample(ctx, ask)
		if errors.Is(err, sdk.ErrCredential) {
			return t, nil // a made-up secret is none that signs
		}
		if err != nil {
			return t, fmt.Errorf("sample %s: %w", sample.Name, err)
		}
		req.ReceivedAt = time.Now()
		delivery, err := c.Deliver(ctx, req, []sdk.Secret{secret}, sdk.DeliverOptions{})
		if err != nil {
			return t, fmt.Errorf("deliver sample %s: %w", sample.Name, err)
		}
		for _, e := range delivery.Events {
			t.Events = append(t.Events, e.Name)
		}
	}
	return t, nil
}
