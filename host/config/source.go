package config

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/action-llama/gateway/host/spelling"
)

var (
	// sourceName is what needs no escaping in a URL. A name of dots alone would
	// be taken for a path.
	sourceName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	// typeName is what sdk.Descriptor allows for a provider's type.
	typeName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
)

// sources reads [webhooks.<name>].
func (l *loader) sources(e *entry) {
	table := l.table(e, "webhooks", `write [webhooks.<name>] with one pair of brackets, for example [webhooks.my-source]`)
	if table == nil {
		return
	}
	for _, of := range table.entries {
		path := "webhooks." + of.key
		if of.value.kind != tableKind && contains(keysOf(projectFile, "webhooks.<name>"), of.key) {
			l.problems.add(Errorf(of.pos, "webhooks.%s: the source has no name", of.key).
				WithFix("write [webhooks.<name>] above it, for example [webhooks.my-source]"))
			continue
		}
		in := l.table(of, path, fmt.Sprintf("write [%s] and below it type = \"...\"", path))
		if in == nil {
			continue
		}
		if !sourceName.MatchString(of.key) || strings.Trim(of.key, ".") == "" {
			l.problems.add(Errorf(of.pos, "webhooks.%q: not a name for a source, since it is part of a URL", shorten(of.key)).
				WithFix(`use up to 64 letters, digits, ".", "_" and "-"`))
		}
		l.project.Sources = append(l.project.Sources, l.source(of, in, path))
	}
}

func (l *loader) source(of *entry, in *value, path string) Source {
	s := Source{Name: of.key, Pos: in.pos}
	var unsigned *entry
	for _, e := range in.entries {
		switch e.key {
		case "type":
			s.Type, s.TypePos = l.sourceType(e, path), e.value.pos
		case "credential":
			s.Credentials = append(s.Credentials, l.sourceCredentials(e, path+".credential", "")...)
		case "allowUnsigned":
			if e.value.kind != booleanKind {
				l.fault(e.value.pos, "%s.allowUnsigned must be true or false, got %s", path, e.value.kind)
				continue
			}
			unsigned = e
		default:
			// A credential by its type, or a setting of the provider: no name fits
			// both.
			known := keysOf(projectFile, "webhooks.<name>")
			if strings.Contains(e.key, "_") && credentialName.MatchString(e.key) && spelling.Nearest(e.key, known) == "" {
				s.Credentials = append(s.Credentials, l.sourceCredentials(e, path+"."+e.key, e.key)...)
				continue
			}
			s.Settings = append(s.Settings, sourceSetting(e))
		}
	}
	if l.broken {
		return s // the rest of it may be behind the error
	}
	if in.get("type") == nil {
		l.problems.add(Errorf(s.Pos, "%s: type is missing", path).
			WithFix(`add type = "..." with the name of a provider; it is what follows al-provider- in the name of its file`))
	}
	if len(s.Credentials) == 0 && !hasCredential(in) {
		l.unsigned(s, unsigned, path)
	}
	return s
}

// hasCredential says that a credential was meant, even if it made no sense.
func hasCredential(in *value) bool {
	for _, e := range in.entries {
		if e.key == "credential" || strings.Contains(e.key, "_") || spelling.Nearest(e.key, []string{"credential"}) != "" {
			return true
		}
	}
	return false
}

func (l *loader) unsigned(s Source, allow *entry, path string) {
	add := `add credential = "default", and store it with al creds add`
	switch {
	case allow != nil && !allow.value.boolean:
		// Taking what the file forbids would be the worst way to be lenient.
		l.problems.add(Errorf(allow.value.pos, "%s: allowUnsigned is false, and there is no credential to check signatures with", path).
			WithFix("%s", add))
	default:
		l.problems.add(Warnf(s.Pos, "%s has no credential: it takes unsigned requests from anybody", path).WithFix("%s", add))
	}
}

func (l *loader) sourceType(e *entry, path string) string {
	typ, ok := l.text(e, path+".type")
	if ok && !typeName.MatchString(typ) {
		p := Errorf(e.value.pos, "%s.type is not the type of a provider: %q", path, shorten(typ))
		if low := strings.ToLower(typ); typeName.MatchString(low) {
			p = p.WithFix("did you mean %q?", low)
		} else {
			p = p.WithFix("it is what follows al-provider- in the name of its file")
		}
		l.problems.add(p)
		return ""
	}
	return typ
}

// sourceCredentials reads "instance", "type:instance", or a list of them.
func (l *loader) sourceCredentials(e *entry, path, typ string) []CredentialRef {
	texts, ok := l.texts(e, path, true)
	if !ok {
		return nil
	}
	if len(texts) == 0 {
		l.problems.add(Errorf(e.value.pos, "%s is an empty list", path).
			WithFix("name a credential, or remove the line to take unsigned requests"))
	}
	items := e.value.items
	if e.value.kind == textKind {
		items = []*value{e.value}
	}
	var out []CredentialRef
	for i, item := range items {
		ref := CredentialRef{Type: typ, Instance: item.text, Pos: item.pos}
		if before, after, ok := strings.Cut(item.text, ":"); ok && typ == "" {
			ref.Type, ref.Instance = before, after
		}
		if !credentialName.MatchString(ref.Instance) || ref.Type != "" && !credentialName.MatchString(ref.Type) {
			if e.value.kind == listKind {
				l.badCredential(item, fmt.Sprintf("%s[%d]", path, i))
			} else {
				l.badCredential(item, path)
			}
			continue
		}
		out = append(out, ref)
	}
	return out
}

func (l *loader) badCredential(v *value, path string) {
	// The text is not quoted: it may be the secret itself, put here by mistake.
	p := Errorf(v.pos, "%s is not the name of a credential", path)
	if v.text == "" {
		p = Errorf(v.pos, "%s is empty", path)
	}
	l.problems.add(p.WithFix(`write the name it was stored under with al creds add, such as "default"; the secret itself does not belong here`))
}
