// Package config reads what a person wrote: a project's config.toml, its
// agents' config.toml and SKILL.md, and the credentials beside it. It fills in
// defaults, checks everything that can be checked without running anything, and
// reports all problems of a project at once, each with the place to look at and
// a way out.
//
// It knows no provider. Whether a source's type exists, and whether a trigger's
// filters make sense to it, is for those to say who hold the descriptors; the
// positions they need are kept here.
package config
