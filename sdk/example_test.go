package sdk_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/action-llama/gateway/sdk"
)

// bell is a whole provider: a door bell that signs what it sends.
type bell struct{}

func (bell) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type: "bell", Name: "Door bell", Version: "1.0.0",
		Credential: sdk.Credential{Type: "bell_secret", Fields: []sdk.Field{
			{Name: "secret", Label: "Secret", Secret: true, Generated: true},
		}},
		SignatureHeaders: []string{"X-Bell-Signature"},
		DeliveryIDHeader: "X-Bell-Delivery",
		Filters: []sdk.Filter{
			{Name: "doors", Attribute: "door", Help: "which doors", Values: []string{"front", "back"}},
		},
	}
}

func (bell) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	signature, err := sdk.HexSignature(req.Header, "X-Bell-Signature", "sha256=")
	if err != nil {
		return nil, err
	}
	return sdk.VerifyHMACSHA256(secrets, "secret", signature, req.Body)
}

func (bell) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	var ring struct{ Door, Visitor string }
	if err := json.Unmarshal(req.Body, &ring); err != nil {
		return nil, sdk.Unparseable("body is not JSON")
	}
	return []sdk.Event{{
		DeliveryID: req.Header.Get("X-Bell-Delivery"),
		Name:       "ring",
		Sender:     ring.Visitor,
		Attributes: map[string][]string{"door": {ring.Door}},
	}}, nil
}

// All of main is: func main() { sdk.Serve(bell{}) }
func Example() {
	secret := sdk.Secret{Source: "home", Instance: "default", Fields: map[string]string{"secret": "ding dong"}}
	req := sdk.Request{
		Method: http.MethodPost,
		Header: http.Header{
			"X-Bell-Delivery":  {"42"},
			"X-Bell-Signature": {"sha256=b5c5fa49f7fb0f6f7f3f34ca5c4d8b4a0a0e3f8d6a9d7d7b2f0f1f3b6f5b9a11"},
		},
		Body: []byte(`{"door":"front","visitor":"Ada"}`),
	}
	_, err := sdk.Deliver(context.Background(), bell{}, req, []sdk.Secret{secret}, sdk.DeliverOptions{})
	fmt.Println(err)

	req.Header.Set("X-Bell-Signature", sdk.SignHMACSHA256("sha256=", "ding dong", req.Body))
	delivery, err := sdk.Deliver(context.Background(), bell{}, req, []sdk.Secret{secret}, sdk.DeliverOptions{})
	fmt.Println(delivery.Which, delivery.Events[0].Name, delivery.Events[0].Attributes["door"], err)
	// Output:
	// bad signature: none of 1 secrets fits
	// [0] ring [front] <nil>
}
