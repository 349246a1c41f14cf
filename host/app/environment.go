package app

import (
	"strings"

	"github.com/action-llama/gateway/host/config"
)

// environment is what a run sees of its agent's credentials, and what has to be
// masked in its output. A credential of one field is a variable named after its
// type (acme_token is ACME_TOKEN, which is how the tools of most vendors name
// what they look for); of several, the field's name follows.
func environment(credentials config.Credentials, refs []config.CredentialRef) (env map[string]string, secrets []string, err error) {
	sets, err := credentials.ReadSet(refs)
	if err != nil {
		return nil, nil, err
	}
	env = map[string]string{}
	for ref, fields := range sets {
		for field, value := range fields {
			name := ref.Type
			if len(fields) > 1 {
				name += "_" + field
			}
			env[variable(name)] = value
			secrets = append(secrets, value)
		}
	}
	return env, secrets, nil
}

func variable(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		default:
			return '_'
		}
	}, name)
}
