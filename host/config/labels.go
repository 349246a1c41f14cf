package config

import (
	"os"
	"strings"
)

// labelsEnv are the labels of a host in its environment.
const labelsEnv = envPrefix + "RUNNER_LABELS"

// labels reads those of this host from the section of runners.
func (l *loader) labels(e *entry) {
	if in := e.value.get("labels"); in != nil {
		l.project.Labels = l.labelList(in, "runner.labels")
	}
}

// labelsFromEnv go before the file, which the hosts of one database share.
func (l *loader) labelsFromEnv() {
	text := os.Getenv(labelsEnv)
	if text == "" {
		return
	}
	l.project.Labels = nil
	for label := range strings.SplitSeq(text, ",") {
		if label = strings.TrimSpace(label); l.goodLabel(Pos{File: labelsEnv}, label) {
			l.project.Labels = append(l.project.Labels, label)
		}
	}
}

func (l *loader) labelList(e *entry, path string) []string {
	if e.value.kind == textKind {
		l.problems.add(Errorf(e.value.pos, "%s must be a list of strings, got string", path).
			WithFix("write each label as a string of its own: %s", quoted(strings.Fields(e.value.text))))
		return nil
	}
	list, ok := l.texts(e, path, false)
	if !ok {
		return nil
	}
	var out []string
	for _, label := range list {
		if l.goodLabel(e.value.pos, label) {
			out = append(out, label)
		}
	}
	return out
}

// goodLabel says what is wrong with one, if anything is.
func (l *loader) goodLabel(at Pos, label string) bool {
	if agentName.MatchString(label) {
		return true
	}
	l.problems.add(Errorf(at, "not a label: %q", shorten(label)).
		WithFix(`use up to 64 letters, digits, ".", "_" and "-", starting with a letter or a digit`))
	return false
}
