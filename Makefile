# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# make help says what there is.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# The kernel to build for; it need not run, and its headers need not be installed.
KVER ?= $(shell uname -r)
KDIR ?= $(firstword $(wildcard /lib/modules/$(KVER)/build \
	target/kernels/$(KVER)/usr/src/linux-headers-$(KVER)))

# As the kernel and kmod/configs name it: x86_64, arm64, or arm64-16k for pages of that size.
# Of another one than this machine's, all that runs is emulated, and all else cross-built.
HOST_ARCH := $(patsubst aarch64,arm64,$(shell uname -m))
ARCH ?= $(HOST_ARCH)
CROSS := $(filter-out $(HOST_ARCH),$(patsubst arm64-%,arm64,$(ARCH)))
export VMTEST_ARCH := $(ARCH)

OUT := target/kmod/$(KVER)
# The driver in drivers/$(1), module $(2), and it without its C files.
DRIVER_CRATES = --name $(2) \
	--crate vmcoredd_driver=kmod/driver-api/src/lib.rs \
	--crate $(2)=drivers/$(1)/$(2).rs:vmcoredd_driver
RUST_DRIVER = $(RUST_MODULE) $(call DRIVER_CRATES,$(1),$(2)) --out $(OUT)/drivers/$(2) \
	--c-source kmod/driver-api/driver.c --c-source drivers/$(1)/module.c \
	--include kmod/driver-api --include kmod/include \
	--symvers $(OUT)/Module.symvers
MODULE_CACHE := target/kmod/cache
RUST_MODULE := kmod/build/rust-module --kdir "$(KDIR)" --cache $(MODULE_CACHE) $(MODULE_FLAGS)
CARGO := cargo

.PHONY: help
help: ## What there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: deps ## A stock kernel panics in a VM; its vmcore shows the device dumps
	@$(CARGO) build --release --package vmcoredd --package system-tests
	@$(CARGO) run --quiet --release --package system-tests --bin demo

# The driver, and the device that it is for, as qemu-system-x86_64 -device has it.
DRIVER :=
DEVICE :=
SERIES := 6.12

.PHONY: try
try: deps ## Panics a VM with a device of yours: DRIVER=<.ko> DEVICE=<of QEMU>
	@$(CARGO) build --quiet --release --package vmcoredd --package system-tests
	@$(CARGO) run --quiet --release --package system-tests --bin try_driver -- \
		--series $(SERIES) $(addprefix --device ,$(DEVICE)) $(DRIVER)

# Most tests in virtual machines run on each kernel. On one of them each change runs them
# all, on the others the panics and what collectors do to them.
VM_TEST = $(CARGO) test --package system-tests --no-fail-fast
UNIT_TESTS = status=0; \
	$(MAKE) fuzz FUZZ='-runs=30000 -seed=1' FUZZ_CORPUS=fuzz/target/fixed || status=$$?; \
	$(MODEL_CHECK) || status=$$?; \
	scripts/sanitize || status=$$?; \
	$(CARGO) test --workspace --exclude system-tests --no-fail-fast || status=$$?

# Of the kernels of other releases, one in turn, by the day of the commit. What builds for it
# is in a root directory of its release, which only root can make and enter.
TURNS := on_5_10 on_trixie_full on_trixie_rt on_backports on_sid
TURN = $$(set -- $(TURNS); shift $$(($$(git show -s --format=%ct) / 86400 % $$\#)); echo $$1)

.PHONY: test
test: deps lint ## The tests that each change must pass: half an hour
	@$(UNIT_TESTS); \
	$(VM_TEST) --test panic --test isolation --test devices -- on_6_1:: || status=$$?; \
	$(MAKE) test-turn || status=$$?; \
	$(VM_TEST) --tests -- --skip on_6_1:: || status=$$?; \
	exit $$status

.PHONY: test-turn
test-turn: deps
	@if ((EUID)); then \
		echo "make: panics $(TURN) are left out: they take root"; \
	else \
		scripts/install-packages mmdebstrap && \
		$(VM_TEST) --test panic -- --ignored --nocapture "$(TURN)::"; \
	fi

.PHONY: test-all
test-all: deps lint ## Every test: both kernels, whole machines, crash (root, an hour, 20 GB)
	@$(UNIT_TESTS); \
	$(MAKE) million || status=$$?; \
	$(VM_TEST) --tests || status=$$?; \
	$(MAKE) test-own-dumps || status=$$?; \
	$(MAKE) test-crash || status=$$?; \
	$(MAKE) test-install || status=$$?; \
	exit $$status

# The tests that depend on the architecture most.
.PHONY: test-arm64
test-arm64: ## Panics of arm64 kernels, of 4 and 16 KiB pages (emulated, cross-built)
	@$(MAKE) deps ARCH=arm64
	@status=0; \
	for VMTEST_ARCH in arm64 arm64-16k; do \
		export VMTEST_ARCH; \
		$(VM_TEST) --test panic --test producers --test live -- on_6_12:: || status=$$?; \
		$(VM_TEST) --test arm64 -- --ignored || status=$$?; \
	done; \
	exit $$status

# Which of the kernels in docs/reach.md, such as trixie-rt; all if empty.
KERNEL :=

.PHONY: test-reach
test-reach: deps ## Tests on each kernel of docs/reach.md, which it writes (root, hours, 6 GB)
	@scripts/install-packages mmdebstrap
	@$(CARGO) run --quiet --package system-tests --bin reach -- $(addprefix --kernel ,$(KERNEL))

.PHONY: test-own-dumps
test-own-dumps: deps ## Kernels with device dumps of their own, one with KASAN (builds them)
	@scripts/install-packages bc bison flex libelf-dev
	@$(CARGO) test --package system-tests --test own_dumps -- --ignored

# The directory with the source of kdump-utils.
KDUMP_UTILS :=

.PHONY: test-kdump-utils
test-kdump-utils: deps ## kdump of RHEL and Fedora saves dumps (root): KDUMP_UTILS=<its source>
	@test -e "$(KDUMP_UTILS)/kdumpctl" || { \
		echo 'make: give KDUMP_UTILS=, the directory with the source of kdump-utils' >&2; exit 2; }
	@scripts/install-packages bc bison flex libelf-dev mmdebstrap e2fsprogs zstd
	@KDUMP_UTILS=$(abspath $(KDUMP_UTILS)) $(CARGO) test --package system-tests \
		--test kdump_utils -- --ignored --nocapture

.PHONY: test-crash
test-crash: deps ## The crash utility reads the vmcore (a large download)
	@scripts/install-packages crash
	@$(CARGO) test --package system-tests --test crash -- --ignored

# Which of the machines, by the names of the tests: bookworm, trixie, with_6_1 and the like;
# all if empty. A command that was built on Debian 13 does not run on 12.
MACHINE := $(if $(shell grep -x VERSION_CODENAME=bookworm /etc/os-release),,trixie objects)

.PHONY: test-install
test-install: deps ## Debian machines with our packages panic (root, 30 minutes, 20 GB)
	@scripts/install-packages debhelper lintian mmdebstrap e2fsprogs zstd crash
	@$(CARGO) test --package system-tests --test install -- --ignored --nocapture $(MACHINE)

.PHONY: soak
soak: deps ## 20 panics in a row, 20 complete dumps
	@$(CARGO) test --package system-tests --test soak -- --ignored --nocapture

BENCH :=

.PHONY: bench
bench: deps ## The module beside C's, the command beside its peers
	@scripts/install-packages bc bison flex libelf-dev crash
	@$(CARGO) build --quiet --release --package vmcoredd --package bench
	@target/release/bench $(BENCH)

.PHONY: bench-report
bench-report: ## The same, written to docs/performance.md
	@$(MAKE) bench BENCH='--report docs/performance.md'

# How long; and what is found is kept, except where each run is to be the same.
FUZZ := -max_total_time=60
FUZZ_CORPUS := fuzz/target/corpus
FUZZ_TARGETS = $$($(CARGO) fuzz list)

.PHONY: fuzz
fuzz: deps ## Each fuzz target for a minute
	@scripts/install-packages g++
	@$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install --quiet --locked cargo-fuzz
	@rm -rf fuzz/target/fixed fuzz/target/seeds
	@$(CARGO) run --quiet --package synth --example fuzz_seeds -- fuzz/target/seeds
	@status=0; \
	for target in $(FUZZ_TARGETS); do \
		mkdir -p $(FUZZ_CORPUS)/$$target fuzz/corpus/$$target; \
		log=fuzz/target/$$target.log; \
		echo "fuzzing $$target ($(FUZZ))"; \
		if $(CARGO) fuzz run --sanitizer none $$target \
			$(FUZZ_CORPUS)/$$target fuzz/target/seeds/$$target fuzz/corpus/$$target \
			-- $(FUZZ) -timeout=10 -rss_limit_mb=768 \
			>$$log 2>&1; then grep ^Done $$log; \
		else status=$$?; echo "$$target failed, see $$log:"; \
			grep -aE -A 1 'panicked at|^error|ERROR: |^Base64|artifact_prefix' $$log | \
				cut -c -500 | tail -n 40; fi; \
	done; \
	exit $$status

.PHONY: million
million: deps ## A million changed dumps through every decoder, in 64 MiB: minutes
	@$(CARGO) test --release --package decode --test million -- --ignored --nocapture

# Every order in which the threads of the store may run, and those that share what kmem
# owns; a build of its own.
MODEL_CHECK = RUSTFLAGS="--cfg loom" $(CARGO) test --release --package kmem --package devdump \
	--test loom --target-dir target/loom

.PHONY: model-check
model-check: deps ## Every order in which the store's threads may run
	@$(MODEL_CHECK)

.PHONY: sanitize
sanitize: deps ## What owns memory, under AddressSanitizer and valgrind
	@scripts/sanitize

.PHONY: miri
miri: ## The same under Miri, which rustup's nightly toolchain alone has
	@$(CARGO) +nightly miri --version >/dev/null 2>&1 || { \
		echo 'make: no Miri: rustup toolchain install nightly --component miri' >&2; exit 2; }
	@MIRIFLAGS=-Zmiri-disable-isolation PROPTEST_CASES=4 $(CARGO) +nightly miri test \
		--package kmem --test owned --target-dir target/miri

# Shell scripts, by their first line or their name; and what others evaluate as shell and
# take variables from.
SCRIPTS = { git grep -lE '^\#!.*\b(ba)?sh$$'; git ls-files '*.sh'; } | sort -u
SETTINGS := packaging/etc/vmcoredd.conf packaging/dkms/dkms.conf.in

.PHONY: lint
lint: deps ## Formatting, clippy, shellcheck, crates from elsewhere
	@$(CARGO) fmt --all --check
	@$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	@$(CARGO) clippy --quiet --workspace --all-targets -- -D warnings
	@$(SCRIPTS) | xargs shellcheck
	@shellcheck --shell=bash --exclude=SC2034,SC2154 $(SETTINGS)
	@$(CARGO) test --quiet --package system-tests --test crates
	@scripts/check-crates

# The module without its C files.
RUST_CRATES := --name vmcoredd \
	--crate vmcore=crates/vmcore/src/lib.rs \
	--crate kmem=crates/kmem/src/lib.rs \
	--crate devdump=crates/devdump/src/lib.rs:kmem,vmcore \
	--crate plan=crates/plan/src/lib.rs:vmcore \
	--crate vmcoredd=kmod/src/lib.rs:vmcore,kmem,devdump,plan

.PHONY: kmod
kmod: kdir ## The module, for the kernel KVER=<release>
	@$(RUST_MODULE) $(RUST_CRATES) --out $(OUT) \
		$(addprefix --c-source ,$(sort $(wildcard kmod/c/*.c))) --include kmod/include

# Where the finished objects of Rust code are kept, by what they are made of.
OBJECTS := target/kmod/objects
CONFIGS := kmod/configs/$(ARCH)*.config
RUST_OBJECT = kmod/build/rust-module --object-for "$$config" --objects $(OBJECTS) \
	--cache $(MODULE_CACHE) --out target/kmod

.PHONY: objects
objects: ## The module's Rust objects for each of kmod/configs: to build without rustc
	@for config in $(CONFIGS); do $(RUST_OBJECT) $(RUST_CRATES) || exit; done

# Those of the sample drivers, too.
.PHONY: driver-objects
driver-objects: objects
	@for config in $(CONFIGS); do \
		$(RUST_OBJECT) $(call DRIVER_CRATES,ivshmem,ivshmem) && \
		$(RUST_OBJECT) $(call DRIVER_CRATES,nvme-regs,nvme_regs) || exit; \
	done

.PHONY: drivers
drivers: kmod ## The sample drivers, for the kernel KVER=<release>
	@$(call RUST_DRIVER,ivshmem,ivshmem)
	@$(call RUST_DRIVER,nvme-regs,nvme_regs)
	@$(RUST_MODULE) --name edu --out $(OUT)/drivers/edu --c-source drivers/edu/edu.c \
		--cflag -DCONFIG_PROC_VMCORE_DEVICE_DUMP=1 --symvers $(OUT)/Module.symvers

.PHONY: deb
deb: deps ## Debian packages of the command and of the module's source, in target/deb
	@scripts/install-packages debhelper lintian
	@scripts/build-debs target/deb$(CROSS:%=-%) $(CROSS)

.PHONY: rpm
rpm: deps ## Packages for RHEL and Fedora, in target/rpm
	@scripts/install-packages rpm rpmlint
	@scripts/build-rpms target/rpm

.PHONY: kdir
kdir:
	@test -n "$(KDIR)" || { \
		echo "make: no headers for the kernel $(KVER): give KVER=, install linux-headers-$(KVER), or give KDIR=" >&2; \
		exit 2; \
	}

.PHONY: deps
deps: ## What all this needs, by apt, once
	@scripts/install-packages
ifdef CROSS
	@scripts/install-packages --cross-to $(CROSS)
endif

.PHONY: clean
clean: ## Removes all that was built, but not the kernels that were fetched
	@find target fuzz/target -mindepth 1 -maxdepth 1 ! -path target/kernels \
		-exec rm -rf {} + 2>/dev/null || :
