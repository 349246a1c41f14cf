package cron

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the machine may have none
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

const layout = "2006-01-02 15:04:05 -0700"

func TestNext(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		zone  string
		expr  string
		after string // wall clock, no offset unless it is ambiguous
		want  []string
	}{
		{"every minute", "UTC", "* * * * *", "2026-01-01 00:00:00 +0000", []string{"2026-01-01 00:01:00 +0000", "2026-01-01 00:02:00 +0000"}},
		{"seconds", "UTC", "*/20 * * * * *", "2026-01-01 00:00:30 +0000", []string{"2026-01-01 00:00:40 +0000", "2026-01-01 00:01:00 +0000"}},
		{"office hours", "UTC", "*/30 8-9 * JAN-mar Mon-Fri", "2026-01-02 09:00:00 +0000", []string{"2026-01-02 09:30:00 +0000", "2026-01-05 08:00:00 +0000"}},
		{"over midnight", "UTC", "0 22-1 * * *", "2026-01-01 22:30:00 +0000", []string{"2026-01-01 23:00:00 +0000", "2026-01-02 00:00:00 +0000", "2026-01-02 01:00:00 +0000", "2026-01-02 22:00:00 +0000"}},
		{"from a value on", "UTC", "10/20 * * * *", "2026-01-01 00:00:00 +0000", []string{"2026-01-01 00:10:00 +0000", "2026-01-01 00:30:00 +0000", "2026-01-01 00:50:00 +0000", "2026-01-01 01:10:00 +0000"}},
		{"Sunday is 0 and 7", "UTC", "0 0 * * 7", "2026-01-01 00:00:00 +0000", []string{"2026-01-04 00:00:00 +0000"}},
		{"either day field", "UTC", "0 0 13 * fri", "2026-01-02 00:00:00 +0000", []string{"2026-01-09 00:00:00 +0000", "2026-01-13 00:00:00 +0000"}},
		{"last day", "UTC", "0 0 L * *", "2026-01-31 00:00:00 +0000", []string{"2026-02-28 00:00:00 +0000"}},
		{"last weekday", "UTC", "0 0 LW * *", "2026-01-01 00:00:00 +0000", []string{"2026-01-30 00:00:00 +0000"}},
		{"nearest weekday", "UTC", "0 0 15W * *", "2026-01-31 00:00:00 +0000", []string{"2026-02-16 00:00:00 +0000"}},
		{"second Friday", "UTC", "0 0 * * fri#2", "2026-01-01 00:00:00 +0000", []string{"2026-01-09 00:00:00 +0000"}},
		{"last Friday", "UTC", "0 0 * * 5L", "2026-01-01 00:00:00 +0000", []string{"2026-01-30 00:00:00 +0000", "2026-02-27 00:00:00 +0000"}},
		{"leap day over a century without one", "UTC", "0 0 29 2 *", "2096-02-29 00:00:00 +0000", []string{"2104-02-29 00:00:00 +0000"}},
		{"leap days beyond the tables of zones", "Europe/Berlin", "30 2 29 2 *", "2036-02-29 12:00:00 +0100", []string{"2040-02-29 02:30:00 +0100", "2044-02-29 02:30:00 +0100"}},
		{"New Year's Eve beyond them", "Europe/Berlin", "30 2 * * *", "2040-12-31 03:00:00 +0100", []string{"2041-01-01 02:30:00 +0100"}},
		{"next summer beyond them", "Europe/Berlin", "0 12 1 7 *", "2040-12-31 03:00:00 +0100", []string{"2041-07-01 12:00:00 +0200"}},
		{"hourly", "UTC", "@hourly", "2026-01-01 00:30:00 +0000", []string{"2026-01-01 01:00:00 +0000"}},
		{"daily in its zone", "Asia/Tokyo", "@daily", "2026-01-01 00:00:00 +0900", []string{"2026-01-02 00:00:00 +0900"}},
		{"weekly", "UTC", "@weekly", "2026-01-01 00:00:00 +0000", []string{"2026-01-04 00:00:00 +0000"}},
		{"yearly", "UTC", "@Yearly", "2026-01-01 00:00:00 +0000", []string{"2027-01-01 00:00:00 +0000"}},
		{"every, on a grid of its own", "UTC", "@every 90s", "2026-01-01 00:00:07 +0000", []string{"2026-01-01 00:01:30 +0000", "2026-01-01 00:03:00 +0000"}},
		{"fractions of a second are behind us", "UTC", "* * * * * *", "2026-01-01 00:00:00.9 +0000", []string{"2026-01-01 00:00:01 +0000"}},

		{"spring, at a skipped time: right after", "Europe/Berlin", "30 2 * * *", "2026-03-28 03:00:00 +0100", []string{"2026-03-29 03:00:00 +0200", "2026-03-30 02:30:00 +0200"}},
		{"spring, several skipped times: once", "Europe/Berlin", "*/10 2 * * *", "2026-03-28 03:00:00 +0100", []string{"2026-03-29 03:00:00 +0200", "2026-03-30 02:00:00 +0200"}},
		{"spring, when the hour after is also meant: once", "Europe/Berlin", "0 2,3 * * *", "2026-03-28 03:00:00 +0100", []string{"2026-03-29 03:00:00 +0200", "2026-03-30 02:00:00 +0200"}},
		{"spring, before the skipped hour", "Europe/Berlin", "59 1 * * *", "2026-03-28 03:00:00 +0100", []string{"2026-03-29 01:59:00 +0100", "2026-03-30 01:59:00 +0200"}},
		{"spring, at the end of the skipped hour", "Europe/Berlin", "0 3 * * *", "2026-03-28 03:00:00 +0100", []string{"2026-03-29 03:00:00 +0200", "2026-03-30 03:00:00 +0200"}},
		{"spring, every second hour", "Europe/Berlin", "0 */2 * * *", "2026-03-29 00:00:00 +0100", []string{"2026-03-29 03:00:00 +0200", "2026-03-29 04:00:00 +0200"}},
		{"spring, every quarter of an hour", "Europe/Berlin", "*/15 * * * *", "2026-03-29 01:30:00 +0100", []string{"2026-03-29 01:45:00 +0100", "2026-03-29 03:00:00 +0200", "2026-03-29 03:15:00 +0200"}},
		{"spring, every hour at half past", "Europe/Berlin", "30 * * * *", "2026-03-29 00:30:00 +0100", []string{"2026-03-29 01:30:00 +0100", "2026-03-29 03:30:00 +0200"}},
		{"spring, a day that is not today", "Europe/Berlin", "30 2 * * mon", "2026-03-28 03:00:00 +0100", []string{"2026-03-30 02:30:00 +0200"}},
		{"autumn, at a doubled time: the first", "Europe/Berlin", "30 2 * * *", "2026-10-24 03:00:00 +0200", []string{"2026-10-25 02:30:00 +0200", "2026-10-26 02:30:00 +0100"}},
		{"autumn, asked between the two", "Europe/Berlin", "30 2 * * *", "2026-10-25 02:45:00 +0200", []string{"2026-10-26 02:30:00 +0100"}},
		{"autumn, asked in the second", "Europe/Berlin", "30 2 * * *", "2026-10-25 02:10:00 +0100", []string{"2026-10-26 02:30:00 +0100"}},
		{"autumn, at the start of the doubled hour", "Europe/Berlin", "0 2 * * *", "2026-10-24 03:00:00 +0200", []string{"2026-10-25 02:00:00 +0200", "2026-10-26 02:00:00 +0100"}},
		{"autumn, at its end", "Europe/Berlin", "0 3 * * *", "2026-10-25 01:00:00 +0200", []string{"2026-10-25 03:00:00 +0100"}},
		{"autumn, every second hour", "Europe/Berlin", "0 */2 * * *", "2026-10-25 00:00:00 +0200", []string{"2026-10-25 02:00:00 +0200", "2026-10-25 04:00:00 +0100"}},
		{"autumn, every half hour", "Europe/Berlin", "*/30 * * * *", "2026-10-25 01:30:00 +0200", []string{"2026-10-25 02:00:00 +0200", "2026-10-25 02:30:00 +0200", "2026-10-25 02:00:00 +0100", "2026-10-25 02:30:00 +0100", "2026-10-25 03:00:00 +0100"}},
		{"autumn, @hourly", "Europe/Berlin", "@hourly", "2026-10-25 01:00:00 +0200", []string{"2026-10-25 02:00:00 +0200", "2026-10-25 02:00:00 +0100", "2026-10-25 03:00:00 +0100"}},
		{"autumn, @every", "Europe/Berlin", "@every 1h", "2026-10-25 01:00:00 +0200", []string{"2026-10-25 02:00:00 +0200", "2026-10-25 02:00:00 +0100", "2026-10-25 03:00:00 +0100"}},

		{"New York, spring", "America/New_York", "30 2 * * *", "2026-03-07 03:00:00 -0500", []string{"2026-03-08 03:00:00 -0400", "2026-03-09 02:30:00 -0400"}},
		{"New York, autumn", "America/New_York", "30 1 * * *", "2026-10-31 03:00:00 -0400", []string{"2026-11-01 01:30:00 -0400", "2026-11-02 01:30:00 -0500"}},
		{"half an hour, spring", "Australia/Lord_Howe", "15 2 * * *", "2026-10-03 03:00:00 +1030", []string{"2026-10-04 02:30:00 +1100", "2026-10-05 02:15:00 +1100"}},
		{"half an hour, spring, every quarter", "Australia/Lord_Howe", "*/15 * * * *", "2026-10-04 01:30:00 +1030", []string{"2026-10-04 01:45:00 +1030", "2026-10-04 02:30:00 +1100"}},
		{"half an hour, autumn", "Australia/Lord_Howe", "45 1 * * *", "2026-04-04 03:00:00 +1100", []string{"2026-04-05 01:45:00 +1100", "2026-04-06 01:45:00 +1030"}},
		{"half an hour, autumn, every quarter", "Australia/Lord_Howe", "*/15 * * * *", "2026-04-05 01:30:00 +1100", []string{"2026-04-05 01:45:00 +1100", "2026-04-05 01:30:00 +1030", "2026-04-05 01:45:00 +1030", "2026-04-05 02:00:00 +1030"}},
		{"a day without midnight", "Africa/Cairo", "@daily", "2026-04-23 12:00:00 +0200", []string{"2026-04-24 01:00:00 +0300", "2026-04-25 00:00:00 +0300"}},
		{"a day that was left out is no daylight saving", "Pacific/Apia", "30 2 * * *", "2011-12-29 12:00:00 -1000", []string{"2011-12-31 02:30:00 +1400"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			loc := zone(t, test.zone)
			s, err := Parse(test.expr, loc)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(layout, test.after)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				at = s.Next(at)
				if got := at.Format(layout); got != want {
					t.Fatalf("got %s, want %s", got, want)
				}
			}
		})
	}
}

// What daylight saving may never break, in every kind of zone.
func TestEveryDayHasItsTick(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Beirut", "Africa/Casablanca",
		"America/Santiago", "Asia/Kathmandu", "Europe/Dublin", "America/St_Johns", "Antarctica/Troll", "UTC",
	} {
		for _, expr := range []string{"30 2 * * *", "0 0 * * *", "15 1 * * *", "0 3 * * *"} {
			loc := zone(t, name)
			s, err := Parse(expr, loc)
			if err != nil {
				t.Fatal(err)
			}
			noon := time.Date(2024, 12, 31, 12, 0, 0, 0, loc)
			for day := range 365 {
				from := noon.AddDate(0, 0, day)
				first := s.Next(from)
				second := s.Next(first)
				if to := noon.AddDate(0, 0, day+1); first.After(to) || !second.After(to) {
					t.Errorf("%s %q after %s: ticks at %s and %s, want one by noon", name, expr, from, first, second)
				}
			}
		}
		s, err := Parse("*/30 * * * *", zone(t, name))
		if err != nil {
			t.Fatal(err)
		}
		at := time.Date(2025, 1, 1, 0, 0, 0, 0, zone(t, name))
		for end := at.AddDate(1, 0, 0); at.Before(end); {
			next := s.Next(at)
			if next.Sub(at) != 30*time.Minute {
				t.Errorf("%s: %s between %s and %s", name, next.Sub(at), at, next)
			}
			at = next
		}
	}
}

func TestParseErrorsTellWhatToDo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ expr, want string }{
		{"", `is empty; for example "30 8 * * mon-fri"`},
		{"* * * *", "has 4 fields, want 5"},
		{"0 0 0 1 1 * 2030", "has 7 fields"},
		{"60 * * * *", `minute: "60" is not understood, want 0-59`},
		{"0 8,25 * * *", `hour: "25" is not understood, want 0-23`},
		{"61 0 * * * *", `second: "61"`},
		{"0 0 32 * *", `day of month: "32"`},
		{"0 0 * foo *", `month: "foo" is not understood, want 1-12 or jan-dec`},
		{"0 0 * * monday", `day of week: "monday" is not understood, want 0-7 or sun-sat`},
		{"0 0 * * 1#6", `day of week: "1#6"`},
		{"0 0 * * xL", `day of week: "xL"`},
		{"1,,2 * * * *", `minute: "1,,2" has an empty item`},
		{"*/90 * * * *", "a step of 90 does not fit 60 values; use @every"},
		{"*/0 * * * *", `minute: "*/0"`},
		{"H * * * *", `minute: "H"`},
		{"0 30-1 * * *", `hour: "30-1"`},
		{"0 0 * * 12-1", `day of week: "12-1"`},
		{"5- * * * *", `minute: "5-"`},
		{"1-2-3 * * * *", `minute: "1-2-3"`},
		{"99999999999999999999 * * * *", `minute: "99999999999999999999"`},
		{"0 0 30 2 *", `never comes: no day fits day of month "30" in month "2"`},
		{"0 0 31 4,6 *", "never comes"},
		{"@reboot", "unknown; there are @yearly"},
		{"@every", "unknown; there are"},
		{"@every 5", `not "5"; for example @every 90s`},
		{"@every 100ms", "at least 1s"},
		{"@every -1h", "at least 1s"},
		{"TZ=UTC 0 0 * * *", "set timezone beside schedule"},
		{strings.Repeat("1,", 1000) + "1 * * * *", "can not be used"},
	} {
		_, err := Parse(test.expr, time.UTC)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), `schedule "`) || len(err.Error()) > 400 {
			t.Errorf("%q: %v, want %s", test.expr, err, test.want)
		}
	}
}

func TestTheZeroScheduleNeverTicks(t *testing.T) {
	t.Parallel()
	if next := (Schedule{}).Next(time.Now()); !next.IsZero() {
		t.Errorf("ticks at %s", next)
	}
}

func FuzzParse(f *testing.F) {
	for _, expr := range []string{
		"* * * * *", "*/15 9-17 * jan-mar mon-fri", "30 2 29 2 *", "0 0 30 2 *", "0 0 L * 5L", "0 0 LW,15W * 1#5", "? ? ? ? ?",
		"59 59 23 31 12 7", "@hourly", "@every 90s", "@every 2562047h", "30 2 * * 1#5", "TZ=x * * * * *", "0 22-2 * * *", "0/20 * * * *", "0 0 L-30 2 *",
		"0 0 31W 2 *", "1-5/2 * * * *", "-1 * * * *", "\xff * * * *", "0 0 * 2 1#5",
	} {
		f.Add(expr, int64(1_700_000_000), uint8(0))
		f.Add(expr, int64(1_774_745_999), uint8(1))
	}
	zones := []*time.Location{time.UTC, zone(f, "Europe/Berlin"), zone(f, "Australia/Lord_Howe"), zone(f, "Pacific/Apia"), zone(f, "Africa/Casablanca")}
	f.Fuzz(func(t *testing.T, expr string, unix int64, in uint8) {
		s, err := Parse(expr, zones[int(in)%len(zones)])
		if err != nil {
			return
		}
		const years200 = 200 * 365 * 24 * 3600
		at := time.Unix(unix%years200, 0) // 1770 to 2170
		for range 5 {
			next := s.Next(at)
			if !next.After(at) {
				t.Fatalf("%q: after %s comes %s", expr, at, next)
			}
			at = next
		}
	})
}

func BenchmarkNext(b *testing.B) {
	for _, expr := range []string{"*/15 * * * *", "30 2 * * mon-fri", "0 0 29 2 *"} {
		b.Run(expr, func(b *testing.B) {
			s, err := Parse(expr, zone(b, "Europe/Berlin"))
			if err != nil {
				b.Fatal(err)
			}
			at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
			for b.Loop() {
				s.Next(at)
			}
		})
	}
}
