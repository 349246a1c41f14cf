package provider

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

// CheckSettings says what of a source's settings does not go together: any of
// it would have every delivery refused, or an old one taken.
func (p *Provider) CheckSettings(_ context.Context, source sdk.Source) ([]sdk.SettingProblem, error) {
	c := &check{s: source.Settings}
	switch c.s.Text(setScheme) {
	case schemeHMAC:
		c.signed()
	case schemeStandard:
		if _, ok := standardPrefix(c.s); !ok {
			c.say(setHeader, "", `has to end in "-Signature" with the scheme %s; write %s = "Webhook-Signature", or as the sender has it`, schemeStandard, setHeader)
		}
	case schemeBasic:
		if !strings.EqualFold(c.s.Text(setHeader), "Authorization") {
			c.say(setHeader, "", `has to be "Authorization" with the scheme %s`, schemeBasic)
		}
	}
	c.hidden()
	known := fieldNames()
	for _, name := range slices.Sorted(maps.Keys(c.s.Table(setFields))) {
		if !slices.Contains(known, name) {
			c.say(setFields, name, "is no field of an event; they are %s", strings.Join(known, ", "))
		}
	}
	for name, other := range map[string]string{"event": "events", "action": "actions"} {
		if _, ok := c.s.Table(setAttributes)[name]; ok {
			c.say(setAttributes, name, "is what the filter %s looks at already; name it otherwise", other)
		}
	}
	slices.SortFunc(c.problems, func(a, b sdk.SettingProblem) int {
		return strings.Compare(a.Setting+a.Item, b.Setting+b.Item)
	})
	return c.problems, nil
}

type check struct {
	s        sdk.Settings
	problems []sdk.SettingProblem
}

func (c *check) say(setting, item, format string, args ...any) {
	c.problems = append(c.problems, sdk.SettingProblem{Setting: setting, Item: item, Message: fmt.Sprintf(format, args...)})
}

// hidden looks for paths to headers that prove the sender: agents would see a
// token, and no replay has them.
func (c *check) hidden() {
	proof := []string{http.CanonicalHeaderKey(c.s.Text(setHeader)), "Authorization", "Proxy-Authorization", "Cookie"}
	look := func(setting, item, path string) {
		if name := headerOf(path); name != "" && slices.Contains(proof, name) {
			c.say(setting, item, "leads to the header %s, which is for proving the sender and not for agents to see", name)
		}
	}
	for _, name := range []string{setEvent, setDeliveryID} {
		look(name, "", c.s.Text(name))
	}
	for _, table := range []string{setFields, setAttributes, setExtra} {
		for name, path := range c.s.Table(table) {
			look(table, name, path)
		}
	}
}

// signed looks at what is signed.
func (c *check) signed() {
	text := c.s.Text(setSigned)
	if strings.Count(text, markBody) != 1 {
		c.say(setSigned, "", "has to hold %s once; a signature over anything less proves nothing about the body", markBody)
	}
	rest := strings.NewReplacer(markBody, "", markTimestamp, "", markID, "").Replace(text)
	if strings.ContainsAny(rest, "{}") {
		c.say(setSigned, "", "knows %s, %s and %s, and nothing else in braces", markBody, markTimestamp, markID)
	}
	timed := strings.Contains(text, markTimestamp)
	switch {
	case timed && !c.s.Has(setTimestamp):
		c.say(setSigned, "", "holds %s, so %s has to name the header with it", markTimestamp, setTimestamp)
	case !timed && c.s.Has(setTimestamp):
		c.say(setTimestamp, "", "names a time that is not signed, which proves nothing; write it into %s as the sender has it, or remove this", setSigned)
	}
	if strings.Contains(text, markID) && headerOf(c.s.Text(setDeliveryID)) == "" {
		c.say(setSigned, "", `holds %s, so %s has to be "header:" and the name of the header with it`, markID, setDeliveryID)
	}
}
