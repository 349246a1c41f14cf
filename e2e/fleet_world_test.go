//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"time"
)

// The world of the tests of several hosts: the same agents on each of them, and
// a harness that leaves a mark of all it does in a file that they share.

const (
	fleetScale       = 8 // of the project, on all hosts together
	fleetRetries     = 2
	fleetMaxAttempts = 4
	fleetLease       = 8 * time.Second
)

// fleetAgents are those of the crash test that make sense on several machines
// ("parent" leaves processes behind that only its own machine can find), and one
// whose runs go on longer than their lease, if nobody ends them.
func fleetAgents() []crashAgent {
	return []crashAgent{
		{name: "plain", scale: 1, queue: deepQueue},
		{name: "trio", scale: 3, queue: deepQueue},
		{name: "long", scale: 3, queue: deepQueue},
		{name: "narrow", drops: true, scale: 1, queue: 3},
		{name: "clock", scale: 1, queue: deepQueue, config: "schedule = \"@every 1s\"\njitter = \"300ms\"\ncatchUp = \"latest\""},
		{name: "stubborn", scale: 1, queue: deepQueue, config: fmt.Sprintf("retries = %d\nretryDelay = \"1s\"", fleetRetries)},
		{name: "line", scale: 4, queue: deepQueue, keyed: true, config: `concurrencyKey = "{repo}#{number}"`},
		{name: "latest", drops: true, scale: 2, queue: deepQueue, keyed: true, config: "concurrencyKey = \"{number}\"\nonBusy = \"latest\""},
		{name: "newest", drops: true, scale: 2, queue: deepQueue, keyed: true, config: "concurrencyKey = \"{number}\"\nonBusy = \"cancel\""},
		{name: "once", drops: true, scale: 2, queue: deepQueue, keyed: true, config: "concurrencyKey = \"{number}\"\nonBusy = \"skip\""},
		{name: "burst", scale: 2, queue: deepQueue, config: "debounce = \"200ms\"\nmaxWait = \"1s\""},
	}
}

// fleetKinds are the labels of deliveries. Most are of agents that take many at
// once, so that many can be sent; those of the agent "long" are sent as there is
// room for them.
func fleetKinds() [][]string {
	return [][]string{
		{"plain"}, {"trio"}, {"trio"}, {"narrow"}, {"stubborn"}, {"line"}, {"line"}, {"line"},
		{"latest"}, {"latest"}, {"latest"}, {"newest"}, {"newest"}, {"once"}, {"once"}, {"once"},
		{"burst"}, {"burst"}, {"burst"}, {"burst"}, {"plain", "trio"}, {"line", "burst", "once"}, {"nobody"}, {"nobody"},
	}
}

// fleetFiles are the project of each host. What they share is a folder.
func fleetFiles(shared string) map[string]string {
	longest := "14" // seconds of a run, also beyond the end of its lease
	if soaking() {
		longest = "25"
	}
	files := map[string]string{
		"config.toml": fmt.Sprintf(`
scale = %d
maxAttempts = %d
[gateway]
shutdownGrace = "2s"
[store]
lease = "%s"
[runner]
command = ["sh", "harness.sh"]
[webhooks.main]
type = "github"
credential = "main"
`, fleetScale, fleetMaxAttempts, fleetLease),
		"harness.sh": strings.NewReplacer("@shared@", shared, "@longest@", longest).Replace(fleetHarness),
	}
	for _, a := range fleetAgents() {
		dir := "agents/" + a.name + "/"
		files[dir+"SKILL.md"] = "Look at it.\n"
		files[dir+"config.toml"] = fmt.Sprintf("scale = %d\nmaxWorkQueueSize = %d\n%s\n[[webhooks]]\nsource = \"main\"\nevents = [\"issues\"]\nlabels = [%q]\n",
			a.scale, a.queue, a.config, a.name)
	}
	return files
}

// fleetHarness is like that of the crash test. Whether two runs were beside each
// other is told by the order of its marks, of all hosts in one file. It marks its
// end also when it is told to end; one that is killed outright does not.
var fleetHarness = strings.TrimLeft(`
set -u
cd @shared@ || exit 99
c=
[ -s "$AL_CONTEXT_FILE" ] && IFS= read -r c <"$AL_CONTEXT_FILE"
case $c in *'"number":'*) n=${c#*'"number":'} n=${n%%[!0-9]*} ;; *) n=0 ;; esac
case $c in *'"receiptId":"'*) r=${c#*'"receiptId":"'} r=${r%%'"'*} ;; *) r=tick ;; esac
case $AL_AGENT in
line | latest | newest | once) thing=$n ;;
*) thing=$r ;;
esac
events=0
while :; do
	case $c in *'"receiptId":"'*) c=${c#*'"receiptId":"'} events=$((events + 1)) ;; *) break ;; esac
done
trap 'echo "end $AL_RUN_ID 143" >>marks; exit 143' TERM
echo "start $AL_RUN_ID $AL_AGENT $AL_ATTEMPT $PPID $$ $thing $events" >>marks
code=0
case $AL_AGENT in
long)
	case $((n % 5)) in 0) sleep 1 ;; 1) sleep 4 ;; 2) sleep 8 ;; 3) sleep 14 ;; 4) sleep @longest@ ;; esac
	;;
narrow | newest) sleep 0.1 ;;
line | once) [ "$n" = 5 ] && sleep 4 || sleep 0.02 ;;
stubborn)
	sleep 0.01
	case $((n % 3)) in 0) code=7 ;; 1) [ "$AL_ATTEMPT" -gt 1 ] || code=8 ;; esac
	;;
*) sleep 0.02 ;;
esac
echo "end $AL_RUN_ID $code" >>marks
exit $code
`, "\n")
