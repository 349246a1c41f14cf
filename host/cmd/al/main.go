// Command al is the gateway and everything a person does with it.
package main

import (
	"os"
	_ "time/tzdata" // schedules have time zones, and slim images have none

	"github.com/action-llama/gateway/host/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], cli.System())) }
