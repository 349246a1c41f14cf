//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dashboards asks Prometheus what Grafana would: each panel has something to show
// of a gateway in which much happens, agent being the one that is chosen.
func (w *watched) dashboards(agent string) {
	w.t.Helper()
	files, err := filepath.Glob("../deploy/grafana/dashboards/*.json")
	if err != nil || len(files) < 2 {
		w.t.Fatalf("dashboards %v, %v", files, err)
	}
	panels := 0
	for _, file := range files {
		for _, p := range panelsOf(w.t, file) {
			for _, target := range p.Targets {
				panels++
				expr := strings.NewReplacer("$agent", agent, "$__rate_interval", "1m").Replace(target.Expr)
				found := w.prometheus.query(expr)
				if !slices.ContainsFunc(found, func(s sample) bool { return s.value != "NaN" }) {
					w.t.Errorf("%s, panel %q: nothing is found by %s: %v", filepath.Base(file), p.Title, expr, found)
				}
			}
		}
	}
	if panels < 50 {
		w.t.Errorf("%d queries were tried; there should be more", panels)
	}
}

type grafanaPanel struct {
	Title   string `json:"title"`
	Targets []struct {
		Expr string `json:"expr"`
	} `json:"targets"`
}

func panelsOf(t *testing.T, file string) []grafanaPanel {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []grafanaPanel `json:"panels"`
	}
	if err := json.Unmarshal(raw, &dashboard); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return dashboard.Panels
}
