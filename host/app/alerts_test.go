package app_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

type alertRule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func alertRules(t *testing.T) []alertRule {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []alertRule `yaml:"rules"`
		} `yaml:"groups"`
	}
	readYAML(t, "../../deploy/prometheus/rules.yml", &file)
	var rules []alertRule
	for _, g := range file.Groups {
		rules = append(rules, g.Rules...)
	}
	if len(rules) == 0 {
		t.Fatal("there are no alerts")
	}
	return rules
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		t.Skip("this module is here without its repository")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

var (
	metricName = regexp.MustCompile(`\bal_[a-z_]+`)
	selector   = regexp.MustCompile(`\b(al_[a-z_]+)\{([^}]*)\}`)
	matcher    = regexp.MustCompile(`(\w+)(=~|!~|!=|=)"([^"]*)"`)
)

// An alert is about something that is served, says who has to move and what it
// means, and leads to what to do about it.
func TestAlertsAreAboutWhatIsServed(t *testing.T) {
	t.Parallel()
	rules := alertRules(t)
	a := run(t, options(t, standard, measured{}))
	a.ProviderMetrics().Up("bell", "1", true)
	served := families(t, a)
	runbook, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		for _, name := range metricName.FindAllString(r.Expr, -1) {
			if served[family(name)] == nil {
				t.Errorf("%s: there is no metric %s", r.Alert, name)
			}
		}
		for _, s := range selector.FindAllStringSubmatch(r.Expr, -1) {
			for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
				if !hasLabel(served[family(s[1])].String(), m[1], m[3]) {
					t.Errorf("%s: no series of %s has %s", r.Alert, s[1], m[0])
				}
			}
		}
		if severity := r.Labels["severity"]; severity != "page" && severity != "ticket" {
			t.Errorf("%s: severity %q", r.Alert, severity)
		}
		if !strings.HasSuffix(r.Annotations["runbook_url"], "/docs/runbook.md#"+strings.ToLower(r.Alert)) {
			t.Errorf("%s leads to %q", r.Alert, r.Annotations["runbook_url"])
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s does not say what it means", r.Alert)
		}
		_, section, found := strings.Cut(string(runbook), "\n## "+r.Alert+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		for _, part := range []string{"**What it means.**", "**How to see.**", "**What to do.**", "**It ends**"} {
			if !found || !strings.Contains(section, part) {
				t.Errorf("docs/runbook.md does not say of %s: %s", r.Alert, part)
			}
		}
	}
	for _, heading := range regexp.MustCompile(`(?m)^## (\S+)$`).FindAllStringSubmatch(string(runbook), -1) {
		known := false
		for _, r := range rules {
			known = known || r.Alert == heading[1]
		}
		if !known {
			t.Errorf("docs/runbook.md is about %s, which is no alert", heading[1])
		}
	}
}

// family is the metric that a series of a histogram belongs to.
func family(name string) string {
	if base, ok := strings.CutSuffix(name, "_bucket"); ok {
		return base
	}
	return name
}

func hasLabel(family, name, values string) bool {
	for value := range strings.SplitSeq(values, "|") {
		if !regexp.MustCompile(`name:"` + name + `"\s+value:"` + regexp.QuoteMeta(value) + `"`).MatchString(family) {
			return false
		}
	}
	return true
}

// Each alert was seen to fire, and not to.
func TestAlertsAreTested(t *testing.T) {
	t.Parallel()
	fires, quiet := map[string]int{}, map[string]int{}
	files, err := filepath.Glob("../../deploy/prometheus/tests/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		var file struct {
			Tests []struct {
				Rules []struct {
					Alert string `yaml:"alertname"`
					Want  []any  `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			} `yaml:"tests"`
		}
		readYAML(t, path, &file)
		for _, test := range file.Tests {
			for _, r := range test.Rules {
				if len(r.Want) > 0 {
					fires[r.Alert]++
				} else {
					quiet[r.Alert]++
				}
			}
		}
	}
	for _, r := range alertRules(t) {
		if fires[r.Alert] == 0 || quiet[r.Alert] == 0 {
			t.Errorf("%s has %d tests in which it fires and %d in which it does not", r.Alert, fires[r.Alert], quiet[r.Alert])
		}
	}
}
