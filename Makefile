# Two commands are enough: `make demo` shows it, `make test` proves it. Both install what they need.

CARGO ?= cargo
PREFIX ?= /usr/local
DESTDIR ?=
export SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)

.PHONY: help demo test lint fuzz build bench criterion loom planted soak setup install

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

demo: setup build ## a client on ether-83 gets its lease, the server is killed, the lease survives
	@target/release/leasehold demo

test: setup lint ## every test that fits into 20 minutes on two cores
	$(CARGO) test --workspace --no-fail-fast
	$(MAKE) --no-print-directory loom planted

lint: ## formatting and clippy
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --quiet -- --deny warnings

# A release build in less time, for tests that only have to be fast enough.
QUICK := CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=0

loom: ## every interleaving of the pool, its planted bugs; random schedules at real width
	RUSTFLAGS="--cfg loom" $(QUICK) $(CARGO) test -p leasehold-pool --lib --release \
		--target-dir target/loom -- --nocapture --test-threads=1 loom
	RUSTFLAGS="--cfg shuttle" $(QUICK) $(CARGO) test -p leasehold-pool --lib --release \
		--target-dir target/shuttle -- shuttle
	@$(CARGO) miri --version 2>/dev/null || \
		echo "notice: this toolchain has no Miri, so the pool was not run under it"

# As a release would be, but built with what the tests have built already.
SHIPPED := $(foreach crate,dhcp pool,\
	--config profile.dev.package.leasehold-$(crate).debug-assertions=false)

planted: ## every bug on purpose is found by the simulator; keeps the table in docs/simulator.md
	RUSTC_WORKSPACE_WRAPPER="$(CURDIR)/.ci/planted" $(CARGO) test -p leasehold-sim --test planted \
		$(SHIPPED) -- --nocapture --test-threads=1

soak: setup ## what takes longer than CI has: kills, power cuts, hostile packets, seeds, fuzzing
	LEASEHOLD_ROUNDS=200 LEASEHOLD_CUTS=50 $(CARGO) test --release --test durability \
		-- --nocapture
	LEASEHOLD_DAMAGES=all $(CARGO) test --release --lib store::tests::damage -- --nocapture
	LEASEHOLD_DATAGRAMS=10000000 $(CARGO) test --release --test hostile -- --nocapture
	$(CARGO) run --release -p leasehold-sim -- --seeds 0..100000
	$(CARGO) run --release -p leasehold-sim -- --seeds 0..20 --hours 72
	$(MAKE) --no-print-directory fuzz FUZZ=1800

# Seconds for each target.
FUZZ ?= 20

fuzz: ## each fuzz target for FUZZ seconds, from the corpora in fuzz/corpus
	@$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install --quiet --locked cargo-fuzz
	@for target in wire engine bulk record rest script sentence toml; do \
		mkdir -p fuzz/target/found/$$target && \
		RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run --sanitizer none $$target \
			fuzz/target/found/$$target fuzz/corpus/$$target -- \
			-max_total_time=$(FUZZ) -max_len=8192 -timeout=20 -print_final_stats=1 || exit 1; \
	done

build: ## the release binary
	$(CARGO) build --release --quiet

bench: build ## ours beside Kea, dhcpd, dnsmasq and null servers; writes docs/performance.md
	@.ci/setup kea-dhcp4-server isc-dhcp-server dnsmasq-base
	$(SUDO) benches/peers/run --page docs/performance.md $(BENCH)

criterion: ## the pool, the engine, the codec, the commit path and restarts by themselves
	$(CARGO) bench

setup: ## what the tests and the demo use: Debian packages, and RouterOS clients of other people
	@.ci/setup
	@.ci/clients

install: build ## binary, unit, user, configuration (PREFIX=/usr/local DESTDIR=)
	install -D -m 0755 target/release/leasehold $(DESTDIR)$(PREFIX)/bin/leasehold
	install -d -m 0755 $(DESTDIR)/etc/systemd/system/leasehold.service.d
	sed 's|/usr/local/bin|$(PREFIX)/bin|' systemd/leasehold.service \
		> $(DESTDIR)/etc/systemd/system/leasehold.service
	install -D -m 0644 systemd/leasehold.sysusers $(DESTDIR)/usr/lib/sysusers.d/leasehold.conf
	version=$$(systemctl --version 2>/dev/null | sed -n 's/^systemd \([0-9]*\).*/\1/p'); \
	if [ "$${version:-0}" -ge 253 ]; then \
		install -m 0644 systemd/notify-reload.conf \
			$(DESTDIR)/etc/systemd/system/leasehold.service.d/notify-reload.conf; \
	fi
	install -d -m 0750 $(DESTDIR)/etc/leasehold
	[ -e $(DESTDIR)/etc/leasehold/leasehold.toml ] || \
		install -m 0640 config/leasehold.toml $(DESTDIR)/etc/leasehold/leasehold.toml
	# The service writes its configuration back, so it is the service's own.
	[ -n "$(DESTDIR)" ] || { \
		if command -v systemd-sysusers >/dev/null; then \
			systemd-sysusers /usr/lib/sysusers.d/leasehold.conf; fi && \
		chown -R leasehold:leasehold /etc/leasehold; }
	[ -n "$(DESTDIR)" ] || ! [ -d /run/systemd/system ] || systemctl daemon-reload
