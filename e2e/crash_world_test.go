//go:build e2e

package e2e

import (
	"fmt"
	"strings"
)

// The world of the crash test: agents of each kind, and a harness that leaves a
// mark of all it does.

const (
	crashScale   = 6 // of the project
	crashRetries = 2
)

// crashAgent is one agent of the crash test. An issue that has its name among
// the labels starts it.
type crashAgent struct {
	name  string
	scale int
	queue int // maxWorkQueueSize; one that is small drops jobs
	keyed bool
	drops bool // it may drop jobs, by its queue or its key
	// config is further lines of its config.toml.
	config string
}

const deepQueue = 1_000_000

func crashAgents() []crashAgent {
	return []crashAgent{
		{name: "plain", scale: 1, queue: deepQueue},
		{name: "trio", scale: 3, queue: deepQueue},
		{name: "parent", scale: 1, queue: deepQueue},
		{name: "narrow", drops: true, scale: 1, queue: 3},
		{name: "clock", scale: 1, queue: deepQueue, config: "schedule = \"@every 1s\"\njitter = \"300ms\"\ncatchUp = \"latest\""},
		{name: "stubborn", scale: 1, queue: deepQueue, config: fmt.Sprintf("retries = %d\nretryDelay = \"1s\"", crashRetries)},
		{name: "line", scale: 4, queue: deepQueue, keyed: true, config: `concurrencyKey = "{repo}#{number}"`},
		{name: "latest", drops: true, scale: 2, queue: deepQueue, keyed: true, config: "concurrencyKey = \"{number}\"\nonBusy = \"latest\""},
		{name: "newest", drops: true, scale: 2, queue: deepQueue, keyed: true, config: "concurrencyKey = \"{number}\"\nonBusy = \"cancel\""},
		{name: "once", drops: true, scale: 2, queue: deepQueue, keyed: true, config: "concurrencyKey = \"{number}\"\nonBusy = \"skip\""},
		{name: "burst", scale: 2, queue: deepQueue, config: "debounce = \"200ms\"\nmaxWait = \"1s\""},
	}
}

// crashKinds are the labels of deliveries: what they start, with one that
// starts two agents and one that starts none.
func crashKinds() [][]string {
	return [][]string{
		{"plain"}, {"plain"}, {"trio"}, {"trio"}, {"parent"}, {"narrow"}, {"stubborn"}, {"line"}, {"line"}, {"line"},
		{"latest"}, {"latest"}, {"newest"}, {"newest"}, {"once"}, {"once"}, {"burst"}, {"burst"}, {"burst"},
		{"plain", "trio"}, {"line", "burst", "plain"}, {"nobody"},
	}
}

func crashFiles() map[string]string {
	files := map[string]string{
		"config.toml": fmt.Sprintf(`
scale = %d
[gateway]
shutdownGrace = "100ms"
[runner]
command = ["sh", "harness.sh"]
[webhooks.main]
type = "github"
credential = "main"
`, crashScale),
		"harness.sh": crashHarness,
		"marks":      "",
		"pids/.keep": "",
	}
	for _, a := range crashAgents() {
		dir := "agents/" + a.name + "/"
		files[dir+"SKILL.md"] = "Look at it.\n"
		files[dir+"config.toml"] = fmt.Sprintf("scale = %d\nmaxWorkQueueSize = %d\n%s\n[[webhooks]]\nsource = \"main\"\nevents = [\"issues\"]\nlabels = [%q]\n",
			a.scale, a.queue, a.config, a.name)
	}
	return files
}

// crashHarness writes down when it begins, with whom, and when it ends; each
// line is one write to the end of the file marks, so that their order is the
// order in which things happened. Before it begins it looks whether a process
// is alive of an earlier run that has to be over by now: of the same job, the
// same concurrency key, or an agent that runs one at a time. A number alone is
// no proof of that, since numbers are used again.
var crashHarness = strings.TrimLeft(`
set -u
c=
[ -s "$AL_CONTEXT_FILE" ] && IFS= read -r c <"$AL_CONTEXT_FILE"
case $c in *'"number":'*) n=${c#*'"number":'} n=${n%%[!0-9]*} ;; *) n=0 ;; esac
case $c in *'"receiptId":"'*) r=${c#*'"receiptId":"'} r=${r%%'"'*} ;; *) r=tick ;; esac
case $AL_AGENT in
trio | burst) thing=$r ;;
line | latest | newest | once) thing=$n ;;
*) thing=only ;;
esac
events=0
while :; do
	case $c in *'"receiptId":"'*) c=${c#*'"receiptId":"'} events=$((events + 1)) ;; *) break ;; esac
done
pids=pids/$AL_AGENT-$thing
if [ -e "$pids" ]; then
	while read -r run pid; do
		[ "$run" = "$AL_RUN_ID" ] && continue
		kill -0 "$pid" 2>/dev/null || continue
		if tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qx "AL_RUN_ID=$run"; then
			echo "alive $AL_RUN_ID $run $pid" >>marks
		fi
	done <"$pids"
fi
echo "$AL_RUN_ID $$" >"$pids"
[ "$AL_AGENT" = newest ] && trap 'echo "end $AL_RUN_ID 143" >>marks; exit 143' TERM
echo "start $AL_RUN_ID $AL_AGENT $AL_ATTEMPT $PPID $$ $thing $events" >>marks
code=0
case $AL_AGENT in
parent)
	trap 'kill $!; exit 143' TERM
	sleep 1000 &
	echo "$AL_RUN_ID $!" >>"$pids"
	echo "child $AL_RUN_ID $!" >>marks
	setsid sleep 1000 & # it leaves the group, as commands of coding agents do
	echo "$AL_RUN_ID $!" >>"$pids"
	echo "child $AL_RUN_ID $!" >>marks
	sleep 0.05
	kill $!
	;;
narrow | newest) sleep 0.1 ;;
stubborn)
	sleep 0.01
	case $((n % 3)) in 0) code=7 ;; 1) [ "$AL_ATTEMPT" -gt 1 ] || code=8 ;; esac
	;;
*) sleep 0.02 ;;
esac
echo "end $AL_RUN_ID $code" >>marks
exit $code
`, "\n")

// crashIssue is a delivery with the given labels. Its number is its
// concurrency key where an agent has one.
func crashIssue(id string, number int, labels []string) delivery {
	named := make([]string, len(labels))
	for i, l := range labels {
		named[i] = fmt.Sprintf(`{"name":%q}`, l)
	}
	return delivery{event: "issues", id: id, body: fmt.Appendf(nil,
		`{"action":"opened","issue":{"number":%d,"title":"t","body":"b","html_url":"https://example.com/1","user":{"login":"ada"},"labels":[%s],"assignees":[]},"repository":{"full_name":"acme/widgets","owner":{"login":"acme"}},"sender":{"login":"ada"}}`,
		number, strings.Join(named, ","))}
}
