package runner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
)

const (
	maxPrintedPrompt  = 64 << 20 // more than any prompt: a context is at most the 32 MiB of a body
	maxPrintedContext = 64 << 20
	printedLines      = 12
	printedRunes      = 160
)

// Print is a harness that needs no account: it prints what it was told, for a
// first try and for looking at prompts. It reads the prompt from in and the
// rest from the environment that every harness gets.
//
// Texts of strangers come out on a terminal here, so what is not printable is
// escaped.
func Print(in io.Reader, out io.Writer, env func(string) string) error {
	text, err := io.ReadAll(io.LimitReader(in, maxPrintedPrompt))
	if err != nil {
		return fmt.Errorf("read the prompt: %w", err)
	}
	if env("AL_RUN_ID") == "" {
		return errors.New("AL_RUN_ID is not set: this is a harness, which the gateway starts with each run")
	}
	var b bytes.Buffer
	line := func(name, value string) { fmt.Fprintf(&b, "%-10s %s\n", name, value) }
	line("agent", plain(env("AL_AGENT")))
	line("run", plain(env("AL_RUN_ID")))
	line("trigger", plain(env("AL_TRIGGER")))
	line("attempt", plain(env("AL_ATTEMPT")))
	if path := env("AL_CONTEXT_FILE"); path != "" {
		if err := printContext(&b, path); err != nil {
			return err
		}
	}
	line("prompt", fmt.Sprintf("%d bytes, %d lines", len(text), bytes.Count(text, []byte("\n"))))
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	for _, l := range lines[:min(len(lines), printedLines)] {
		fmt.Fprintf(&b, "  | %s\n", plain(l))
	}
	if more := len(lines) - printedLines; more > 0 {
		fmt.Fprintf(&b, "  | (%d more)\n", more)
	}
	_, err = out.Write(b.Bytes())
	return err
}

// printContext prints the fields of the context in the order they stand there.
func printContext(b *bytes.Buffer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read the context: %w", err)
	}
	defer func() { _ = f.Close() }()
	d := json.NewDecoder(io.LimitReader(f, maxPrintedContext))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("read the context: %s is not a JSON object", path)
	}
	b.WriteString("context\n")
	for d.More() {
		var value json.RawMessage
		name, err := d.Token()
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			return fmt.Errorf("read the context: %w", err)
		}
		var text string
		if json.Unmarshal(value, &text) != nil {
			var compact bytes.Buffer
			if err := json.Compact(&compact, value); err != nil {
				return fmt.Errorf("read the context: %w", err)
			}
			text = compact.String()
		}
		fmt.Fprintf(b, "  %-12s %s\n", plain(fmt.Sprint(name)), plain(text))
	}
	return nil
}

// plain is a text on one line, at most printedRunes long, without anything
// that a terminal would obey.
func plain(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > printedRunes {
			b.WriteString("...")
			break
		}
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}
