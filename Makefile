# The few things to do here. `make run` and `make test` set up a fresh Debian machine by
# themselves; what they have set up they leave alone the second time.
#
# One release build serves all: tests use `package` access and not `@testable`, so they test the
# very binary that runs.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.PHONY: help run build test tidy fix sim soak mutants bench fuzz openapi man \
    docker ci setup setup-test

SWIFT_VERSION := 6.3
# The commit, for /v1/status. Only if this very directory is what git keeps: a tarball unpacked
# inside another repository has no commit, and then the build says "unknown".
export BUILD_REVISION := $(shell git ls-files --error-unmatch Makefile >/dev/null 2>&1 \
    && git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null)
SWIFT_BUILD := swift build -c release --explicit-target-dependency-import-check error
SWIFT_TEST := swift test -c release --skip-build --disable-xctest

PACKAGES := ca-certificates git g++ pkg-config \
    librocksdb-dev libnghttp2-dev libssl-dev libsimdjson-dev zlib1g-dev
TEST_PACKAGES := curl nghttp2-client openssl prometheus openjdk-17-jre-headless python3-venv \
    protobuf-compiler
BENCH_PACKAGES := python3 wrk etcd-server redis-server webdis nghttp2-server nghttp2-client

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup:
	@.ci/toolchain $(SWIFT_VERSION)
	@.ci/packages $(PACKAGES)

# In one step, so that who must ask an administrator for packages asks once.
setup-test:
	@.ci/toolchain $(SWIFT_VERSION)
	@.ci/packages $(PACKAGES) $(TEST_PACKAGES)
	@$(MAKE) --silent --no-print-directory .venv/installed

.venv/installed: Tests/requirements.txt
	@echo Installing the Python tools of the tests into .venv
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -r Tests/requirements.txt
	touch $@

build: setup ## the release binary, .build/release/martlet
	$(SWIFT_BUILD) --product martlet

run: build ## serve on http://127.0.0.1:7171, data in ./martlet-data
	exec .build/release/martlet serve --data-dir martlet-data

test: setup-test ## every test there is; what failed is named once more at the end
	@.ci/told sh -c '$(SWIFT_BUILD) --build-tests && $(SWIFT_TEST)'

tidy: setup ## style and house rules, without changing anything
	swift format lint --strict --parallel --recursive Package.swift Sources Tests
	$(SWIFT_BUILD) --build-tests
	$(SWIFT_TEST) --filter TidyTests

fix: setup ## style, by changing what swift-format can
	swift format format --in-place --parallel --recursive Package.swift Sources Tests

fuzz: setup-test ## the fuzz tests, FUZZ_ROUNDS times as long as in `make test`
	$(SWIFT_BUILD) --build-tests
	FUZZ_ROUNDS=$${FUZZ_ROUNDS:-100} $(SWIFT_TEST) --filter Fuzz

# Counted so that they fit five minutes on two cores; SEED=n replays that one with its trace.
SIM := .build/release/martlet-sim

sim: setup ## simulated worlds of 1, 3 and 5 nodes, or SEED=n NODES=3 SECONDS=4 with its trace
	$(SWIFT_BUILD) --product martlet-sim
ifdef SEED
	$(SIM) --seed $(SEED) --nodes $${NODES:-1} --seconds $${SECONDS:-2} --trace
else
	$(SIM) sweep
	$(SIM) --seeds $${SEEDS:-500} --coverage
	$(SIM) --nodes 3 --seconds 4 --seeds $${SEEDS:-500} --coverage
	$(SIM) --nodes 5 --seconds 4 --seeds $${SEEDS:-300} --coverage
endif

soak: setup ## new simulated worlds of NODES=3 for MINUTES=60
	$(SWIFT_BUILD) --product martlet-sim
	$(SIM) --nodes $${NODES:-3} --seconds 4 --seed $$(date +%s)000 --minutes $${MINUTES:-60} \
	    --coverage

mutants: setup ## known bugs switched on one by one: what finds each, after how many seeds
	$(SWIFT_BUILD) --product martlet-sim --scratch-path .build/mutants -Xswiftc -DMARTLET_MUTATIONS
	.build/mutants/release/martlet-sim mutants

openapi: setup-test ## check openapi.yaml by two validators, and copy it to JSON for the server
	.venv/bin/openapi-spec-validator openapi.yaml
	.venv/bin/python Tests/Contract/house_style.py openapi.yaml
	.venv/bin/python .ci/openapi-json
	.venv/bin/openapi-generator-cli validate --recommend -i openapi.yaml

man: setup ## the manual page, .build/martlet.1, from what --help says
	swift package generate-manual
	cp .build/plugins/GenerateManual/outputs/martlet/martlet.1 .build/martlet.1

bench: build ## beside etcd, Redis with webdis, nghttpd; and three nodes (ROUNDS=5 SECONDS=10)
	-@.ci/packages $(BENCH_PACKAGES)
	python3 Tests/Bench/bench.py
	python3 Tests/Bench/cluster.py

docker: ## the container image, martlet:latest
	docker build -f docker/Dockerfile -t martlet:latest \
	    --build-arg REVISION=$(BUILD_REVISION) .

ci: tidy test mutants ## what must pass before a change lands
