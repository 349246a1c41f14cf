// Package cron turns schedules into jobs: it reads cron expressions, and at
// each tick asks the store for a job of its agent. It does not run anything;
// the queue does.
//
// # Expressions
//
// Five fields (minute, hour, day of month, month, day of week), or six with
// seconds in front, with names, ranges, lists and steps; L, W and # in the
// day fields (L the last day, LW the last weekday, 15W the weekday nearest the
// 15th, 5#2 the second Friday, 5L the last one). When both day fields are
// restricted, either may match, as in cron(8). Further @yearly, @monthly,
// @weekly, @daily, @hourly, and @every with a duration. The latter counts from
// the Unix epoch, so that every host of a store, and a host after its restart,
// ticks at the same moments.
//
// # Daylight saving
//
// As cron(8) has it. A schedule that names hours ("30 2 * * *") keeps its
// promise when the clocks change: what falls into a skipped hour runs once,
// right after it, and what falls into a doubled hour runs in the first of the
// two only. A schedule for every hour ("*/15 * * * *") follows the clock on the
// wall: nothing is made up for in a skipped hour, and a doubled hour has twice
// the ticks, so that time between ticks stays as it was. Shifts of more than
// three hours are not daylight saving, and are left as they are.
//
// # Missed ticks
//
// A tick is good for one minute. One that was missed for longer, because the
// host was down, the machine slept or the store could not be written, is not
// made up for, unless its agent wants the newest such tick to be (CatchUp).
//
// # Jitter
//
// Ticks may be spread over some time after their own, so that agents with one
// schedule do not all start at once. How much a tick is moved follows from the
// agent and the tick, so all hosts of a store agree. It stays the tick of its
// own time: the key by which it is one host's is not moved.
package cron

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	netcron "github.com/netresearch/go-cron"
)

// maxShift is up to where cron(8) takes a change of the clock for daylight
// saving, and beyond for a correction.
const maxShift = 3 * time.Hour

const day = 24 * time.Hour

// searchYears is the longest wait of a schedule that ever comes: from a leap
// day on a given weekday to the next when a century without one is between.
const searchYears = 40

// Schedule says when an agent ticks. The zero Schedule never does.
type Schedule struct {
	// wall is matched against wall clock readings that are written as if they
	// were UTC, which knows no shifts; those are dealt with here, because no
	// library treats both kinds of shift and both kinds of schedule right.
	wall  *netcron.SpecSchedule
	every time.Duration // of @every, instead of wall
	// hourly: it ticks in every hour of the day that it ticks in at all.
	hourly bool
	loc    *time.Location
}

var shorthands = map[string]string{
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
	"@monthly":  "0 0 1 * *",
	"@weekly":   "0 0 * * 0",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@hourly":   "0 * * * *",
}

type field struct {
	name   string
	values int // how many there are, the longest step that makes sense
	want   string
}

var fields = []field{
	{"second", 60, "0-59, like 30, 0,30 or */15"},
	{"minute", 60, "0-59, like 30, 0,30, 10-20 or */15"},
	{"hour", 24, "0-23, like 8, 8,17, 8-17 or */2"},
	{"day of month", 31, "1-31, like 1, 1,15 or */2, L for the last day or 15W for the weekday nearest the 15th"},
	{"month", 12, "1-12 or jan-dec, like 6, mar-oct or */3"},
	{"day of week", 7, "0-7 or sun-sat, like 1, mon-fri, 5#2 for the second Friday or 5L for the last one"},
}

const example = `for example "30 8 * * mon-fri" is 08:30 from Monday to Friday`

var parser = netcron.MustNewParser(netcron.Second | netcron.Minute | netcron.Hour | netcron.Dom | netcron.Month |
	netcron.Dow | netcron.Extended | netcron.DowOrDom).WithMaxSearchYears(searchYears)

// Parse reads an expression, whose times are meant in the given location.
func Parse(expr string, loc *time.Location) (Schedule, error) {
	s, err := parse(strings.TrimSpace(expr))
	if err != nil {
		const enough = 100 // of an expression, to recognise it
		shown := strings.ToValidUTF8(expr, "?")
		if len(shown) > enough {
			shown = strings.ToValidUTF8(shown[:enough], "") + "..."
		}
		return Schedule{}, fmt.Errorf("schedule %q: %w", shown, err)
	}
	s.loc = loc
	if loc == nil {
		s.loc = time.UTC
	}
	return s, nil
}

func parse(expr string) (Schedule, error) {
	if expr == "" {
		return Schedule{}, errors.New("is empty; " + example)
	}
	if expr[0] == '@' {
		if rest, ok := strings.CutPrefix(expr, "@every "); ok {
			return parseEvery(strings.TrimSpace(rest))
		}
		long, ok := shorthands[strings.ToLower(expr)]
		if !ok {
			return Schedule{}, errors.New("unknown; there are @yearly, @monthly, @weekly, @daily, @hourly and @every with a duration, as in @every 90m")
		}
		expr = long
	}
	if strings.HasPrefix(expr, "TZ=") || strings.HasPrefix(expr, "CRON_TZ=") {
		return Schedule{}, errors.New(`has a time zone in it; set timezone beside schedule instead, as in timezone = "Europe/Berlin"`)
	}

	parts := strings.Fields(expr)
	switch len(parts) {
	case 5:
		parts = append([]string{"0"}, parts...)
	case 6:
	default:
		return Schedule{}, fmt.Errorf("has %d fields, want 5 (minute, hour, day of month, month, day of week) or 6 with seconds in front; %s", len(parts), example)
	}
	for i := range parts {
		checked, err := checkField(i, parts[i])
		if err != nil {
			return Schedule{}, err
		}
		parts[i] = checked
	}
	wall, err := parseFields(parts)
	if err != nil { // longer than the library takes
		return Schedule{}, fmt.Errorf("can not be used: %w", err)
	}
	if wall.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Schedule{}, fmt.Errorf("never comes: no day fits day of month %q in month %q; %s", parts[3], parts[4], example)
	}
	const allHours = 1<<24 - 1
	return Schedule{wall: wall, hourly: wall.Hour&allHours == allHours}, nil
}

func parseEvery(text string) (Schedule, error) {
	every, err := time.ParseDuration(text)
	if err != nil || every < time.Second || every%time.Second != 0 {
		return Schedule{}, fmt.Errorf("@every wants a duration of whole seconds, at least 1s, not %q; for example @every 90s or @every 1h30m", text)
	}
	return Schedule{every: every}, nil
}

// checkField tries each item of a field by itself, so that an error can name
// it, and returns the field as the library spells it.
func checkField(i int, text string) (string, error) {
	f := fields[i]
	items := strings.Split(text, ",")
	for n, item := range items {
		given := item
		if item == "" {
			return "", fmt.Errorf("%s: %q has an empty item between its commas; %s", f.name, text, example)
		}
		if _, step, ok := strings.Cut(item, "/"); ok {
			if n, err := strconv.Atoi(step); err == nil && n > f.values {
				return "", fmt.Errorf("%s: a step of %d does not fit %d values; use @every for other intervals, for example @every 90m", f.name, n, f.values)
			}
		}
		if f.name == "day of week" && len(item) > 1 && strings.HasSuffix(strings.ToUpper(item), "L") && !strings.Contains(item, "#") {
			item = item[:len(item)-1] + "#L"
			items[n] = item
		}
		base, _, _ := strings.Cut(item, "/")
		// The ends of a range by themselves too: of one that wraps around, the
		// library does not check where it begins.
		for _, part := range append(strings.Split(base, "-"), item) {
			alone := []string{"*", "*", "*", "*", "*", "*"}
			alone[i] = part
			if _, err := parseFields(alone); part == "" || err != nil {
				return "", fmt.Errorf("%s: %q is not understood, want %s; %s", f.name, given, f.want, example)
			}
		}
	}
	return strings.Join(items, ","), nil
}

func parseFields(parts []string) (*netcron.SpecSchedule, error) {
	parsed, err := parser.Parse(strings.Join(parts, " "))
	if err != nil {
		return nil, err
	}
	spec, ok := parsed.(*netcron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("parsed into a %T", parsed)
	}
	spec.Location = time.UTC
	return spec, nil
}

// Next returns the first tick after the given time, to the second. It is zero
// for the zero Schedule only.
func (s Schedule) Next(after time.Time) time.Time {
	switch {
	case s.every > 0:
		step := int64(s.every / time.Second)
		unix := after.Unix()
		past := unix % step
		if past < 0 { // before the epoch
			past += step
		}
		return time.Unix(unix-past+step, 0).In(s.loc)
	case s.wall != nil:
		return s.nextOnWall(after.In(s.loc))
	default:
		return time.Time{}
	}
}

// nextOnWall walks from one stretch of constant offset to the next.
func (s Schedule) nextOnWall(at time.Time) time.Time {
	offset := offsetAt(at)
	start, _ := at.ZoneBounds()
	end := nextChange(at)
	low := wallClock(at, offset) // a match must be later
	if !start.IsZero() {
		low = later(low, s.shown(start, offsetAt(start.Add(-1)), offset))
	}
	for {
		match := s.wall.Next(low)
		if match.IsZero() {
			return time.Time{}
		}
		tick := match.Add(-offset).In(s.loc)
		if end.IsZero() || tick.Before(end) {
			return tick
		}
		if near := tick.Add(-2 * day); near.After(end) {
			// What happens to the clocks long before a match does not matter.
			offset, end = offsetAt(near), nextChange(near)
			low = wallClock(near, offset)
			continue
		}
		before := offset
		offset = offsetAt(end)
		resumes := wallClock(end, offset)
		if gap := offset - before; !s.hourly && 0 < gap && gap <= maxShift && match.Before(resumes) {
			return end // right after the hour that was skipped
		}
		low = later(resumes.Add(-time.Second), s.shown(end, before, offset))
		end = nextChange(end)
	}
}

// nextChange returns when the offset may change next, or zero for never. Go's
// bounds are wrong beyond its tables: on the 31st of December of a leap year
// the next change is told to be behind, so it is asked for again in January.
func nextChange(t time.Time) time.Time {
	_, end := t.ZoneBounds()
	if !end.IsZero() && !end.After(t) {
		_, end = t.AddDate(0, 0, 2).ZoneBounds()
	}
	if !end.After(t) {
		return time.Time{}
	}
	return end
}

// shown returns the last wall clock reading that was passed before the clocks
// were set back, when the schedule must not tick at it again.
func (s Schedule) shown(change time.Time, before, after time.Duration) time.Time {
	if back := before - after; s.hourly || back <= 0 || back > maxShift {
		return time.Time{}
	}
	return wallClock(change, before).Add(-time.Second)
}

func wallClock(t time.Time, offset time.Duration) time.Time { return t.UTC().Add(offset) }

func offsetAt(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
