# The front door. Bare `make` lists what there is; `make run` is all that a newcomer needs.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Builds stay outside the checkout: it can be copied, mounted read-only, and searched.
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/afferent/target
# rustup installs here; a shell that was open before does not know yet.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin

# `make run` uses the development profile: it builds in a fraction of the time of an optimised one and shares everything
# with `make test`; Cranelift, which compiles the decoders, is optimised in it. PROFILE=release runs what is deployed.
PROFILE ?= dev
# More arguments for the server or the bench, as in: make run ARGS="--help"
ARGS ?=

.PHONY: help setup run build test soak check bench fuzz decoders openapi schema fmt clean

help: ## list the targets
	@printf 'Afferent. Usage: make TARGET\n\n'
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## install what is missing: PostgreSQL programs, C linker, Rust toolchain (silent when all is there)
	@scripts/setup

run: setup ## build, and start the demo on http://127.0.0.1:8080 with its own PostgreSQL (PROFILE=release for speed)
	@cargo build --locked --profile $(PROFILE) --bin afferent
	@exec "$$CARGO_TARGET_DIR/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))/afferent" serve --demo $(ARGS)

build: setup ## build the optimised server with the bundled decoders: ./bin/afferent
	@cargo build --locked --release --bin afferent
	@mkdir -p bin
	@cp "$$CARGO_TARGET_DIR/release/afferent" bin/afferent.new
	@mv bin/afferent.new bin/afferent
	@printf 'built %s (%s)\n' bin/afferent "$$(du -h bin/afferent | cut -f1)"

test: ## run every test, on real PostgreSQL servers of their own (and in a real Chromium)
	@scripts/setup --tests
	@cargo test --locked --workspace --no-fail-fast

soak: setup ## the long fault suites: 210 kills over HTTP, 120 over MQTT, some twenty minutes (ARGS="kills=50 seed=7"; docs/faults.md)
	@AFFERENT_SOAK="$(ARGS)" cargo test --locked --package afferent --test api -- --ignored --exact --nocapture --test-threads=1 faults::soak::the_long_run mqtt::faults::the_long_run

check: setup ## formatting, lints, documentation, openapi.json, schema.rs, lock files; dependencies if cargo-deny is installed
	@cargo fmt --all --check
	@cargo clippy --locked --workspace --all-targets -- -D warnings
	@RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps --lib --quiet
	@scripts/check-openapi
	@scripts/check-schema
	@for own in fuzz fuzz/host tests/bench/peers; do \
		cargo metadata --locked --format-version 1 --manifest-path "$$own/Cargo.toml" >/dev/null || \
			{ echo "$$own/Cargo.lock is behind: cargo metadata --manifest-path $$own/Cargo.toml brings it up to date" >&2; exit 1; }; \
	done
	@if command -v cargo-deny >/dev/null; then cargo deny --locked check; fi

bench: setup ## build optimised, and measure once on a throw-away PostgreSQL (ARGS="--quick", ARGS="--json"; docs/benchmarks.md)
	@cargo build --locked --release --bin afferent
	@cargo build --locked --release --manifest-path tests/bench/peers/Cargo.toml --target-dir "$$CARGO_TARGET_DIR/peers"
	@exec "$$CARGO_TARGET_DIR/release/afferent" bench --peers "$$CARGO_TARGET_DIR/peers/release/bench-peers" $(ARGS)

openapi: setup ## write openapi/openapi.json anew from the code
	@scripts/check-openapi --write

schema: setup ## write server/crates/db/src/schema.rs anew from the migrations
	@scripts/check-schema --write

decoders: setup ## write docs/decoders.md anew from the decoders, their vectors and READMEs
	@cargo run --locked --quiet --package shipped-decoders -- page

fuzz: setup ## fuzz every decoder for a minute each (ARGS="seconds target …"; needs a nightly toolchain; fuzz/README.md)
	@scripts/fuzz $(ARGS)

fmt: setup ## format the code
	@cargo fmt --all

clean: ## remove everything that was built (never data)
	@rm -rf bin
	@if command -v cargo >/dev/null; then cargo clean; fi
