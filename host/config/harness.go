package config

// builtInHarness is what the original Action Llama brought along, and no
// program that could be started here.
const builtInHarness = "pi"

// foreignHarness reads the original's way to name a harness, harness.type: it
// means the same as [runner] harness, but for the one that was built in. It
// returns nothing when there is nothing to use.
func (l *loader) foreignHarness(e *entry) Runner {
	of := e.value
	if of.kind == tableKind {
		in := of.get("type")
		if in == nil {
			of = nil
		} else {
			of = in.value
		}
	}
	if of == nil || of.kind != textKind || of.text == "" || of.text == builtInHarness {
		l.foreign = append(l.foreign, foreign{e.pos, e.key})
		return Runner{}
	}
	return Runner{Harness: of.text, Pos: of.pos}
}
