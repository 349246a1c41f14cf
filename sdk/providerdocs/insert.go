package providerdocs

import (
	"errors"
	"fmt"
	"strings"
)

const (
	begin = "<!-- generated from the provider: begin -->"
	end   = "<!-- generated from the provider: end -->"
)

// Insert returns doc with the region between the two comments replaced. What is
// outside of it stays byte for byte.
func Insert(doc, generated string) (string, error) {
	for _, marker := range []string{begin, end} {
		if n := strings.Count(doc, marker); n != 1 {
			return "", fmt.Errorf("the line %s is there %d times; the generated region needs one begin and one end", marker, n)
		}
		if strings.Contains(generated, marker) {
			return "", fmt.Errorf("the descriptor's own text holds %s, so the end of the region could not be found again", marker)
		}
	}
	head, rest, _ := strings.Cut(doc, begin)
	_, tail, ok := strings.Cut(rest, end)
	if !ok {
		return "", errors.New("the region's end is before its begin; swap the two comments")
	}
	return head + begin + "\n" + strings.Trim(generated, "\n") + "\n" + end + tail, nil
}
