# Everything a developer types, in one page. `make help` lists the targets.

.DEFAULT_GOAL := help
SHELL := /bin/sh

CARGO ?= cargo
DATA_DIR ?= headwater-demo
# Runs a command with a PostgreSQL server, brokers and a browser: those that are there, or private
# ones.
WITH_SERVICES := tests/with-postgres tests/with-brokers tests/with-chromium
# How long the torture is: runs of the simulated disk, commands, kills of the program and
# of PostgreSQL, events in PostgreSQL, answers of two nodes.
SEEDS ?= 100000
COMMANDS ?= 1000000
KILLS ?= 20
EVENTS ?= 10000000
ANSWERS ?= 100000
# Where tests that cannot run on this machine note what they lack.
SKIPPED := $(abspath $(or $(CARGO_TARGET_DIR),target))/skipped-tests
# Deliveries while a snapshot of PostgreSQL is held, and for how many seconds it is.
DELIVERIES ?= 200000
HOLD_S ?= 60

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: check
check: tools fmt-check clippy doc test deny sql-lint ## every check: format, lints, docs, tests, licences, bans and SQL
	@if [ -s '$(SKIPPED)' ]; then \
		echo "make check: what was run holds, but TESTS WERE SKIPPED for want of these:"; \
		sort -u '$(SKIPPED)' | sed 's/^/  /'; \
	else echo "make check: everything holds"; fi

.PHONY: tools
tools: ## say what is missing to build
	@missing=0; \
	need() { command -v "$$1" >/dev/null 2>&1 || { echo "missing: $$1 ($$2)"; missing=1; }; }; \
	need $(CARGO) "the Rust toolchain, https://rustup.rs"; \
	need cc "a C compiler for SQLite, ring and jemalloc, on Debian: apt install gcc libc6-dev"; \
	if command -v $(CARGO) >/dev/null 2>&1; then \
		for part in fmt clippy; do \
			$(CARGO) $$part --version >/dev/null 2>&1 || { echo "missing: cargo $$part (rustup component add rustfmt clippy)"; missing=1; }; \
		done; \
	fi; \
	exit $$missing

.PHONY: fmt
fmt: ## format the code
	$(CARGO) fmt --all

.PHONY: fmt-check
fmt-check: ## check the format
	$(CARGO) fmt --all --check

.PHONY: clippy
clippy: ## lint everything, warnings are errors
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

.PHONY: doc
doc: ## build the docs, warnings are errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

.PHONY: test
test: ## run every test, those of the pages included
	@mkdir -p '$(dir $(SKIPPED))' && rm -f '$(SKIPPED)'
	SKIPPED_TESTS='$(SKIPPED)' $(WITH_SERVICES) $(CARGO) test --workspace --locked

.PHONY: deny
deny: ## check licences, bans and sources; tests/tidy does the same without cargo-deny
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
		$(CARGO) deny check bans licenses sources; \
	else \
		echo "cargo-deny is not installed: tests/tidy/supply.rs has enforced deny.toml"; \
	fi

.PHONY: sql-lint
sql-lint: ## check the steps of migrations on PostgreSQL; tests/tidy does a little without squawk
	@if command -v squawk >/dev/null 2>&1; then \
		find . -path ./target -prune -o -name '*.up*.sql' ! -name '*.sqlite.sql' -print | sort | xargs squawk; \
	else \
		echo "squawk is not installed: tests/tidy/steps.rs has checked the phases of the steps"; \
	fi

.PHONY: torture
torture: ## run the simulations, the passivation, the kill, the PostgreSQL and the outbox tests at full length (SEEDS=100000 COMMANDS=1000000 KILLS=20 EVENTS=10000000 ANSWERS=100000 DELIVERIES=200000 HOLD_S=60)
	HEADWATER_SEEDS=$(SEEDS) HEADWATER_COMMANDS=$(COMMANDS) HEADWATER_KILLS=$(KILLS) HEADWATER_EVENTS=$(EVENTS) \
		HEADWATER_ANSWERS=$(ANSWERS) HEADWATER_DELIVERIES=$(DELIVERIES) HEADWATER_HOLD_S=$(HOLD_S) \
		$(WITH_SERVICES) $(CARGO) test --release --locked --workspace \
		--test crash --test runtime --test process --test postgres_store --test outbox
	HEADWATER_SEEDS=$(SEEDS) $(CARGO) test --release --locked --workspace --lib simulation

.PHONY: bench
bench: ## measure every path but migrations against its own limit, with a NATS of its own if need be
	$(CARGO) run --release --locked -- bench append
	$(CARGO) run --release --locked -- bench read
	$(CARGO) run --release --locked -- bench rehydrate
	$(CARGO) run --release --locked -- bench command
	$(CARGO) run --release --locked -- bench http
	$(CARGO) run --release --locked -- bench project
	ONLY_BROKERS=nats tests/with-brokers sh -c '$(CARGO) run --release --locked -- bench outbox $${NATS_URL:+--nats "$$NATS_URL"}'

.PHONY: demo
demo: ## run a whole shop and serve it
	$(CARGO) run --release --locked -- demo

.PHONY: golden
golden: ## write the golden files of events; read the difference before committing it
	UPDATE_GOLDEN=1 $(CARGO) test --workspace --locked golden

.PHONY: openapi
openapi: ## write schema/openapi from the code; read the difference before committing it
	UPDATE_OPENAPI=1 $(CARGO) test --workspace --locked openapi

.PHONY: clean-data
clean-data: ## remove the data folder of the demo (DATA_DIR=headwater-demo)
	@printf 'remove %s and everything in it? [y/N] ' '$(DATA_DIR)'; read answer; \
	test "$$answer" = y && rm -rf -- '$(DATA_DIR)' || echo "kept"
