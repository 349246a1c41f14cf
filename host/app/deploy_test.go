package app_test

import (
	"errors"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/config"
)

const deployed = "../../deploy"

// afterGrace is how much longer than [gateway] shutdownGrace whoever stops a
// gateway has to wait: deliveries and providers come on top of it.
const afterGrace = 30 * time.Second

// compose is a file for Docker, as far as it is looked at.
type compose struct {
	Services map[string]composed `yaml:"services"`
	Volumes  map[string]any      `yaml:"volumes"`
	Secrets  map[string]any      `yaml:"secrets"`
}

type composed struct {
	Extends struct {
		File    string `yaml:"file"`
		Service string `yaml:"service"`
	} `yaml:"extends"`
	Image string `yaml:"image"`
	Build struct {
		Context    string `yaml:"context"`
		Dockerfile string `yaml:"dockerfile"`
	} `yaml:"build"`
	Environment map[string]string `yaml:"environment"`
	Secrets     []string          `yaml:"secrets"`
	Volumes     []string          `yaml:"volumes"`
	Ports       []string          `yaml:"ports"`
	NetworkMode string            `yaml:"network_mode"`
	Networks    map[string]struct {
		Aliases []string `yaml:"aliases"`
	} `yaml:"networks"`
	ReadOnly bool     `yaml:"read_only"`
	CapDrop  []string `yaml:"cap_drop"`
	Security []string `yaml:"security_opt"`
	Grace    string   `yaml:"stop_grace_period"`
}

// readCompose reads a file with what it extends.
func readCompose(t *testing.T, name string) compose {
	t.Helper()
	var file compose
	readYAML(t, filepath.Join(deployed, name), &file)
	for service, s := range file.Services {
		if s.Extends.File == "" {
			continue
		}
		base, ok := readCompose(t, s.Extends.File).Services[s.Extends.Service]
		if !ok {
			t.Fatalf("%s: %s extends nothing that there is: %+v", name, service, s.Extends)
		}
		if s.Image == "" {
			s.Image = base.Image
		}
		s.Volumes, s.Ports = slices.Concat(base.Volumes, s.Volumes), slices.Concat(base.Ports, s.Ports)
		s.ReadOnly, s.CapDrop, s.Security = base.ReadOnly, base.CapDrop, base.Security
		file.Services[service] = s
	}
	return file
}

// What the files for Docker mount and build is there, nothing is open to other
// machines, and no service may do more than it has to.
func TestComposeFindsItsFiles(t *testing.T) {
	t.Parallel()
	for name, services := range map[string][]string{
		"compose.yaml":       {"gateway", "prometheus", "grafana"},
		"compose.fleet.yaml": {"al1", "al2", "balancer", "postgres", "prometheus", "grafana"},
	} {
		file := readCompose(t, name)
		if got := slices.Sorted(maps.Keys(file.Services)); !slices.Equal(got, slices.Sorted(slices.Values(services))) {
			t.Errorf("%s has %v", name, got)
		}
		for service, s := range file.Services {
			for _, path := range s.paths(t, name+": "+service, file) {
				if _, err := os.Stat(path); err != nil {
					t.Errorf("%s: %s: %v", name, service, err)
				}
			}
			for _, port := range s.Ports {
				if !strings.HasPrefix(port, "127.0.0.1:") {
					t.Errorf("%s: %s is open to other machines: %s", name, service, port)
				}
			}
			if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.Security, "no-new-privileges:true") {
				t.Errorf("%s: %s may do more than it has to", name, service)
			}
		}
	}
}

// paths are those of this repository that a service needs.
func (s composed) paths(t *testing.T, where string, file compose) []string {
	t.Helper()
	var paths []string
	if s.Image == "" {
		paths = append(paths, filepath.Join(deployed, s.Build.Context, s.Build.Dockerfile))
	}
	for _, v := range s.Volumes {
		from, _, _ := strings.Cut(v, ":")
		switch _, ok := file.Volumes[from]; {
		case strings.HasPrefix(v, "${"): // the user's
		case strings.HasPrefix(from, "./"):
			paths = append(paths, filepath.Join(deployed, from))
		case !ok:
			t.Errorf("%s: there is no volume %s", where, from)
		}
	}
	for _, secret := range s.Secrets {
		if _, ok := file.Secrets[secret]; !ok {
			t.Errorf("%s: there is no secret %s", where, secret)
		}
	}
	return paths
}

// hosts are the services that are a gateway.
func (c compose) hosts() []string {
	var names []string
	for name, s := range c.Services {
		if strings.Contains(s.Image, "${AL_IMAGE") || s.Build.Dockerfile != "" {
			names = append(names, name)
		}
	}
	return slices.Sorted(slices.Values(names))
}

// Whoever stops a gateway, waits longer than it may take.
func TestDeployedGatewaysMayFinish(t *testing.T) {
	t.Parallel()
	long := func(text string) time.Duration {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Errorf("%q is no duration", text)
		}
		return d
	}
	usual := long(defaultOf(t, "gateway.shutdownGrace"))
	enough := func(where string, waits time.Duration, env string) {
		grace := usual
		if env != "" {
			grace = long(env)
		}
		if waits < grace+afterGrace {
			t.Errorf("%s waits %s for a gateway that may take %s and what comes on top", where, waits, grace)
		}
	}
	for _, name := range []string{"compose.yaml", "compose.fleet.yaml"} {
		file := readCompose(t, name)
		for _, host := range file.hosts() {
			s := file.Services[host]
			enough(name+": "+host, long(s.Grace), s.Environment["AL_GATEWAY_SHUTDOWN_GRACE"])
		}
	}
	pod := readDeployment(t).Spec.Template.Spec
	enough("deployment.yaml", time.Duration(pod.Grace)*time.Second, pod.al(t).env("AL_GATEWAY_SHUTDOWN_GRACE"))

	unit := readDeployed(t, "systemd/al.service")
	stop := regexp.MustCompile(`(?m)^TimeoutStopSec=(\S+)$`).FindStringSubmatch(unit)
	if stop == nil {
		t.Fatal("al.service does not say how long it waits")
	}
	enough("al.service", long(stop[1]), "")
}

func defaultOf(t *testing.T, key string) string {
	t.Helper()
	for _, k := range config.Keys() {
		if k.Name == key {
			return strings.Trim(k.Default, `"`)
		}
	}
	t.Fatalf("there is no key %s", key)
	return ""
}

func readDeployed(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(deployed, name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("this module is here without its repository")
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

type deployment struct {
	Spec struct {
		Template struct {
			Metadata struct {
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"metadata"`
			Spec pod `yaml:"spec"`
		} `yaml:"template"`
	} `yaml:"spec"`
}

type pod struct {
	Grace      int         `yaml:"terminationGracePeriodSeconds"`
	Containers []container `yaml:"containers"`
}

type container struct {
	Name string `yaml:"name"`
	Env  []struct {
		Name  string `yaml:"name"`
		Value string `yaml:"value"`
	} `yaml:"env"`
	Ports []struct {
		Name string `yaml:"name"`
		Port int    `yaml:"containerPort"`
	} `yaml:"ports"`
	Startup   probe `yaml:"startupProbe"`
	Readiness probe `yaml:"readinessProbe"`
	Liveness  probe `yaml:"livenessProbe"`
}

type probe struct {
	Get struct {
		Path string `yaml:"path"`
		Port string `yaml:"port"`
	} `yaml:"httpGet"`
}

func readDeployment(t *testing.T) (d deployment) {
	t.Helper()
	readYAML(t, deployed+"/kubernetes/deployment.yaml", &d)
	return d
}

// al is the container of the gateway.
func (p pod) al(t *testing.T) container {
	t.Helper()
	i := slices.IndexFunc(p.Containers, func(c container) bool { return c.Name == "al" })
	if i < 0 {
		t.Fatal("deployment.yaml has no container al")
	}
	return p.Containers[i]
}

func (c container) env(name string) string {
	for _, e := range c.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

var (
	alVariable   = regexp.MustCompile(`\bAL_[A-Z0-9_]+`)
	interpolated = regexp.MustCompile(`\$\{(AL_[A-Z0-9_]+)`)
)

// A variable of the gateway that is set in deploy is one that it reads. Those
// that Docker puts into its files are not the gateway's, and not like them.
func TestDeployedVariablesAreKnown(t *testing.T) {
	t.Parallel()
	known := map[string]bool{config.CredentialsEnv: true}
	for _, k := range config.Keys() {
		known[k.Env] = true
	}
	asked := map[string]bool{}
	for _, name := range []string{"compose.yaml", "compose.fleet.yaml"} {
		for _, m := range interpolated.FindAllStringSubmatch(readDeployed(t, name), -1) {
			asked[m[1]] = true
			if known[m[1]] {
				t.Errorf("%s asks for %s, which the gateway reads", name, m[1])
			}
		}
	}
	seen := 0
	err := filepath.WalkDir(deployed, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(filepath.Clean(path))
		for _, name := range alVariable.FindAllString(string(raw), -1) {
			seen++
			if !known[name] && !asked[name] {
				t.Errorf("%s: nothing reads %s", path, name)
			}
		}
		return err
	})
	if err != nil || seen == 0 {
		t.Fatalf("%d variables, %v", seen, err)
	}
	for _, host := range []string{"al1", "al2"} {
		if readCompose(t, "compose.fleet.yaml").Services[host].Environment["AL_STORE_URL_FILE"] == "" {
			t.Errorf("%s has no database to share", host)
		}
	}
}

// Whoever talks to a gateway, talks to the port that it listens on, and to all
// hosts that there are.
func TestDeployedPortsAgree(t *testing.T) {
	t.Parallel()
	port := defaultOf(t, "gateway.port")
	template := readDeployment(t).Spec.Template
	al := template.Spec.al(t)
	if len(al.Ports) != 1 || strconv.Itoa(al.Ports[0].Port) != port || template.Metadata.Annotations["prometheus.io/port"] != port {
		t.Fatalf("deployment.yaml: %+v, %v; the gateway listens on %s", al.Ports, template.Metadata.Annotations, port)
	}
	for what, p := range map[string]probe{"/ready": al.Readiness, "/ready, too": al.Startup, "/health": al.Liveness} {
		path, _, _ := strings.Cut(what, ",")
		if p.Get.Path != path || p.Get.Port != al.Ports[0].Name {
			t.Errorf("deployment.yaml asks for %+v; want %s of the container's port", p.Get, path)
		}
	}
	var service struct {
		Spec struct {
			Ports []struct {
				Target string `yaml:"targetPort"`
			} `yaml:"ports"`
		} `yaml:"spec"`
	}
	readYAML(t, deployed+"/kubernetes/service.yaml", &service)
	if len(service.Spec.Ports) != 1 || service.Spec.Ports[0].Target != al.Ports[0].Name {
		t.Errorf("service.yaml: %+v", service.Spec.Ports)
	}
	if !strings.Contains(readDeployed(t, "Dockerfile"), "\nEXPOSE "+port+"\n") {
		t.Errorf("the Dockerfile does not expose %s", port)
	}

	var all []string
	for _, host := range readCompose(t, "compose.fleet.yaml").hosts() {
		all = append(all, net.JoinHostPort(host, port))
	}
	var balanced []string
	for _, m := range regexp.MustCompile(`(?m)^ +server \S+ (\S+)`).FindAllStringSubmatch(readDeployed(t, "haproxy/haproxy.cfg"), -1) {
		balanced = append(balanced, m[1])
	}
	if len(all) != 2 || !slices.Equal(balanced, all) {
		t.Errorf("the balancer knows %v of %v", balanced, all)
	}
	for name, want := range map[string][]string{"prometheus.yml": {"127.0.0.1:" + port}, "prometheus.fleet.yml": all} {
		if got := scraped(t, name); !slices.Equal(got, want) {
			t.Errorf("%s scrapes %v; want %v", name, got, want)
		}
	}
}

func scraped(t *testing.T, name string) (targets []string) {
	t.Helper()
	var file struct {
		Jobs []struct {
			Static []struct {
				Targets []string `yaml:"targets"`
			} `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, deployed+"/prometheus/"+name, &file)
	for _, job := range file.Jobs {
		for _, s := range job.Static {
			targets = append(targets, s.Targets...)
		}
	}
	return targets
}

// Grafana finds Prometheus by the same name in both files for Docker.
func TestGrafanaFindsPrometheus(t *testing.T) {
	t.Parallel()
	var file struct {
		Sources []struct {
			URL string `yaml:"url"`
		} `yaml:"datasources"`
	}
	readYAML(t, deployed+"/grafana/provisioning/datasources/prometheus.yml", &file)
	if len(file.Sources) != 1 || file.Sources[0].URL != "http://prometheus:9090" {
		t.Fatalf("Grafana looks at %+v", file.Sources)
	}
	for _, name := range []string{"compose.yaml", "compose.fleet.yaml"} {
		services := readCompose(t, name).Services
		// One that shares the network of another goes by that one's names.
		on, shares := strings.CutPrefix(services["prometheus"].NetworkMode, "service:")
		if shares && !slices.Contains(services[on].Networks["default"].Aliases, "prometheus") {
			t.Errorf("%s: nothing goes by the name prometheus", name)
		}
	}
}
