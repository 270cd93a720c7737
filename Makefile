# make search   the main job: set-up, build, and a search on the quickstart (2 workers, no downloads)
# make test     set-up, build, every test
# make bench    builds engram-bench, which measures the search core, the engine and the runtime (Benchmarks/README.md)
# make install  the program, completion and manual pages below PREFIX (default ~/.local)
# make dist     one archive for machines on which nothing can be installed: dist/engram-VERSION-linux-ARCH.tar.gz
# make docs     DocC archives of the library products below .build/docs
# make audit    counts lines, undocumented declarations, try?, doubled code
# make faults   the full form of the fault tests (half an hour; some need root: network namespaces, mounts);
#               PROMISE=R7 runs one of them, SEED=5 with another seed; the table goes to faults.md
# make sanitize the runtime's tests under the Thread and the Address Sanitizer (debug builds of their own; takes long)
SHELL := /bin/bash
# Both targets share one build configuration, so that nothing is built twice. -enable-testing lets tests see internals.
BUILD := -c release -Xswiftc -enable-testing
WORKERS ?= 2
CONFIG ?= configs/quickstart.yaml

# Swift's pool has as many threads as the machine has cores. Tests with leases and heartbeats of their own do not share it with
# tests that compute or block for a minute.
WAITING := ^(WorkerTests|TransportTests|ProcessesTests)\.
PROCESSES := ^engramTests\.

PROMISE ?=
# A fault test names its promise in its title: @Test("R7: …").
FAULTS = $(shell grep -rlE '@Test."$(or $(PROMISE),R[0-9]+): ' Tests | xargs -n1 basename -s .swift | sort | paste -sd '|')
SEED ?=
FAULTS_TABLE ?= faults.md

PREFIX ?= $(HOME)/.local
DIST ?= dist

.PHONY: search test bench install dist dist-test faults build setup lint audit docs format clean sanitize sanitize-thread sanitize-address
search: build
	.build/release/engram search $(CONFIG) --workers $(WORKERS)

build: setup
	swift build $(BUILD) --product engram

bench: setup
	swift build $(BUILD) --product engram-bench

test: setup
	swift build $(BUILD) --build-tests
	swift test $(BUILD) --skip-build --filter '$(WAITING)'
	swift test $(BUILD) --skip-build --skip '$(WAITING)' --skip '$(PROCESSES)'
	swift test $(BUILD) --skip-build --filter '$(PROCESSES)'

install: build
	install -Dm755 .build/release/engram $(PREFIX)/bin/engram
	cluster/dist/shell-files.sh .build/release/engram $(PREFIX)/share
	@echo "installed $(PREFIX)/bin/engram"
	@case ":$$PATH:" in *":$(PREFIX)/bin:"*) ;; *) \
	  echo "$(PREFIX)/bin is not in PATH; add this line to ~/.profile:  export PATH=\"$(PREFIX)/bin:\$$PATH\"" ;; esac

# Swift's runtime goes into the program: a build of its own (about as long as the first one).
dist: setup
	swift build -c release --static-swift-stdlib --product engram --scratch-path .build-dist
	cluster/dist/dist.sh .build-dist/release $(DIST)

# Unpacks the archive in bare root file systems (debootstrap, root rights) and runs it there as an ordinary user.
dist-test:
	cluster/dist/test.sh $(DIST)

faults: setup
	swift build $(BUILD) --build-tests
	@printf '# Fault tests, full form\n\n%s, %s cores, Linux %s.\n\n' \
	  "$$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)" "$$(nproc)" "$$(uname -r)" > $(FAULTS_TABLE)
	@printf '| promise | what was run | count | faults fired | result | seconds | seed | date | commit |\n' >> $(FAULTS_TABLE)
	@printf '|---|---|---|---|---|---|---|---|---|\n' >> $(FAULTS_TABLE)
	@ENGRAM_FAULTS=full ENGRAM_SEED=$(SEED) ENGRAM_FAULTS_TABLE=$(abspath $(FAULTS_TABLE)) \
	  ENGRAM_COMMIT="$$(git rev-parse --short HEAD 2>/dev/null)" \
	  swift test $(BUILD) --skip-build --no-parallel --filter '\.($(FAULTS))/'; \
	  status=$$?; cat $(FAULTS_TABLE); exit $$status

setup:
	@bash .ci/setup

lint: setup
	swift format lint --strict --recursive --configuration .swift-format Sources Tests Package.swift

# One table of what should fall; a number above its limit in .ci/audit-limits fails.
audit:
	@python3 .ci/audit

docs: build
	@.ci/docs

format:
	swift format -i --recursive --configuration .swift-format Sources Tests Package.swift

clean:
	rm -rf .build

# What has threads, sockets, processes and files. Debug builds are slow: few seeds of the simulation are enough here.
SANITIZED := ^(StudyTests|StudyDatabaseTests|WireProtocolTests|TransportTests|CoordinatorTests|WorkerTests|ProcessesTests)\.
SANITIZED_SEEDS ?= 0..<4

sanitize: sanitize-thread sanitize-address

sanitize-thread: setup
	ENGRAM_SIMULATION_SEEDS='$(SANITIZED_SEEDS)' TSAN_OPTIONS='suppressions=$(CURDIR)/.ci/thread-sanitizer.txt' \
	  swift test --sanitize thread --scratch-path .build-sanitize-thread --filter '$(SANITIZED)'

# Leaks are not looked for: Swift's runtime and Foundation keep memory to the end on purpose.
sanitize-address: setup
	ENGRAM_SIMULATION_SEEDS='$(SANITIZED_SEEDS)' ASAN_OPTIONS='detect_leaks=0' \
	  swift test --sanitize address --scratch-path .build-sanitize-address --filter '$(SANITIZED)'
