package runner

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// hostEnv is all that a harness sees of the host's environment: enough to find
// programs, its own configuration and a place for temporary files. The rest
// may hold what is not meant for an agent.
var hostEnv = []string{"PATH", "HOME", "LANG", "TZ", "TMPDIR"}

// HostEnvironment is that part of the host's environment, for finding out
// whether a harness would run.
func HostEnvironment() []string {
	var env []string
	for _, name := range hostEnv {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// environ is the whole environment of a harness. Credentials may replace a
// variable of the host, and nothing replaces one of ours.
func environ(spec Spec, f files) ([]string, error) {
	env := make([]string, 0, len(hostEnv)+len(spec.Env)+6)
	own := map[string]string{
		"AL_AGENT":        spec.Agent,
		"AL_RUN_ID":       spec.RunID,
		"AL_TRIGGER":      string(spec.Trigger),
		"AL_PROMPT_FILE":  f.prompt,
		"AL_CONTEXT_FILE": f.context,
		"AL_ATTEMPT":      strconv.Itoa(spec.Attempt),
	}
	if spec.TraceParent != "" {
		own["TRACEPARENT"] = spec.TraceParent
	}
	if f.credentials != "" {
		own["AL_CREDENTIALS_PATH"] = f.credentials
	}
	for _, name := range hostEnv {
		if _, replaced := spec.Env[name]; replaced {
			continue
		}
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Env)) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return nil, fmt.Errorf("credential variable %q is not a name for a variable; rename the field", name)
		}
		if strings.ContainsRune(spec.Env[name], 0) {
			return nil, fmt.Errorf("credential variable %s has a zero byte in its value; store it again", name)
		}
		if _, ours := own[name]; !ours {
			env = append(env, name+"="+spec.Env[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		env = append(env, name+"="+own[name])
	}
	return env, nil
}
