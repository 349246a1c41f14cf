package match

// Trigger is one [[webhooks]] entry of an agent.
type Trigger struct {
	Agent   string
	Source  string
	Filters []Filter
	Pos     string // where it is written, for Problem.Pos
}

// Filter is one key of a trigger with its value.
type Filter struct {
	Name   string
	Values []string
	List   bool   // written as a list
	Pos    string // where it is written, for Problem.Pos; the trigger's when empty
}

// Severity of a Problem.
type Severity int

const (
	// Error: the trigger can not mean anything. It is left out of the Matcher,
	// since without the faulty filter it would match more than was asked for.
	Error Severity = iota
	// Warning: the trigger works as written, but probably not as meant.
	Warning
)

func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Problem is something that a person should change about a trigger.
type Problem struct {
	Severity Severity
	Pos      string
	Trigger  int    // index into the triggers that were compiled
	Filter   string // the key it is about; empty when it is about the trigger
	Message  string // what is wrong and what to do
}
