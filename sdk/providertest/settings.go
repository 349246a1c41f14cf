package providertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

// writtenSetting is a line of the file settings.
type writtenSetting struct {
	source, name string
	value        any
}

func (c *Case) readSettings(data []byte) error {
	return eachLine(data, func(line string) error {
		left, right, ok := strings.Cut(line, "=")
		source, name, both := strings.Cut(strings.TrimSpace(left), " ")
		if !ok || !both {
			return errors.New("not `source name = \"value\"`, the value as JSON")
		}
		var value any
		if err := json.Unmarshal([]byte(right), &value); err != nil {
			return fmt.Errorf("the value of %s is not JSON: %w", strings.TrimSpace(name), err)
		}
		if f, ok := value.(float64); ok && f == math.Trunc(f) {
			value = int64(f)
		}
		c.settings = append(c.settings, writtenSetting{source, strings.TrimSpace(name), value})
		return nil
	})
}

// settle gives the sources of a case their settings, by what a descriptor says
// of them.
func (c *Case) settle(d sdk.Descriptor) error {
	if len(d.Settings) == 0 {
		if len(c.settings) > 0 {
			return fmt.Errorf("the provider has no settings, and %s gives it some", settingsFile)
		}
		return nil
	}
	var names []string
	for _, s := range c.Secrets {
		if !slices.Contains(names, s.Source) {
			names = append(names, s.Source)
		}
	}
	for _, s := range c.settings {
		if !slices.Contains(names, s.source) {
			names = append(names, s.source)
		}
	}
	var faults []error
	c.Request.Sources = nil
	for _, name := range names {
		written := map[string]any{}
		for _, s := range c.settings {
			if s.source == name {
				written[s.name] = s.value
			}
		}
		settings, problems := d.ReadSettings(written)
		for _, p := range problems {
			faults = append(faults, fmt.Errorf("%s: source %s: %s %s", settingsFile, name, p.Setting, p.Message))
		}
		c.Request.Sources = append(c.Request.Sources, sdk.Source{
			Name: name, Settings: settings,
			Unsigned: !slices.ContainsFunc(c.Secrets, func(s sdk.Secret) bool { return s.Source == name }),
		})
	}
	// For Options.Sign; a provider gets those of each source.
	if len(c.Secrets) > 0 {
		c.Request.Settings = settingsOf(c.Request.Sources, c.signer().Source)
	}
	return errors.Join(faults...)
}

// signer is the secret that signs the case, as far as is known. There is one.
func (c *Case) signer() sdk.Secret {
	if c.want != nil && len(c.want.Which) > 0 && c.want.Which[0] < len(c.Secrets) {
		return c.Secrets[c.want.Which[0]]
	}
	return c.Secrets[0]
}

func settingsOf(sources []sdk.Source, name string) sdk.Settings {
	for _, s := range sources {
		if s.Name == name {
			return s.Settings
		}
	}
	return nil
}

// with returns what a descriptor says of the sources of a case.
func (c *Case) with(d sdk.Descriptor) sdk.Descriptor {
	seen, own := map[string]bool{}, d
	for _, s := range c.Request.Sources {
		one := own.With(s.Settings)
		for _, f := range one.Filters[len(own.Filters):] {
			if !seen[f.Name] {
				seen[f.Name] = true
				d.Filters = append(slices.Clip(d.Filters), f)
			}
		}
		for _, h := range one.SignatureHeaders {
			if !slices.Contains(d.SignatureHeaders, h) {
				d.SignatureHeaders = append(slices.Clip(d.SignatureHeaders), h)
			}
		}
	}
	return d
}

// meant gives sources that a check makes up the settings of the case's own.
func meant(req sdk.Request, secrets []sdk.Secret) []sdk.Source {
	sources := req.Sources
	if len(sources) == 0 {
		return nil
	}
	for _, s := range secrets {
		if !slices.ContainsFunc(sources, func(known sdk.Source) bool { return known.Name == s.Source }) {
			sources = append(slices.Clip(sources), sdk.Source{Name: s.Source, Settings: req.Settings})
		}
	}
	return sources
}

// settingsText writes settings so that they can be compared.
func settingsText(all []sdk.Setting) string {
	var b strings.Builder
	for _, s := range all {
		f := s.Filters
		s.Filters = nil
		fmt.Fprintf(&b, "%#v\n", s)
		if f != nil {
			fmt.Fprintf(&b, "%#v\n", *f)
		}
	}
	return b.String()
}
