package cli_test

import "golang.org/x/sys/unix"

const getTermios = unix.TIOCGETA
