# Two commands are enough: `make demo` shows it, `make test` proves it. Both install what they need.

CARGO ?= cargo
PREFIX ?= /usr/local
DESTDIR ?=
export SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)

.PHONY: help demo test lint build bench setup install

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

demo: setup build ## a client on ether-83 gets its lease, the server is killed, the lease survives
	@target/release/leasehold demo

test: setup lint ## every test that fits into 20 minutes on two cores
	$(CARGO) test --workspace --no-fail-fast

lint: ## formatting and clippy
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --quiet -- --deny warnings

build: ## the release binary
	$(CARGO) build --release --quiet

bench: setup build ## criterion benches
	$(CARGO) bench

setup: ## Debian packages that the tests and the demo use
	@.ci/setup

install: build ## binary, unit, configuration (PREFIX=/usr/local DESTDIR=)
	install -D -m 0755 target/release/leasehold $(DESTDIR)$(PREFIX)/bin/leasehold
