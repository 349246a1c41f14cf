// Package providertest is the conformance kit for providers: it takes a
// provider and a folder of cases, and says what is wrong with the provider and
// what to do about it. It is for tests and for tools that test: `al plugin test`
// is the same kit for a binary in any language. It knows no vendor, and does not
// need the package testing.
//
// A test of a provider is one call:
//
//	var update = flag.Bool("update", false, "rewrite the expectations in testdata")
//
//	func TestProvider(t *testing.T) {
//		providertest.Run(t, providertest.Options{
//			New:     func() sdk.Provider { return provider.New("test") },
//			Package: "..", // of the command; the kit builds it
//			Update:  *update,
//			Sign: func(req *sdk.Request, secret map[string]string) {
//				req.Header.Set("X-Bell-Signature", sdk.SignHMACSHA256("sha256=", secret["secret"], req.Body))
//			},
//			Events: []string{"ring", "knock"},
//		})
//	}
//
// # Cases
//
// A case is one file in testdata, a txtar archive with the extension .txtar:
//
//	-- request.http --
//	POST /webhooks/bell HTTP/1.1
//	Content-Type: application/json
//	X-Bell-Signature: sha256=8b0f...
//
//	{"door":"front","visitor":"Ada"}
//	-- secrets --
//	home secret=ding dong
//	-- filters --
//	pass doors = ["front", "back"]
//	hold doors = ["back"]
//	-- want.json --
//	{"which": [0], "events": [{"event": "ring", "attributes": {"door": ["front"]}}]}
//
// The body is what follows the empty line, less the one line end that the
// archive adds. A body that no text file can hold is in a file body.base64
// instead.
//
// secrets has one field a line: the source, a space, and name=value, the value
// up to the end of the line as it is. Lines of the same source make one secret;
// "home/next" is another credential of the source home, named next. A file
// without lines stands for no secrets. A value that the descriptor calls Secret
// should have eight characters or more, so that it can be looked for in logs.
//
// settings, if there, has a setting of a source on each line: the source, its
// name, "=" and the value as JSON (home signatureHeader = "X-Bell"). A source
// that has settings and no secret takes unsigned requests.
//
// options, if there, has one "key: value" a line. receivedAt is when the host
// read the request, in RFC 3339, by default [DefaultReceivedAt]. allowUnsigned:
// true stands for a host with a source that takes unsigned requests. published:
// signature says that the signature is one that the vendor published, or that
// was computed apart from the provider: it has to be accepted as it is, and
// Update signs nothing anew. published: reply says the same of the reply.
// unknown: true is for what the vendor may invent some day: its values need not
// be among those that the filters know.
//
// filters, if there, says on each line what a trigger does with the delivery:
// pass, or hold it back. The trigger has the filters of that line, one, several
// (doors = "front" visitor = "Ada") or none, and no others.
//
// want.json is what [sdk.Deliver] makes of it: "which" secrets signed it,
// "unsigned", the "reply" to a handshake, the "events" under the names that
// agents see (and their attributes, sensitive paths and replies), or the kind of
// "error": bad signature, stale, unparseable, unusable credential. Update
// rewrites it, and with Sign it signs the request again if the case is one that
// a secret signs; so a new case is a request without signature and without
// want.json. Read what it wrote: it is what the provider does, not what it
// should do.
//
// # What is checked
//
// Each case is delivered in process, over gRPC in process, and to the built
// binary as the host starts it, and must become exactly what want.json says.
// From the cases that a secret signs the kit derives hostile ones: signatures
// with a byte changed, cut, missing and doubled; wrong and empty secrets and
// those of other sources; old and future times; bodies that were changed, cut or
// written anew as JSON; and bodies that strangers would not send, nested deeply
// or 25 MiB large, with other types in every place. These must be refused, or
// understood, in time, without a panic, and without a secret or a body in an
// error, an event or the log. Where a header is the secret itself (a token, by
// which no body is signed) changed bodies are left out. The descriptor must be valid and constant. The
// cases must show each event of [Options.Events], and of each filter one event
// that it lets pass, one that it holds back and one that lacks what it looks at;
// what a trigger has to name they show named, and not.
// Of a provider that is an sdk.Sampler each sample is made, signed and unsigned,
// and delivered: it must be the same each time, one that the provider itself
// takes, and of the event that it is named after.
//
// [Run] reports to a *testing.T. [Suite] is the engine below it, for tools: a
// [Target] goes in, each [Finding] comes out.
package providertest
