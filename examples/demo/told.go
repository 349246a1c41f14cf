package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode"
)

// told is the context of a run, in the order in which the agent gets it.
type told struct {
	names  []string
	values map[string]json.RawMessage
}

func readContext(path string) (told, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return told{}, err
	}
	t := told{values: map[string]json.RawMessage{}}
	d := json.NewDecoder(bytes.NewReader(raw))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return told{}, fmt.Errorf("%s is not a JSON object: %w", path, err)
	}
	for d.More() {
		var value json.RawMessage
		name, err := d.Token()
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			return told{}, fmt.Errorf("%s: %w", path, err)
		}
		t.names = append(t.names, fmt.Sprint(name))
		t.values[fmt.Sprint(name)] = value
	}
	return t, nil
}

// at returns the value at a dotted path as text.
func (t told) at(path string) string {
	name, rest, deeper := strings.Cut(path, ".")
	value := t.values[name]
	for deeper {
		var object map[string]json.RawMessage
		if json.Unmarshal(value, &object) != nil {
			return ""
		}
		name, rest, deeper = strings.Cut(rest, ".")
		value = object[name]
	}
	return text(value)
}

func text(value json.RawMessage) string {
	var s string
	if json.Unmarshal(value, &s) == nil {
		return s
	}
	return string(value)
}

// check compares with what the vendor's delivery says, and with the gateway's
// own word on where it came from.
func (t told) check(v vendor, receipt string) error {
	want := map[string]string{"source": v.typ, "provider": v.typ}
	if receipt != "" {
		want["receiptId"] = receipt
	}
	maps.Copy(want, v.context)
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if got := t.at(path); got != want[path] {
			return fmt.Errorf("%s is %q; expected %q", path, got, want[path])
		}
	}
	return nil
}

// show prints one line a field, but for those that look alike for every vendor.
// What is checked inside of extra gets its own lines, as extra is cut.
func (t told) show(s screen, checked map[string]string) {
	var paths []string
	for _, name := range t.names {
		switch name {
		case "source", "provider", "timestamp", "deliveryId", "receiptId":
		default:
			paths = append(paths, name)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(checked)) {
		if strings.Contains(path, ".") {
			paths = append(paths, path)
		}
	}
	width := 0
	for _, path := range paths {
		width = max(width, len(path))
	}
	for _, path := range paths {
		s.line("%s %-*s  %s", s.paint(dim, "|"), width, path, oneLine(t.at(path)))
	}
}

const shown = 100 // characters of a value

func oneLine(value string) string {
	var b strings.Builder
	n := 0
	for _, r := range value {
		if n++; n > shown {
			b.WriteString("...")
			break
		}
		if !unicode.IsPrint(r) {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String()
}
