package sdk_test

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Everything that an author can name says what it means: types, functions,
// methods, constants, variables, and the fields and methods within, which no
// linter looks at. Generated code is documented in the protocol.
func TestEveryPublicIdentifierIsDocumented(t *testing.T) {
	t.Parallel()
	set := gotoken.NewFileSet()
	seen := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "providerv1"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, found := range identifiers(file) {
			seen++
			if !found.documented {
				t.Errorf("%s: %s has no documentation: say what it means, its unit, and where it comes from", set.Position(found.at), found.name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 250 {
		t.Errorf("looked at %d identifiers only", seen)
	}
}

type identifier struct {
	name       string
	at         gotoken.Pos
	documented bool
}

// identifiers are those that a file exports.
func identifiers(file *ast.File) (all []identifier) {
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if decl.Name.IsExported() && (decl.Recv == nil || ast.IsExported(receiver(decl.Recv.List[0].Type))) {
				all = append(all, identifier{decl.Name.Name, decl.Pos(), decl.Doc.Text() != ""})
			}
		case *ast.GenDecl:
			group := decl.Doc.Text() != "" && !decl.Lparen.IsValid()
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					if spec.Name.IsExported() {
						all = append(all, identifier{spec.Name.Name, spec.Pos(), group || spec.Doc.Text() != ""})
						all = append(all, members(spec.Name.Name, spec.Type)...)
					}
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						if name.IsExported() {
							all = append(all, identifier{name.Name, name.Pos(), group || spec.Doc.Text() != "" || spec.Comment.Text() != ""})
						}
					}
				}
			}
		}
	}
	return all
}

func receiver(expr ast.Expr) string {
	switch expr := expr.(type) {
	case *ast.StarExpr:
		return receiver(expr.X)
	case *ast.IndexExpr:
		return receiver(expr.X)
	case *ast.Ident:
		return expr.Name
	}
	return ""
}

// members are the fields of a struct and the methods of an interface. What is
// embedded is documented where it is declared.
func members(of string, expr ast.Expr) (all []identifier) {
	var list *ast.FieldList
	switch expr := expr.(type) {
	case *ast.StructType:
		list = expr.Fields
	case *ast.InterfaceType:
		list = expr.Methods
	default:
		return nil
	}
	for _, field := range list.List {
		for _, name := range field.Names {
			if name.IsExported() {
				all = append(all, identifier{of + "." + name.Name, name.Pos(), field.Doc.Text() != "" || field.Comment.Text() != ""})
			}
		}
	}
	return all
}

// The documentation begins with a whole provider, and it is the one that is
// compiled and run: Example.
func TestTheDocumentationBeginsWithAWholeProvider(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, begins := strings.Cut(string(example), "// bell is a whole provider")
	provider, _, ends := strings.Cut(rest, "// All of main is")
	if !begins || !ends {
		t.Fatal("the example has no provider between its marks")
	}
	var want strings.Builder
	for line := range strings.Lines("// bell is a whole provider" + strings.TrimRight(provider, "\n") + "\n\nfunc main() { sdk.Serve(bell{}) }\n") {
		want.WriteString(strings.TrimRight("//\t"+line, "\t\n") + "\n")
	}
	if n := strings.Count(want.String(), "\n"); n >= 60 {
		t.Errorf("the whole provider has %d lines", n)
	}
	at := strings.Index(string(doc), want.String())
	if at < 0 || strings.Count(string(doc[:at]), "\n") > 5 {
		t.Errorf("the documentation of the package does not begin with it:\n%s", want.String())
	}
}
