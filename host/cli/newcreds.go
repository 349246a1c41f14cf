package cli

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/sdk"
)

// plannedCredential is what a new project's source is proved with.
type plannedCredential struct {
	ref   config.CredentialRef
	state credentialState
	dir   string // where it is, unless it is missing
	// values are still to be written: nothing is until everything was answered.
	values map[string]string
}

type credentialState int

const (
	credentialNone    credentialState = iota // the provider needs none
	credentialThere                          // somebody stored it before
	credentialMade                           // made up now
	credentialAsked                          // typed now
	credentialMissing                        // the vendor hands it out; it is still to be stored
)

// credential sees to it that there is one, as far as that can be done here: what
// the operator may choose is made up, and what the vendor hands out is asked for.
func (p projectPlan) credential(ctx context.Context, d *dialog, ask bool, c config.Credentials, provider sdk.Descriptor) (plannedCredential, error) {
	typ := provider.Credential.Type
	if typ == "" {
		return plannedCredential{}, nil
	}
	out := plannedCredential{ref: config.CredentialRef{Type: typ, Instance: p.name}, dir: filepath.Join(c.Dir, typ, p.name)}
	_, err := c.Read(typ, p.name, provider.Credential.Fields)
	switch {
	case err == nil:
		out.state = credentialThere
		return out, nil
	case !errors.Is(err, fs.ErrNotExist):
		return out, err
	}
	if out.values = madeUp(provider); out.values != nil {
		out.state = credentialMade
		return out, nil
	}
	out.state = credentialMissing
	if !ask {
		return out, nil
	}
	d.say("")
	now, err := d.confirm(ctx, provider.Name+" signs with the credential "+out.ref.String()+". Store it now?", true)
	if err != nil || !now {
		return out, err
	}
	a := addition{
		options: credsAddOptions{streams: d.streams, ref: out.ref, force: true},
		typ:     typeOf(provider), stored: map[string]bool{}, values: map[string]string{},
	}
	if err := errors.Join(a.ask(ctx, d), a.check(c)); err != nil {
		return out, err
	}
	out.state, out.values = credentialAsked, a.values
	return out, nil
}

// madeUp returns a credential of which every field that is needed may be chosen
// here, or nil.
func madeUp(d sdk.Descriptor) map[string]string {
	if slices.ContainsFunc(d.Credential.Fields, func(f sdk.Field) bool { return !f.Generated && !f.Optional }) {
		return nil
	}
	values := map[string]string{}
	for _, f := range d.Credential.Fields {
		if f.Generated {
			values[f.Name] = app.RandomSecret()
		}
	}
	if len(values) == 0 {
		return nil
	}
	return values
}
