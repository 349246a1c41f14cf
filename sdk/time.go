package sdk

import "time"

// ParseTime reads a time in the first of the layouts that fits, RFC 3339 if
// none is given; one without a zone means UTC. What is no time is the zero
// time, and so is what RFC 3339 can not write again, so that the result can be
// an [Event.Timestamp] as it is.
func ParseTime(text string, layouts ...string) time.Time {
	if len(layouts) == 0 {
		return parseTime(text, time.RFC3339)
	}
	for _, layout := range layouts {
		if t := parseTime(text, layout); !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func parseTime(text, layout string) time.Time {
	t, err := time.Parse(layout, text)
	if err != nil {
		return time.Time{}
	}
	return writable(t)
}

// UnixTime is the time that many seconds and nanoseconds after 1970 began. See
// [ParseTime] for times that are too far off.
func UnixTime(seconds, nanoseconds int64) time.Time {
	return writable(time.Unix(seconds, nanoseconds))
}

func writable(t time.Time) time.Time {
	if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}
