package install

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

// platformSuffix is how build tools mark the files of platforms:
// al-provider-acme_linux_amd64, al-provider-acme-darwin-arm64.
var platformSuffix = regexp.MustCompile(`[-_.](linux|darwin)[-_](amd64|arm64|386|arm|riscv64|ppc64le|ppc64|s390x|loong64)$`)

// checkType keeps what is no type out of paths.
func checkType(typ string) error {
	if !typePattern.MatchString(typ) {
		return fmt.Errorf("%q is no type of a provider; a type is lower-case letters, digits and \"-\"", typ)
	}
	return nil
}

// typeOf reads a file name: the type, and the platform that it claims, if any.
func typeOf(base string) (typ, platform string, ok bool) {
	typ, ok = sdk.TypeOfBinary(base)
	if !ok {
		return "", "", false
	}
	if m := platformSuffix.FindStringSubmatch(typ); m != nil {
		typ, platform = strings.TrimSuffix(typ, m[0]), m[1]+"/"+m[2]
	}
	return typ, platform, typePattern.MatchString(typ)
}
