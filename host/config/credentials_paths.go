package config

import (
	"slices"

	"github.com/action-llama/gateway/sdk"
)

// Paths lists the files that Read looks at, whether they exist or not.
func (c Credentials) Paths(typ, instance string, fields []sdk.Field) []string {
	ref := CredentialRef{Type: typ, Instance: instance}
	if !credentialName.MatchString(typ) || !credentialName.MatchString(instance) {
		return nil
	}
	var out []string
	for _, f := range fields {
		for _, name := range slices.Concat([]string{f.Name}, f.Aliases) {
			out = append(out, c.path(ref, name))
		}
	}
	return out
}
