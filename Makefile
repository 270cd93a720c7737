# make search   the main job: set-up, build, and a search on the quickstart (2 workers, no downloads)
# make test     set-up, build, every test
SHELL := /bin/bash
# Both targets share one build configuration, so that nothing is built twice. -enable-testing lets tests see internals.
BUILD := -c release -Xswiftc -enable-testing
WORKERS ?= 2
CONFIG ?= configs/quickstart.yaml

.PHONY: search test build setup lint format clean
search: build
	.build/release/engram search $(CONFIG) --workers $(WORKERS)

build: setup
	swift build $(BUILD) --product engram

test: setup
	swift build $(BUILD) --build-tests
	swift test $(BUILD) --skip-build

setup:
	@bash .ci/setup

lint: setup
	swift format lint --strict --recursive --configuration .swift-format Sources Tests Package.swift

format:
	swift format -i --recursive --configuration .swift-format Sources Tests Package.swift

clean:
	rm -rf .build
