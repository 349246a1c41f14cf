package providertest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

// canary is part of hostile bodies, to be found where bodies must not be.
const canary = "providertest-canary-9d3f51c7"

// minNeedle is how long a secret has to be for the kit to look for it. Shorter
// ones turn up by chance.
const minNeedle = 6

// needle is a text that must not turn up.
type needle struct{ what, text string }

// needles are the secret values of all cases, in the spellings that a log in
// JSON gives them.
func (s *Suite) needles(d sdk.Descriptor) []needle {
	secret := map[string]bool{}
	for _, f := range d.Credential.Fields {
		if f.Secret {
			for _, name := range append([]string{f.Name}, f.Aliases...) {
				secret[name] = true
			}
		}
	}
	all := []needle{{"the body of a request", canary}}
	seen := map[string]bool{}
	for _, c := range s.Cases {
		for _, one := range c.Secrets {
			for name, value := range one.Fields {
				if !secret[name] || len(value) < minNeedle || seen[value] {
					continue
				}
				seen[value] = true
				what := fmt.Sprintf("the secret field %q", name)
				all = append(all, needle{what, value})
				if quoted, err := json.Marshal(value); err == nil && string(quoted[1:len(quoted)-1]) != value {
					all = append(all, needle{what, string(quoted[1 : len(quoted)-1])})
				}
			}
		}
	}
	return all
}

func (k *checker) leaks(text string) (what string, found bool) {
	for _, n := range k.needles {
		if strings.Contains(text, n.text) {
			return n.what, true
		}
	}
	return "", false
}

// masked is what a finding may quote: reports of tests are stored, too.
func (k *checker) masked(text string) string {
	for _, n := range k.needles {
		text = strings.ReplaceAll(text, n.text, "<"+n.what+">")
	}
	return text
}
