package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"time"
)

//go:embed assets
var assetFiles embed.FS

// assets are the files that pages are made of. Their address changes with what is
// in them, so that a browser keeps them until another gateway comes.
type assets struct {
	files map[string][]byte
	hash  string
}

func loadAssets() (assets, error) {
	a := assets{files: map[string][]byte{}}
	sum := sha256.New()
	entries, err := fs.ReadDir(assetFiles, "assets")
	for _, e := range entries {
		raw, err := fs.ReadFile(assetFiles, "assets/"+e.Name())
		if err != nil {
			return a, fmt.Errorf("live page: %w", err)
		}
		a.files[e.Name()] = raw
		sum.Write(raw)
	}
	a.hash = hex.EncodeToString(sum.Sum(nil))[:12]
	return a, err
}

func (a assets) url(name string) string { return "/assets/" + a.hash + "/" + name }

func (p *Page) asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	raw, ok := p.assets.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.PathValue("hash") == p.assets.hash {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(raw))
}
