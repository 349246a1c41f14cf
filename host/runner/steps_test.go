package runner

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/action-llama/gateway/host/job"
)

// Hooks run around the harness, in the project's folder, with its environment
// and into the same output.
func TestHooks(t *testing.T) {
	t.Parallel()
	r, spec := setup(t, `cat staged; echo harness`)
	spec.Env = map[string]string{"TOKEN": "s3cret-token"}
	spec.Secrets = []string{"s3cret-token"}
	spec.Pre = []string{"echo first $AL_AGENT; cat; echo staged by $TOKEN > staged", "echo second\necho lines"}
	spec.Post = []string{"echo post 1 >&2", "rm staged; echo post 2"}
	res := r.Run(t.Context(), spec)
	if res.State != job.Done || res.ExitCode != 0 || res.Reason != "" {
		t.Fatalf("got %+v", res)
	}
	want := `[al: hooks.pre[0]: echo first $AL_AGENT; cat; echo staged by $TOKEN > staged]
first dev
[al: hooks.pre[1]: echo second ...]
second
lines
staged by ***
harness
[al: hooks.post[0]: echo post 1 >&2]
post 1
[al: hooks.post[1]: rm staged; echo post 2]
post 2
`
	if diff := cmp.Diff(want, output(t, r)); diff != "" {
		t.Error(diff)
	}
	var steps []string
	for _, s := range res.Steps {
		if steps = append(steps, s.Name); s.ExitCode != 0 || s.Ended.Before(s.Began) || s.Began.Before(res.Launched) || s.Ended.After(res.Ended) {
			t.Errorf("step %+v of %+v", s, res)
		}
	}
	if diff := cmp.Diff([]string{"hooks.pre[0]", "hooks.pre[1]", filepath.Base(spec.Command[0]), "hooks.post[0]", "hooks.post[1]"}, steps); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(filepath.Join(r.opts.Dir, "r1", recordName)); !os.IsNotExist(err) {
		t.Errorf("a record of a process that is gone: %v", err)
	}
}

func TestHooksFail(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		harness   string
		pre, post []string
		code      int
		reason    string // a part of it
		output    string
	}{
		{
			"before", "echo harness", []string{"exit 3", "echo no"}, []string{"echo no"},
			3, "hooks.pre[0] ended with exit code 3; its output says more", "[al: hooks.pre[0]: exit 3]\n",
		},
		{
			"before, by a signal", "echo harness", []string{"kill -TERM $$"}, nil,
			143, "hooks.pre[0] was ended by signal 15", "[al: hooks.pre[0]: kill -TERM $$]\n",
		},
		{
			"after", "echo harness", nil, []string{"exit 4", "echo no"},
			4, "hooks.post[0] ended with exit code 4", "harness\n[al: hooks.post[0]: exit 4]\n[al: hooks.post[0] ended with exit code 4; its output says more]\n",
		},
		{
			"the harness, and cleaning up works", "exit 5", nil, []string{"echo clean"},
			5, "sh ended with exit code 5", "[al: hooks.post[0]: echo clean]\nclean\n",
		},
		{
			"the harness, and cleaning up too", "exit 5", nil, []string{"exit 6"},
			5, "sh ended with exit code 5", "[al: hooks.post[0]: exit 6]\n[al: hooks.post[0] ended with exit code 6; its output says more]\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, spec := setup(t, tt.harness)
			spec.Pre, spec.Post = tt.pre, tt.post
			res := r.Run(t.Context(), spec)
			if res.State != job.Failed || res.ExitCode != tt.code || !strings.Contains(res.Reason, tt.reason) {
				t.Errorf("got %s, %d, %q; want failed, %d, %q", res.State, res.ExitCode, res.Reason, tt.code, tt.reason)
			}
			if diff := cmp.Diff(tt.output, output(t, r)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The timeout is for the hooks before the harness, too; those after it run also
// when there is none left.
func TestHooksTimeout(t *testing.T) {
	t.Parallel()
	line := newLifeline(t)
	r, spec := setup(t, `echo harness`)
	spec.Pre = []string{`exec 9>'` + line.path + `'; sleep 1000`}
	spec.Timeout, spec.Grace = 300*time.Millisecond, 100*time.Millisecond
	res := r.Run(t.Context(), spec)
	if res.State != job.Failed || res.ExitCode != 124 || !strings.Contains(res.Reason, "hooks.pre[0] timed out: the run may take 300ms") {
		t.Errorf("got %+v", res)
	}
	line.gone(t)

	r, spec = setup(t, `sleep 1000`)
	spec.Post = []string{"echo clean"}
	spec.Timeout, spec.Grace = 300*time.Millisecond, 100*time.Millisecond
	res = r.Run(t.Context(), spec)
	if res.State != job.Failed || res.ExitCode != 124 || !strings.Contains(res.Reason, "timed out after 300ms") {
		t.Errorf("got %+v", res)
	}
	if !strings.HasSuffix(output(t, r), "\nclean\n") {
		t.Errorf("not cleaned up: %q", output(t, r))
	}

	r, spec = setup(t, `true`)
	r.postTimeout = 100 * time.Millisecond
	spec.Post, spec.Grace = []string{"sleep 1000"}, 100*time.Millisecond
	res = r.Run(t.Context(), spec)
	if res.State != job.Failed || res.ExitCode != 124 || !strings.Contains(res.Reason, "hooks.post[0] timed out: hooks after a harness may take 100ms") {
		t.Errorf("got %+v", res)
	}
}

// A hook's children go with it, and a run that is ended in a hook is ended.
func TestHooksStopped(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		cause error
		state job.State
	}{"shutdown": {ErrShutdown, job.Waiting}, "killed": {ErrKilled, job.Failed}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := newLifeline(t)
			r, spec := setup(t, "echo harness")
			spec.Pre = []string{`exec 9>'` + line.path + `'; (trap '' TERM; sleep 1000) & echo ready >&9; wait`}
			spec.Post = []string{"echo post"}
			spec.Grace = 100 * time.Millisecond
			ctx, cancel := context.WithCancelCause(t.Context())
			done := run(ctx, r, spec)
			line.ready(t)
			cancel(tt.cause)
			if res := <-done; res.State != tt.state {
				t.Errorf("got %+v", res)
			}
			line.gone(t)
			if got := output(t, r); strings.Contains(got, "harness") || strings.Contains(got, "post]") {
				t.Errorf("went on: %q", got)
			}
		})
	}
}

// What is done is not done again because the host stops while a hook cleans up.
func TestHooksAfterDoneWork(t *testing.T) {
	t.Parallel()
	line := newLifeline(t)
	r, spec := setup(t, "echo harness")
	spec.Post = []string{`exec 9>'` + line.path + `'; echo ready >&9; sleep 1000`}
	ctx, cancel := context.WithCancelCause(t.Context())
	done := run(ctx, r, spec)
	line.ready(t)
	cancel(ErrShutdown)
	if res := <-done; res.State != job.Done {
		t.Errorf("got %+v", res)
	}
	line.gone(t)
}

// Credentials are files for the run's eyes only, and gone when it is.
func TestCredentialFiles(t *testing.T) {
	t.Parallel()
	for name, harness := range map[string]string{"done": "true", "failed": "exit 1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, spec := setup(t, `cd "$AL_CREDENTIALS_PATH" && find . -type d ! -perm 700; find . -type f ! -perm 600; cat git_ssh/work/id_rsa; `+harness)
			spec.Files = map[string]string{"git_ssh/work/id_rsa": "one\ntwo\n"}
			spec.Pre = []string{`test -f "$AL_CREDENTIALS_PATH/git_ssh/work/id_rsa"`}
			spec.Post = []string{`test -f "$AL_CREDENTIALS_PATH/git_ssh/work/id_rsa"`}
			r.Run(t.Context(), spec)
			if !strings.Contains(output(t, r), "]\none\ntwo\n") || strings.Contains(output(t, r), "ended with") {
				t.Errorf("got %q", output(t, r))
			}
			if _, err := os.Stat(CredentialsDir(r.opts.Dir, "r1")); !os.IsNotExist(err) {
				t.Errorf("left behind: %v", err)
			}
		})
	}
}

// A name can not lead out of the folder, and what was written goes all the same.
func TestCredentialFilesStayInside(t *testing.T) {
	t.Parallel()
	r, spec := setup(t, "echo harness")
	spec.Files = map[string]string{"../../escaped": "x"}
	if res := r.Run(t.Context(), spec); res.State != job.Failed || res.ExitCode != 126 {
		t.Errorf("got %+v", res)
	}
	for _, path := range []string{CredentialsDir(r.opts.Dir, "r1"), filepath.Join(r.opts.Dir, "escaped")} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A run id that is used twice costs the first run nothing.
func TestCredentialsOfAnotherRunStay(t *testing.T) {
	t.Parallel()
	r, spec := setup(t, "true")
	spec.Files = map[string]string{"a/b/c": "x"}
	if err := os.MkdirAll(CredentialsDir(r.opts.Dir, "r1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if res := r.Run(t.Context(), spec); res.State != job.Failed {
		t.Errorf("got %+v", res)
	}
	if _, err := os.Stat(CredentialsDir(r.opts.Dir, "r1")); err != nil {
		t.Error(err)
	}
	if err := RemoveLeftoverCredentials(r.opts.Dir, []string{"r1"}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(CredentialsDir(r.opts.Dir, "r1")); err != nil {
		t.Errorf("those of a run of another host: %v", err)
	}
	if err := RemoveLeftoverCredentials(r.opts.Dir, nil); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(CredentialsDir(r.opts.Dir, "r1")); !os.IsNotExist(err) {
		t.Errorf("left behind: %v", err)
	}
}
