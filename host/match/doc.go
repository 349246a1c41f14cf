// Package match decides which agents an event starts. [Compile] turns the
// triggers of the configuration into a [Matcher], checking them against what
// the providers say of themselves; [Matcher.Match] is asked once per event, and
// [Matcher.Explain] tells a person why a trigger holds or does not.
//
// The rule: a trigger matches when each event attribute that its filters look
// at has one of the values they name. Filters on one attribute unite, filters
// on different attributes must all hold, and a trigger without filters matches
// every event of its source. What happens when an event lacks an attribute,
// and whether letter case counts, is the provider's to say. So is which values
// a trigger has to name: an event that has no others of an attribute goes only
// to triggers with a filter on it that names one of them.
//
// Everything here is a pure function of its arguments. Reading configurations,
// verifying who sent an event and queueing what was matched happen elsewhere.
package match
