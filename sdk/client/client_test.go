package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/client"
)

// echo returns what it was given, so that a test sees what the wire does to it.
type echo struct {
	descriptor sdk.Descriptor
	which      sdk.Which
	events     []sdk.Event
	reply      *sdk.Reply
	err        error
	parseErr   error
	got        chan sdk.Request
	secrets    chan []sdk.Secret
	asks       []sdk.SampleAsk
	made       sdk.Request
	checked    []sdk.Source
	problems   []sdk.SettingProblem
}

func (e *echo) Describe() sdk.Descriptor { return e.descriptor }

func (e *echo) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	if e.got != nil {
		e.got <- req
		e.secrets <- secrets
	}
	return e.which, e.err
}

func (e *echo) Challenge(context.Context, sdk.Request, []sdk.Secret) (*sdk.Reply, error) {
	return e.reply, nil
}

func (e *echo) Parse(context.Context, sdk.Request) ([]sdk.Event, error) { return e.events, e.parseErr }

func (e *echo) CheckSettings(_ context.Context, source sdk.Source) ([]sdk.SettingProblem, error) {
	e.checked = append(e.checked, source)
	return e.problems, e.err
}

func (e *echo) Samples() []sdk.Sample { return e.descriptor.Samples }

func (e *echo) Sample(_ context.Context, ask sdk.SampleAsk) (sdk.Request, error) {
	e.asks = append(e.asks, ask)
	return e.made, e.err
}

func connect(t *testing.T, p sdk.Provider) *client.Client {
	t.Helper()
	// The host's end and the provider's end are different plugins; this serves
	// the one and connects the other.
	c, _ := plugin.TestPluginGRPCConn(t, false, map[string]plugin.Plugin{"x": both{provider: p}})
	t.Cleanup(func() { _ = c.Close() })
	raw, err := c.Dispense("x")
	if err != nil {
		t.Fatal(err)
	}
	conn, ok := raw.(grpc.ClientConnInterface)
	if !ok {
		t.Fatalf("dispensed %T", raw)
	}
	remote, err := client.Connect(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	return remote
}

// both serves as the SDK does and dispenses the connection as the client does.
type both struct {
	plugin.NetRPCUnsupportedPlugin
	provider sdk.Provider
}

func (b both) GRPCServer(broker *plugin.GRPCBroker, s *grpc.Server) error {
	served, ok := sdk.GRPCPlugin(b.provider).(plugin.GRPCPlugin)
	if !ok {
		return errors.New("the SDK's plugin is none for gRPC")
	}
	return served.GRPCServer(broker, s)
}

func (both) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

// full returns a T in which no field is zero, so that a field that the
// conversion forgets is noticed here.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(1700000000+int64(*n), 0).UTC()))
		return
	case time.Duration:
		v.Set(reflect.ValueOf(time.Duration(*n) * time.Second / 10))
		return
	case sdk.FilterKind:
		v.Set(reflect.ValueOf(sdk.String))
		return
	case sdk.SettingKind:
		v.Set(reflect.ValueOf(sdk.TableSetting))
		return
	case sdk.Settings:
		v.Set(reflect.ValueOf(sdk.Settings{
			"text": "x", "empty": "", "on": true, "off": false, "integer": int64(-7), "time": 90 * time.Second, "list": []string{"a", "b"},
			"nothing": []string{}, "table": map[string]string{"status": "data.status"},
		}))
		return
	case map[string]any:
		v.Set(reflect.ValueOf(map[string]any{"id": json.Number("9007199254740993"), "list": []any{"a", true, nil}}))
		return
	case http.Header:
		v.Set(reflect.ValueOf(http.Header{"X-Raw": {"caf\xe9", "two"}}))
		return
	}
	switch v.Kind() {
	case reflect.Interface: // the default of a setting
		v.Set(reflect.ValueOf(map[string]string{"status": "data.status"}))
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(200 + *n))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			if v.Type().Elem().Kind() == reflect.Uint8 {
				v.Index(i).SetUint(uint64(0xf0 + i))
			} else {
				fill(t, v.Index(i), n)
			}
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key, n)
		fill(t, value, n)
		v.SetMapIndex(key, value)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	default:
		t.Fatalf("fill does not know %s", v.Type())
	}
}

func filled[T any](t *testing.T) T {
	t.Helper()
	var v T
	n := 0
	fill(t, reflect.ValueOf(&v).Elem(), &n)
	return v
}

func TestNothingIsLostOnTheWire(t *testing.T) {
	t.Parallel()
	p := &echo{
		descriptor: filled[sdk.Descriptor](t),
		which:      sdk.Which{0, 1},
		events:     []sdk.Event{filled[sdk.Event](t)},
		got:        make(chan sdk.Request, 2),
		secrets:    make(chan []sdk.Secret, 2),
	}
	remote := connect(t, p)
	if got := remote.Describe(); !reflect.DeepEqual(got, p.descriptor) {
		t.Errorf("descriptor\n got %+v\nwant %+v", got, p.descriptor)
	}

	req := filled[sdk.Request](t)
	secrets := filled[[]sdk.Secret](t)
	for i := range secrets {
		secrets[i].Source = req.Sources[i].Name
	}
	d, err := remote.Deliver(t.Context(), req, secrets, sdk.DeliverOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(d.Which, p.which) || !reflect.DeepEqual(d.Events, p.events) {
		t.Errorf("delivery\n got %+v\nwant %+v", d.Events, p.events)
	}
	if got := <-p.got; !reflect.DeepEqual(got, req) {
		t.Errorf("request\n got %+v\nwant %+v", got, req)
	}
	if got := <-p.secrets; !reflect.DeepEqual(got, secrets) {
		t.Errorf("secrets\n got %+v\nwant %+v", got, secrets)
	}

	// The same, called one by one.
	which, err := remote.Verify(t.Context(), req, secrets)
	if err != nil || !reflect.DeepEqual(which, p.which) {
		t.Errorf("verify: %v, %v", which, err)
	}
	events, err := remote.Parse(t.Context(), req)
	if err != nil || !reflect.DeepEqual(events, p.events) {
		t.Errorf("parse: %v", err)
	}
	reply := filled[sdk.Reply](t)
	p.reply = &reply
	got, err := remote.Challenge(t.Context(), req, secrets)
	if err != nil || !reflect.DeepEqual(got, &reply) {
		t.Errorf("challenge\n got %+v, %v\nwant %+v", got, err, reply)
	}
}

func TestSamplesCrossTheWireWhole(t *testing.T) {
	t.Parallel()
	p := &echo{descriptor: sdk.Descriptor{Samples: []sdk.Sample{{Name: "ring", Help: "Somebody rings."}}}, made: filled[sdk.Request](t)}
	p.made.Settings, p.made.Sources = nil, nil // nobody has read it for anybody yet
	p.descriptor.Settings = []sdk.Setting{{Name: "text"}}
	remote := connect(t, p)
	if got := remote.Samples(); !reflect.DeepEqual(got, p.descriptor.Samples) {
		t.Errorf("samples %+v", got)
	}
	whole := filled[sdk.SampleAsk](t)
	// Without a body, and with one that is empty; without a secret.
	none, empty := whole, whole
	none.Body, none.Secret, empty.Body = nil, nil, []byte{}
	for i, ask := range []sdk.SampleAsk{whole, none, empty} {
		made, err := remote.Sample(t.Context(), ask)
		if err != nil || !reflect.DeepEqual(made, p.made) {
			t.Errorf("made\n got %+v, %v\nwant %+v", made, err, p.made)
		}
		if !reflect.DeepEqual(p.asks[i], ask) {
			t.Errorf("asked\n got %+v\nwant %+v", p.asks[i], ask)
		}
	}
	p.err = fmt.Errorf("nothing by that name: %w", sdk.ErrNoSample)
	if _, err := remote.Sample(t.Context(), whole); !errors.Is(err, sdk.ErrNoSample) {
		t.Errorf("no such sample: %v", err)
	}

	// A provider that makes none is not asked.
	if _, err := connect(t, &echo{}).Sample(t.Context(), whole); !errors.Is(err, sdk.ErrNoSample) {
		t.Errorf("a provider without samples: %v", err)
	}
}

func TestSettingsAreCheckedByTheProvider(t *testing.T) {
	t.Parallel()
	p := &echo{problems: filled[[]sdk.SettingProblem](t)}
	remote := connect(t, p)
	if !remote.Describe().ChecksSettings {
		t.Error("the descriptor does not say that settings are checked")
	}
	source := filled[sdk.Source](t)
	problems, err := remote.CheckSettings(t.Context(), source)
	if err != nil || !reflect.DeepEqual(problems, p.problems) {
		t.Errorf("problems\n got %+v, %v\nwant %+v", problems, err, p.problems)
	}
	if len(p.checked) != 1 || !reflect.DeepEqual(p.checked[0], source) {
		t.Errorf("checked\n got %+v\nwant %+v", p.checked, source)
	}
}

func TestErrorsKeepTheirKindAcrossTheWire(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ err, is, isNot error }{
		"bad signature": {sdk.ErrBadSignature, sdk.ErrBadSignature, sdk.ErrStale},
		"stale":         {fmt.Errorf("slow post: %w", sdk.ErrStale), sdk.ErrStale, sdk.ErrUnparseable},
		"stale is bad":  {sdk.ErrStale, sdk.ErrBadSignature, sdk.ErrCredential},
		"unparseable":   {sdk.Unparseable("no field %q", "x"), sdk.ErrUnparseable, sdk.ErrBadSignature},
		"credential":    {fmt.Errorf("%w: short", sdk.ErrCredential), sdk.ErrCredential, sdk.ErrBadSignature},
		"deadline":      {context.DeadlineExceeded, context.DeadlineExceeded, sdk.ErrBadSignature},
		"anything else": {errors.New("disk on fire"), nil, sdk.ErrBadSignature},
		"not UTF-8":     {errors.New("bad \xff byte"), nil, sdk.ErrBadSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			remote := connect(t, &echo{which: sdk.Which{0}, parseErr: tt.err})
			d, err := remote.Deliver(t.Context(), sdk.Request{}, []sdk.Secret{{Source: "s"}}, sdk.DeliverOptions{})
			if err == nil || (tt.is != nil && !errors.Is(err, tt.is)) || errors.Is(err, tt.isNot) {
				t.Errorf("got %v", err)
			}
			if !strings.Contains(err.Error(), strings.ToValidUTF8(tt.err.Error(), "\uFFFD")) {
				t.Errorf("%q does not say %q", err, tt.err)
			}
			if len(d.Which) != 1 {
				t.Errorf("a parse error does not say who signed: %+v", d)
			}
		})
	}
}

func TestDeliverNeverParsesWhatNobodySigned(t *testing.T) {
	t.Parallel()
	remote := connect(t, &echo{events: []sdk.Event{{Name: "x"}}})
	d, err := remote.Deliver(t.Context(), sdk.Request{}, nil, sdk.DeliverOptions{})
	if !errors.Is(err, sdk.ErrBadSignature) || len(d.Events) != 0 {
		t.Errorf("got %+v, %v", d, err)
	}
}
