# `make help` lists the targets. Whatever a target needs is set up on first use.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test test-libvirt lint types bench truth docs fidelity fidelity-release

BIN := .venv/bin
READY := .venv/.ready

# What the kernel tests use, and its Debian package. What is missing is skipped by name.
KERNEL_TESTS_NEED := ip=iproute2 brctl=bridge-utils dnsmasq=dnsmasq-base udhcpc=udhcpc \
	busybox=busybox tcpdump=tcpdump sysctl=procps nft=nftables iptables=iptables ebtables=iptables \
	arptables-legacy=arptables \
	/etc/protocols=netbase linux.uml=user-mode-linux ipvsadm=ipvsadm keepalived=keepalived

TRUTH_NEEDS := ip=iproute2 nft=nftables ebtables=iptables busybox=busybox sysctl=procps \
	linux.uml=user-mode-linux ipvsadm=ipvsadm
LIBVIRT_TESTS_NEED := libvirtd=libvirt-daemon-system virsh=libvirt-clients \
	qemu-system-x86_64=qemu-system-x86 ebtables=iptables ip=iproute2 sysctl=procps

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

DHCP_CASE := tests/fixtures/incident-b/paste.txt
DAD_CASE := tests/fixtures/libvirt
DIRECTOR_A := tests/fixtures/vm61-director-a
DIRECTOR_B := tests/fixtures/vm61-director-b

demo: $(READY) ## Set up, then see what hopback says about real incidents
	@run() { printf '\n$$ hopback %s\n\n' "$$*"; $(BIN)/hopback "$$@" || [ $$? -eq 1 ]; }; \
	printf '\n=== The DHCP reply that went elsewhere\n'; \
	run check $(DHCP_CASE); \
	run trace $(DHCP_CASE) --to instance-00000347 --dhcp; \
	printf '\n=== Reflected duplicate detection\n'; \
	run check $(DAD_CASE); \
	run fix $(DAD_CASE) hairpin-reflection:vnet7; \
	printf '\n=== Two directors playing ping-pong\n'; \
	run check --assume kernel=6.1 $(DIRECTOR_A) $(DIRECTOR_B); \
	run fix $(DIRECTOR_B) --evidence $(DIRECTOR_A) ipvs-loop

test: $(READY) ## Set up, then run every test that this machine can run, and measure coverage
	@tools/need $(KERNEL_TESTS_NEED) || true
	$(BIN)/coverage run -m pytest $(PYTEST_ARGS)
	$(BIN)/coverage report

test-libvirt: $(READY) ## The tests with QEMU guests of a real libvirt, in namespaces, as root
	@tools/need $(LIBVIRT_TESTS_NEED)
	@tools/guest-kernel build/guest-kernel
	HOPBACK_LIBVIRT=1 $(BIN)/python -m pytest tests/libvirt $(PYTEST_ARGS)

lint: $(READY) ## ruff: rules and layout
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(READY) ## mypy, strict
	$(BIN)/mypy

bench: $(READY) ## Run the benchmarks; each ends with a line of JSON, that of check is the last
	@for bench in lab check; do $(BIN)/python "bench/bench_$$bench.py"; done

SECONDS ?= 30
SEED ?= 1
KERNEL ?= any
AREA ?= all

fidelity: $(READY) ## The model against a kernel: SECONDS=30 SEED=1 KERNEL=any|host|uml AREA=all
	@tools/need ip=iproute2
	@case "$(KERNEL)-$(AREA)$${HOPBACK_UML:-}" in \
		host-*|any-all) ;; \
		*) [ -n "$${HOPBACK_UML:-}" ] || tools/need linux.uml=user-mode-linux ;; \
	esac
	@$(BIN)/python -m tests.fidelity --seconds $(SECONDS) --seed $(SEED) --kernel $(KERNEL) \
		--area $(AREA)

fidelity-release: $(READY) ## The same for a release, on both kernels, recorded in docs/
	@tools/need ip=iproute2
	@[ -n "$${HOPBACK_UML:-}" ] || tools/need linux.uml=user-mode-linux
	code=0; nice $(BIN)/python -m tests.fidelity.record || code=$$?; \
		$(BIN)/python docs/generate.py; exit $$code

truth: $(READY) ## What fixes and settings do: the model, its proof and the running kernel side by side
	@tools/need $(TRUTH_NEEDS)
	@$(BIN)/python -m tests.truth

docs: $(READY) ## Refresh the generated pages and build the site in build/docs
	$(BIN)/python docs/generate.py
	$(BIN)/sphinx-build -q -W --keep-going -c docs . build/docs

$(READY): pyproject.toml tools/setup tools/need
	tools/setup .venv
	@touch $@
