# What one does in this repository, one word each. `make` alone lists them.
#
# Needed: Go, git and make; a C compiler only for the race detector. Tools are built from internal/tools into .tools/ on
# first use. Works with GNU make 3.81, which is what macOS has.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.SUFFIXES:
.DELETE_ON_ERROR:

GO ?= go

# A module is a folder with a go.mod, so a new provider is part of every target once it is there and in go.work.
MODULES := $(patsubst %/go.mod,%,$(wildcard sdk/go.mod host/go.mod plugins/*/go.mod examples/*/go.mod bench/go.mod e2e/go.mod))
PACKAGES := $(MODULES:%=./%/...)
PROVIDERS := $(patsubst plugins/%/go.mod,%,$(wildcard plugins/*/go.mod))

# Only the gateway's own tags count: sdk/v1.2.3 and plugins/slack/v1.2.3 are versions of other modules.
ifndef VERSION
VERSION := $(shell git describe --tags --match 'v[0-9]*' --always --dirty 2>/dev/null || echo dev)
endif

# The SDK's last release before this commit: what al plugin init writes into a go.mod. Nothing before the first one.
ifndef SDK_VERSION
SDK_VERSION := $(patsubst sdk/%,%,$(shell git describe --tags --match 'sdk/v[0-9]*' --abbrev=0 2>/dev/null))
endif

# The same flags wherever no race detector is involved, so that building, vetting, linting and cross-compiling share
# their compiled packages. The version is stamped below, and git may refuse to answer in a checkout of another user.
STATIC_FLAGS := -trimpath -buildvcs=false
STATIC := CGO_ENABLED=0
AL_LDFLAGS := -s -w -X github.com/action-llama/gateway/host/version.Version=$(VERSION) \
  -X github.com/action-llama/gateway/host/version.SDK=$(SDK_VERSION)
PROVIDER_LDFLAGS := -s -w -X main.version=$(VERSION)

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z][a-z0-9-]*:.*## / { printf "  %-16s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##-- Build and run

.PHONY: build
build: bin/al $(PROVIDERS:%=bin/plugins/al-provider-%) ## bin/al and bin/plugins/al-provider-<type>, stamped with VERSION

# Go itself knows what is up to date.
.PHONY: bin/al
bin/al:
	@$(STATIC) $(GO) build $(STATIC_FLAGS) -ldflags '$(AL_LDFLAGS)' -o $@ ./host/cmd/al

.PHONY: $(PROVIDERS:%=bin/plugins/al-provider-%)
$(PROVIDERS:%=bin/plugins/al-provider-%): bin/plugins/al-provider-%:
	@$(STATIC) $(GO) build $(STATIC_FLAGS) -ldflags '$(PROVIDER_LDFLAGS)' -o $@ ./plugins/$*

.PHONY: demo
demo: build ## the whole thing at work, on this machine, in one command
	@scripts/demo

.PHONY: clean
clean: ## remove what make built, tools included
	rm -rf bin .tools coverage.out coverage.html

##-- Test

# RACE=1 insists on the race detector, RACE=0 goes without. Left open, it is used where a C program compiles, since
# `go env CGO_ENABLED` alone also says yes to a compiler without C headers. The scripts of host/cli start al hundreds of
# times, which takes ten times as long with the detector; they are a run of their own, without.
RACE ?=
TESTFLAGS ?=
TEST_TIMEOUT ?= 10m

.PHONY: test
test: ## every test of every module (RACE=1 or 0, TESTFLAGS=...)
	@race='$(RACE)'; \
	if [ -z "$$race" ]; then \
	  cc=$$($(GO) env CC); race=0; \
	  if [ "$${CGO_ENABLED:-1}" != 0 ] && printf '#include <stdlib.h>\nint main(void) { return 0; }\n' | \
	    $$cc -x c -o /dev/null - >/dev/null 2>&1; then race=1; \
	  else echo "No working C compiler ($$cc): testing without the race detector. RACE=1 insists on it."; fi; \
	fi; \
	if [ "$$race" = 1 ]; then \
	  rc=0; CGO_ENABLED=1 $(GO) test -race -timeout $(TEST_TIMEOUT) $(TESTFLAGS) $(PACKAGES) || rc=1; \
	  $(STATIC) $(GO) test $(STATIC_FLAGS) -run '^(TestScripts|TestGettingStarted)$$' -timeout $(TEST_TIMEOUT) $(TESTFLAGS) ./host/cli || rc=1; \
	  exit $$rc; \
	fi; \
	$(GO) test -timeout $(TEST_TIMEOUT) $(TESTFLAGS) $(PACKAGES)

.PHONY: e2e
e2e: build tools-axe ## real binaries, real processes, end to end
	$(STATIC) $(GO) test $(STATIC_FLAGS) -tags=e2e -count=1 -timeout 25m $(TESTFLAGS) ./e2e/...

.PHONY: soak
soak: build ## the end-to-end tests at length: kills and restarts for AL_SOAK_FOR (1h)
	AL_SOAK=1 $(STATIC) $(GO) test $(STATIC_FLAGS) -tags=e2e -count=1 -timeout 24h -v $(TESTFLAGS) ./e2e/...

FUZZTIME ?= 10s

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (10s) each
	@GO='$(GO)' FUZZTIME='$(FUZZTIME)' internal/tools/fuzz $(MODULES)

.PHONY: bench
bench: build ## how fast, and how much of it
	@scripts/bench

.PHONY: cover
cover: ## coverage of all modules, in coverage.html
	$(GO) test -timeout $(TEST_TIMEOUT) -coverprofile=coverage.out $(PACKAGES)
	$(GO) tool cover -html=coverage.out -o coverage.html
	@$(GO) tool cover -func=coverage.out | tail -n 1

##-- Check

.PHONY: lint
lint: lint-modules lint-format lint-go lint-alerts verify ## linters, format, go.mod, and what verify does

.PHONY: lint-modules
lint-modules: # each module in go.work, each go.mod tidy
	@here=$$(printf '%s\n' $(MODULES) | sort); \
	work=$$($(GO) list -m -f '{{.Dir}}' | sed "s|^$$(pwd -P)/||" | sort); \
	if [ "$$here" != "$$work" ]; then \
	  echo "go.work and the modules here differ; go work use adds one:"; \
	  diff <(echo "$$here") <(echo "$$work") | sed -n 's/^</  only here:   /p; s/^>/  only in go.work:/p'; exit 1; \
	fi
	@bad=; for m in $(MODULES); do \
	  (cd $$m && GOWORK=off $(GO) mod tidy -diff) || bad="$$bad $$m"; \
	done; \
	if [ -n "$$bad" ]; then echo "go.mod or go.sum is not tidy; run GOWORK=off go mod tidy in:$$bad"; exit 1; fi

.PHONY: lint-format
lint-format:
	@bad=$$(find $(MODULES) -name '*.go' -not -path '*/testdata/*' -exec gofmt -l -s {} +); \
	if [ -n "$$bad" ]; then echo "gofmt -w -s is needed for:"; echo "$$bad"; exit 1; fi

# One run over the whole workspace: loading the packages is most of the work. cd -P because depguard compares real paths.
.PHONY: lint-go
lint-go: tools-lint
	@cd -P . && GOFLAGS="$$($(GO) env GOFLAGS) $(STATIC_FLAGS)" $(STATIC) .tools/golangci-lint run --allow-parallel-runners $(LINTFLAGS) $(PACKAGES)

.PHONY: lint-alerts
lint-alerts: ## the alerts in deploy/prometheus, and their tests, by promtool
	@if command -v promtool >/dev/null; then \
	  out=$$(promtool check config deploy/prometheus/prometheus.yml && promtool test rules deploy/prometheus/tests/*.yml 2>&1) \
	    || { echo "$$out"; exit 1; }; \
	else echo "lint-alerts: no promtool here (Debian's package prometheus has it), so the alerts are not tested"; fi

# Not a part of lint: its tool takes longer to build than all of lint to run.
.PHONY: lint-deploy
lint-deploy: tools-deploy ## what deploy/ has for systemd, Kubernetes and HAProxy, by their own tools
	@.tools/kubectl-validate --version 1.27 $$(ls deploy/kubernetes/*.yaml | grep -v kustomization)
	@if command -v systemd-analyze >/dev/null; then \
	  bad=$$(systemd-analyze verify deploy/systemd/al.socket deploy/systemd/al.service 2>&1 | grep -v '/opt/al/current/al is not executable'); \
	  if [ -n "$$bad" ]; then echo "$$bad"; exit 1; fi; \
	  systemd-analyze security --offline=true --threshold=20 --no-pager deploy/systemd/al.service | tail -n 1; \
	else echo "lint-deploy: no systemd-analyze here, so the units are not looked at"; fi
	@if command -v haproxy >/dev/null; then haproxy -q -c -f deploy/haproxy/haproxy.cfg; \
	else echo "lint-deploy: no haproxy here, so the balancer's file is not looked at"; fi

.PHONY: alone
alone: ## build and vet each module without the workspace, as others get it
	@for m in $(MODULES); do echo "alone: $$m"; \
	  (cd $$m && export GOWORK=off $(STATIC) && \
	    $(GO) build $(STATIC_FLAGS) -o /dev/null ./... && $(GO) vet $(STATIC_FLAGS) ./...) || exit 1; \
	done

PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64

# Nothing of this is run, so other platforms go without inlining, a third of the time; this one shares with build.
.PHONY: cross
cross: ## compile al and the providers for each platform they ship for
	@out=$$(mktemp -d); trap 'rm -rf "$$out"' EXIT; here=$$($(GO) env GOHOSTOS)/$$($(GO) env GOHOSTARCH); \
	for p in $(PLATFORMS); do echo "cross: $$p"; mkdir -p "$$out/$$p"; \
	  set --; [ "$$p" = "$$here" ] || set -- -gcflags=all=-l; \
	  GOOS=$${p%/*} GOARCH=$${p#*/} $(STATIC) $(GO) build $(STATIC_FLAGS) "$$@" -ldflags '-s -w' -o "$$out/$$p/" \
	    ./host/cmd/al $(PROVIDERS:%=./plugins/%) || exit 1; \
	done

##-- Protocol

PROTO := sdk/proto
BASELINE := $(PROTO)/baseline.binpb

.PHONY: generate
generate: tools-buf tools-gen ## Go code from the protocol
	.tools/buf generate

.PHONY: verify
verify: tools-buf tools-gen ## the protocol is sound, compatible, and the generated code is up to date
	@if [ ! -f $(BASELINE) ]; then echo "verify: $(BASELINE) is missing; make proto-baseline writes it"; exit 1; fi
	@.tools/buf lint
	@.tools/buf breaking --against $(BASELINE)
	@out=$$(mktemp -d); trap 'rm -rf "$$out"' EXIT; .tools/buf generate -o "$$out" && \
	if ! diff -ru sdk/providerv1 "$$out/sdk/providerv1"; then \
	  echo "verify: sdk/providerv1 is not what the protocol generates; run make generate"; exit 1; fi

# The baseline is the protocol as last released, in a file since a shallow clone has no history to compare with. Move it
# when a release goes out: what is in it can never be removed or renamed again, what is not in it yet still can.
.PHONY: proto-baseline
proto-baseline: tools-buf ## take the protocol as it is now for the one verify compares with
	.tools/buf build --exclude-source-info -o $(BASELINE)

##-- Tools

# Several modules, because buf and our generators want different versions of google.golang.org/protobuf, and so that
# generating does not wait for linters to compile. Each is built once, and again when its go.mod, its go.sum or Go moved.
.PHONY: tools tools-buf tools-gen tools-lint tools-deploy
tools: tools-buf tools-gen tools-lint
tools-buf tools-gen tools-lint tools-deploy: tools-%:
	@sum=$$(cat internal/tools/$*/go.mod internal/tools/$*/go.sum | cksum; $(GO) env GOVERSION); \
	if [ "$$sum" != "$$(cat .tools/$*.sum 2>/dev/null)" ]; then \
	  echo "Building tools from internal/tools/$* into .tools/, once; this may take a minute or two."; mkdir -p .tools; \
	  (cd internal/tools/$* && GOWORK=off $(STATIC) $(GO) build $(STATIC_FLAGS) -ldflags '-s -w' -o ../../../.tools/ tool) \
	    && echo "$$sum" > .tools/$*.sum; \
	fi

# What the test of the live page looks with for those who see or move otherwise. Without npm, or the network, it is left
# out, and the test says so.
AXE := 4.14.1
.PHONY: tools-axe
tools-axe:
	@if [ "$(AXE)" != "$$(cat .tools/axe/version 2>/dev/null)" ]; then \
	  if ! command -v npm >/dev/null; then echo "There is no npm: the accessibility of the live page is not checked."; \
	  elif npm install --prefix .tools/axe --no-save --no-audit --no-fund --ignore-scripts --loglevel=error axe-core@$(AXE) >/dev/null; \
	  then echo $(AXE) > .tools/axe/version; \
	  else echo "axe-core could not be fetched: the accessibility of the live page is not checked."; fi; fi
