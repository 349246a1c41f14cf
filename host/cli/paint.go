package cli

const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func (s Streams) paint(code, text string) string {
	return painted(s.OutTerminal && !s.NoColor, code, text)
}
func (s Streams) errPaint(code, text string) string {
	return painted(s.ErrTerminal && !s.NoColor, code, text)
}

func painted(colours bool, code, text string) string {
	if !colours || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
