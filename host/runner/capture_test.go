package runner

import (
	"os"
	"strings"
	"testing"

	"github.com/action-llama/gateway/host/job"
)

func TestRunHugeOutput(t *testing.T) {
	t.Parallel()
	r, spec := setup(t, "")
	spec.Command = []string{"{al}", "helper", "spam", "20000000"}
	spec.Secrets = []string{"ghp_0123456789"}
	res := r.Run(t.Context(), spec)
	if res.State != job.Done || !res.Truncated || res.OutputBytes != 20_000_008 {
		t.Errorf("got %+v", res)
	}
	got := output(t, r)
	if len(got) > 1<<20+100 || !strings.HasPrefix(got, strings.Repeat("0", 99)+"\n") || !strings.HasSuffix(got, "199999\nthe end\n") {
		t.Errorf("%d bytes, from %q to %q", len(got), got[:100], got[len(got)-100:])
	}
	if !strings.Contains(got, "bytes of output left out here") {
		t.Error("the cut is not marked")
	}
}

func TestRunMasksSecrets(t *testing.T) {
	t.Parallel()
	r, spec := setup(t, "")
	spec.Context = []byte(`{"event":"command","extra":{"interaction":{"id":"7001","token":"aW50ZXJhY3Rpb24"},"a.b":"dotted-key","list":["first-item"]}}`)
	spec.Sensitive = []string{"extra.interaction.token", "extra.a.b", "extra.list", "extra.absent.path"}
	spec.Secrets = []string{"s3cret-value\n", key}
	spec.Command = []string{"{al}", "helper", "bytewise", "s3cret-value 7001 aW50ZXJhY3Rpb24 dotted-key first-item s3cret\n" + key + "s3cret-val"}
	if res := r.Run(t.Context(), spec); res.State != job.Done {
		t.Fatalf("got %+v", res)
	}
	if got, want := output(t, r), "*** 7001 *** *** *** s3cret\n***\n***"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What people see of a prompt hides what only the harness may see, of every event
// in it.
func TestRunMasksThePromptForPeople(t *testing.T) {
	t.Parallel()
	r, spec := setup(t, "true")
	b := burst()
	spec.Trigger, spec.Context, spec.Sensitive, spec.Merged = b.Trigger, b.Context, b.Sensitive, b.Merged
	spec.Secrets, spec.Skill = []string{"s3cret-value"}, "Never say s3cret-value."
	if res := r.Run(t.Context(), spec); res.State != job.Done {
		t.Fatalf("got %+v", res)
	}
	shown, err := os.ReadFile(ShownPromptFile(r.opts.Dir, "r1"))
	if err != nil {
		t.Fatal(err)
	}
	told, err := os.ReadFile(r.opts.Dir + "/r1/prompt.md")
	if err != nil {
		t.Fatal(err)
	}
	hide := strings.NewReplacer("s3cret-value", "***", "hush-hush-1", "***", "hush-hush-3", "***")
	if want := hide.Replace(string(told)); string(shown) != want || want == string(told) {
		t.Errorf("shown:\n%s\nwant:\n%s", shown, want)
	}
}

// The output can be followed while the run is under way.
func TestRunOutputIsLive(t *testing.T) {
	t.Parallel()
	line := newLifeline(t)
	r, spec := setup(t, `printf 'half a line'; read -r _ <"$1"`, line.path)
	spec.Secrets = []string{"line of defence", "s3cret"}
	done := run(t.Context(), r, spec)
	eventually(t, "the output shows up", func() bool {
		raw, _ := os.ReadFile(OutputFile(r.opts.Dir, "r1"))
		return string(raw) == "half a " // "line" may begin a secret
	})
	if _, err := line.own.WriteString("go\n"); err != nil {
		t.Fatal(err)
	}
	if res := <-done; res.State != job.Done {
		t.Errorf("got %+v", res)
	}
}

func TestRunHarnessThatDoesNotRead(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"closes it":   `exec 0<&-; echo ok`,
		"ignores it":  `echo ok`,
		"reads a bit": `head -c 1 >/dev/null; echo ok`,
	} {
		r, spec := setup(t, script)
		spec.Skill = strings.Repeat("long ", 1<<20)
		if res := r.Run(t.Context(), spec); res.State != job.Done || output(t, r) != "ok\n" {
			t.Errorf("%s: got %+v", name, res)
		}
	}
}
