package scaffold

import (
	"bytes"
	"embed"
	"fmt"
	"go/format"
	"io/fs"
	"path"
	"slices"
	"strings"
	"text/template"
)

//go:embed all:templates
var templates embed.FS

// File is one of a new provider.
type File struct {
	Name string // with slashes
	Text []byte
}

// places are where files go whose template can not have their name: a go.mod
// would end this module.
var places = map[string]string{
	"gitignore": ".gitignore",
	"ci.yml":    ".github/workflows/ci.yml",
}

// Files returns the files of a provider, in the order of their names. They are
// the same for the same choices.
func (p Provider) Files() ([]File, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	d := p.data()
	root := "templates/" + p.Language
	var files []File
	err := fs.WalkDir(templates, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := templates.ReadFile(name)
		if err != nil {
			return err
		}
		target := strings.TrimSuffix(strings.TrimPrefix(name, root+"/"), ".tmpl")
		if place, ok := places[target]; ok {
			target = place
		}
		if text, err = rendered(name, text, d); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		files = append(files, File{Name: target, Text: text})
		return nil
	})
	if err != nil {
		return nil, err
	}
	cases, err := d.cases()
	if err != nil {
		return nil, err
	}
	files = append(files, cases...)
	if d.Samples && p.Language == Go {
		for name, text := range d.samples() {
			files = append(files, File{Name: "samples/" + name + ".json", Text: []byte(text + "\n")})
		}
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// rendered fills a template in. Its marks are brackets, since files have braces
// of their own.
func rendered(name string, text []byte, d data) ([]byte, error) {
	t, err := template.New(path.Base(name)).Delims("[[", "]]").Option("missingkey=error").Parse(string(text))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, d); err != nil {
		return nil, err
	}
	if strings.HasSuffix(name, ".go.tmpl") {
		return format.Source(out.Bytes())
	}
	return out.Bytes(), nil
}
