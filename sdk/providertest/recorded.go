package providertest

import (
	"os"
	"path/filepath"
	"strings"
)

// Payloads reads the bodies of deliveries that a vendor really sent, one in each
// file *.json of a folder, by the names of the files without extension. Such
// payloads are seldom the author's to distribute, and kept elsewhere: where
// there are none the test is skipped.
func Payloads(t interface {
	Helper()
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}, dir string) map[string][]byte {
	t.Helper()
	const suffix = ".json"
	paths, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		t.Fatalf("payloads in %s: %v", dir, err)
	}
	if len(paths) == 0 {
		t.Skipf("no recorded payloads in %s", dir)
	}
	all := make(map[string][]byte, len(paths))
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("read payload: %v", err)
		}
		all[strings.TrimSuffix(filepath.Base(path), suffix)] = body
	}
	return all
}
