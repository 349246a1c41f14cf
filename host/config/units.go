package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxDuration bounds every duration of a configuration. A year is more than
// any of them can mean, and far from where nanoseconds overflow.
const maxDuration = 366 * 24 * time.Hour

// parseDuration reads "90", which is seconds, and Go's "1m30s".
func parseDuration(text string) (time.Duration, bool) {
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return secondsOf(seconds)
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d <= maxDuration && d >= -maxDuration
}

func secondsOf(n int64) (time.Duration, bool) {
	if limit := int64(maxDuration / time.Second); n > limit || n < -limit {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

// sizeUnits in the order in which a suffix is looked for. "MB" counts by 1000
// and "MiB" by 1024. A bare "M" is no unit here, since people disagree.
var sizeUnits = [...]struct {
	suffix string
	bytes  float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"b", 1},
}

// parseSize reads "1048576", "32MiB" and "1.5 GB".
func parseSize(text string) (int64, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	folded := strings.ToLower(strings.TrimSpace(text))
	for _, unit := range sizeUnits {
		number, ok := strings.CutSuffix(folded, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		bytes := n * unit.bytes
		// Below 2^53 a float is exact; beyond is no size anybody has.
		if err != nil || math.IsNaN(bytes) || math.Abs(bytes) > 1<<53 {
			return 0, false
		}
		return int64(bytes), true
	}
	return 0, false
}

// formatSize writes a size as one would type it.
func formatSize(n int64) string {
	for i := 3; i >= 0; i-- {
		unit := int64(sizeUnits[i].bytes)
		if n >= unit && n%unit == 0 {
			return fmt.Sprintf("%d%sB", n/unit, strings.ToUpper(sizeUnits[i].suffix[:1])+"i")
		}
	}
	return strconv.FormatInt(n, 10)
}

// formatDuration writes a duration as one would type it: 10m, not 10m0s.
func formatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
