# Thin: each target names what it needs, a stamp says that it was made, nothing is made twice.
# `make demo` and `make test` do all set-up on a fresh machine with Python, Rust, Go and Node.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

PYTHON ?= python3
export PYTHON
ROOT := $(CURDIR)
VENV := .venv
BIN := $(ROOT)/$(VENV)/bin
BUILD_TOOLS := $(VENV)/.made-build-tools
DEV_TOOLS := $(VENV)/.made-dev-tools
EXTENSION := $(VENV)/.made-extension
GO_PROGRAMS := target/bin/.made
# The crates see one interpreter, the lints and the tests alike, so that nothing is built twice.
export PYO3_PYTHON := $(BIN)/python
export PATH := $(BIN):$(PATH)
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

RUST_SOURCES := $(shell find core_rs -type f \( -name '*.rs' -o -name '*.toml' -o -name '*.sql' \))
GO_MODULES := $(patsubst %/go.mod,%,$(wildcard bridges/*/go.mod examples/*/*/go.mod))
NPM_PACKAGES := $(patsubst %/package.json,%,\
  $(wildcard bridges/*/package.json examples/*/*/package.json))
NPM_MADE := $(NPM_PACKAGES:%=%/node_modules/.made)
GO_SOURCES = $(shell find $(GO_MODULES) -name '*.go' -o -name 'go.mod' -o -name 'go.sum')

typescript_of = $(shell find $(1) -name node_modules -prune -o -name dist -prune \
  -o -name '*.ts' -print)

# Seeds for `make simulate`, a directory for `make demo`; KILL=1 and FAST=1 are flags.
SEEDS ?= 2000
REPO ?=
KILL ?=
FAST ?=

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: setup ## The main job: audit a source tree in three languages (REPO=dir, KILL=1)
	$(BIN)/python -m examples.code_audit $(if $(REPO),--repo "$(REPO)") $(if $(KILL),--kill)

.PHONY: test
test: test-rust test-python test-go test-typescript ## Every test, all languages

.PHONY: test-rust
test-rust: tools $(BUILD_TOOLS) ## The crates' tests, the simulation among them
	cargo test --workspace --locked --quiet

.PHONY: test-python
test-python: setup $(DEV_TOOLS) ## Python, end to end, conformance, documentation and house measures
	$(BIN)/python -m pytest --quiet

.PHONY: test-go
test-go: tools $(BUILD_TOOLS) ## Every Go module's tests
	@for module in $(GO_MODULES); do echo "go test: $$module"; (cd $$module && go test ./...); done

.PHONY: test-typescript
test-typescript: tools $(BUILD_TOOLS) $(NPM_MADE) ## Every npm package's tests
	@for package in $(NPM_PACKAGES); do (cd $$package && npm test --silent); done

.PHONY: bench
bench: setup $(DEV_TOOLS) ## The benchmark table and benches/results/latest.json (FAST=1)
	$(BIN)/python -m benches $(if $(FAST),--fast)

.PHONY: simulate
simulate: tools $(BUILD_TOOLS) ## The engine under a seeded world of faults (SEEDS=100000)
	cargo run --release --locked --quiet -p perdure-simulation -- --seeds $(SEEDS)

.PHONY: lint
lint: setup $(DEV_TOOLS) ## Every lint of the gate, without the tests
	.ci/run lint

.PHONY: gate
gate: ## What continuous integration runs: every lint, then every test
	.ci/run

.PHONY: setup
setup: tools $(EXTENSION) $(GO_PROGRAMS) $(NPM_MADE) ## Build the wheel's module, Go and npm

.PHONY: tools
tools:
	@.ci/check_tools python cargo cc go node

INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

$(BUILD_TOOLS): pyproject.toml | tools
	@echo "perdure: Python environment in $(VENV)"
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@$(INSTALL) pip==26.0
	@$(INSTALL) --group build
	@touch $@

$(DEV_TOOLS): pyproject.toml $(BUILD_TOOLS)
	@echo "perdure: lints and test tools"
	@$(INSTALL) --group dev
	@touch $@

# The folder `python/` is used in place; only the native module is built. Without a group of its own
# choice, maturin would install the development tools too.
$(EXTENSION): $(BUILD_TOOLS) $(RUST_SOURCES) Cargo.toml Cargo.lock
	@echo "perdure: native module (the first build takes a few minutes)"
	@$(BIN)/maturin develop --release --locked --quiet --group build >/dev/null
	@touch $@

# Libraries are compiled, programs are put into target/bin under the name of their folder.
$(GO_PROGRAMS): $(GO_SOURCES) | tools
	@echo "perdure: Go modules"
	@mkdir -p $(@D)
	@for module in $(GO_MODULES); do \
	  cd "$(ROOT)/$$module"; go build -o /dev/null ./...; \
	  for program in $$(go list -f '{{if eq .Name "main"}}{{.ImportPath}}{{end}}' ./...); do \
	    go build -o "$(ROOT)/$(@D)/" "$$program"; \
	  done; \
	done
	@touch $@

# Not `npm ci`: it refuses a lock file without the optional packages of other platforms, which not
# every registry holds. The versions are the lock file's all the same, and it is not written.
.SECONDEXPANSION:
%/node_modules/.made: %/package.json %/package-lock.json $$(call typescript_of,$$*) | tools
	@echo "perdure: npm package $*"
	@cd $* && npm install --no-save --no-audit --no-fund --loglevel=error >/dev/null
	@cd $* && npm run build --silent
	@touch $@

.PHONY: clean
clean: ## Remove everything that was built
	rm -rf target .venv python/perdure/_core/*.so
	rm -rf $(NPM_PACKAGES:%=%/node_modules) $(NPM_PACKAGES:%=%/dist)
