package config

import (
	"fmt"
	"strings"
)

// hooks reads the shell commands around an agent's harness.
func (l *loader) hooks(e *entry) Hooks {
	var h Hooks
	table := l.table(e, "hooks", `write [hooks] and below it pre = ["..."]`)
	if table == nil {
		return h
	}
	for _, in := range table.entries {
		switch in.key {
		case "pre":
			h.Pre = l.hookCommands(in, "hooks.pre")
		case "post":
			h.Post = l.hookCommands(in, "hooks.post")
		default:
			l.unknown(in, "hooks."+in.key, keysOf(anyAgent, "hooks"), nil)
		}
	}
	return h
}

func (l *loader) hookCommands(e *entry, path string) []string {
	commands, ok := l.texts(e, path, true)
	if !ok {
		return nil
	}
	for i, command := range commands {
		at, of := e.value.pos, path
		if e.value.kind == listKind {
			at = e.value.items[i].pos
			of = fmt.Sprintf("%s[%d]", path, i)
		}
		switch {
		case strings.TrimSpace(command) == "":
			l.problems.add(Errorf(at, "%s is empty", of).WithFix("write a shell command, or remove it"))
		case strings.ContainsRune(command, 0):
			l.problems.add(Errorf(at, "%s has a zero byte in it, which no command can have", of))
		}
	}
	return commands
}
