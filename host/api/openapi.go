package api

import (
	_ "embed"
	"net/http"
)

// Description is what the API is, in OpenAPI. Tests hold it against what the
// gateway does.
//
//go:embed openapi.yaml
var Description []byte

func descriptionRoutes() []route {
	return []route{
		{"GET /api/openapi.yaml", func(*http.Request) (any, error) {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/yaml")
				_, _ = w.Write(Description)
			}), nil
		}},
	}
}
