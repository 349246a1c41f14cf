package config

import (
	"time"
)

// Project is a project's configuration with every default filled in.
type Project struct {
	Dir string // absolute

	Scale                int    // runs at once over all agents; 0 means no limit of its own
	WorkQueueSize        int    // waiting jobs per agent, unless the agent says otherwise
	Timezone             string // for schedules, unless the agent says otherwise; "Local" is the machine's
	HistoryRetentionDays int
	HistoryMaxBytes      int64 // 0 means no bound
	MaxAttempts          int   // runs of a job that may be lost with their host
	MaxRunsPerHour       int   // started by any agent; 0 means no bound
	MaxRunsPerDay        int

	Labels []string // of this host

	Gateway Gateway
	Store   Store
	Runner  Runner
	Plugins Plugins

	Sources []Source // in the order of the file
	Agents  []Agent  // by name

	Files *Files // what it was read from; nil when it was made otherwise
}

// Gateway is [gateway]: the HTTP server.
type Gateway struct {
	Host             string
	Port             int // 0 takes any free one
	MaxBodyBytes     int64
	MaxInflightBytes int64 // bodies held at the same time; never below MaxBodyBytes
	ReadTimeout      time.Duration
	ShutdownGrace    time.Duration
	AutoReload       bool // when the files change
	UI               bool // the live page
	LogLevel         string
	OTLPEndpoint     string // where traces go; empty for nowhere, unless the environment of OpenTelemetry says where
}

// Store is [store].
type Store struct {
	URL     Secret // it may hold a password; empty means .al/al.db
	URLFile string // where it was read from; empty when it was not in a file
	// Lease is for how long a run belongs to its host without a sign of life. A
	// database that fails over takes up to half a minute, and a run has to go a
	// while before its lease ends; the jobs of a dead host wait for as long.
	Lease time.Duration
}

// Runner is [runner]: what a run executes. At most one of the two is set.
type Runner struct {
	Command []string
	Harness string // a preset by name
	Pos     Pos    // of the table; zero when there is none
}

// Plugins is [plugins].
type Plugins struct {
	Dir          string // absolute; empty means the usual places
	StartTimeout time.Duration
	CallTimeout  time.Duration // for calls that no vendor's deadline bounds
	// MaxMemoryBytes is for each provider; 0 sets no limit.
	MaxMemoryBytes int64
	// Env names, by provider type, variables of the host that its process may
	// see beside the usual few.
	Env map[string][]string
}

// Source is [webhooks.<name>].
type Source struct {
	Name string
	Type string
	// Credentials that prove who sent a delivery; any of them will do, which
	// is how one is replaced without a gap. None means that unsigned requests
	// are taken.
	Credentials []CredentialRef
	Settings    []SourceSetting // keys that are not the host's, in the order of the file
	Pos         Pos
	TypePos     Pos
}

// Agent is agents/<name>, with what it inherits from the project filled in.
type Agent struct {
	Name string
	Dir  string // absolute

	Description      string
	Schedule         string // empty for none
	Timezone         string
	Jitter           time.Duration // its ticks are spread over so much time
	CatchUp          string        // "none" or "latest": of the ticks that no gateway was there for
	Scale            int           // runs at once; 0 disables the agent
	Timeout          time.Duration
	MaxWorkQueueSize int
	Retries          int           // further attempts when a run fails
	RetryDelay       time.Duration // before the first of them; doubled before each other
	MaxRunsPerHour   int           // 0 means no bound
	MaxRunsPerDay    int
	OnLimit          string // "wait" or "drop": what comes when a bound is reached
	Flow             Flow
	Credentials      []CredentialRef // handed to its runs
	Triggers         []Trigger
	// Params reach the prompt as JSON. Keys are exactly as written.
	Params map[string]any
	Runner Runner
	RunsOn []string // labels that a host must have to run it
	Hooks  Hooks
	Skill  string // SKILL.md without its front matter, byte for byte

	Pos         Pos // where something about the agent as a whole is to be mended
	SchedulePos Pos
}

// Hooks are shell commands around the harness of a run, in their order.
type Hooks struct {
	Pre  []string
	Post []string
}

// Trigger is one [[webhooks]] of an agent.
type Trigger struct {
	Source  string
	Filters []FilterValue // in the order of the file
	Flow    Flow
	Pos     Pos
}

// FilterValue is a key of a trigger beside its source. What it means, and
// whether it means anything, is in the descriptor of the source's provider.
type FilterValue struct {
	Name   string
	Values []string
	IsList bool // written as a list; false for a single string
	Pos    Pos
}

// Source returns the source with a name.
func (p *Project) Source(name string) (Source, bool) {
	for _, s := range p.Sources {
		if s.Name == name {
			return s, true
		}
	}
	return Source{}, false
}

// Agent returns the agent with a name.
func (p *Project) Agent(name string) (Agent, bool) {
	for _, a := range p.Agents {
		if a.Name == name {
			return a, true
		}
	}
	return Agent{}, false
}

func (p *Project) sourceNames() []string {
	names := make([]string, len(p.Sources))
	for i, s := range p.Sources {
		names[i] = s.Name
	}
	return names
}
