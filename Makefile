# Everything needed is set up by the targets themselves: Python 3.11+ with venv, and make, are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

# Other people's clients of Ogmios, which the devnet is tried with, and an evaluator of scripts that is not the devnet's.
CLIENTS := tests/clients
TYPESCRIPT := $(CLIENTS)/typescript/node_modules/ready
SCALUS := $(CLIENTS)/scalus/node_modules/ready
PYOGMIOS := $(CLIENTS)/python/.venv/ready

# Litestream, which backs up the database: of this version, since infra/ is written for it.
LITESTREAM_VERSION := 0.5.18
LITESTREAM := $(CURDIR)/.tools/litestream-$(LITESTREAM_VERSION)/litestream

# The server that sinks of kind nats are tried with: the one on the PATH, else one built into .tools.
NATS_VERSION := 2.15.2
NATS = $(shell command -v nats-server || echo $(CURDIR)/.tools/nats-server-$(NATS_VERSION)/nats-server)

# The contract's compiler: the one on the PATH if it is this version, else one built from crates.io into .tools.
AIKEN_VERSION := 1.1.24
AIKEN = $(shell aiken --version 2>/dev/null | grep -q '^aiken v$(AIKEN_VERSION)' && command -v aiken || echo $(CURDIR)/.tools/bin/aiken)

.PHONY: help demo chaos deliveries soak test test-all test-clients test-backup test-nats lint bench bench-contract bench-milestones bench-deliveries contracts check-contracts docs lock clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

$(READY): requirements/dev.lock pyproject.toml hatch_build.py indexer/ogmios/scan.c
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or later is needed; found $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "setting up $(VENV) (once, about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

demo: $(READY)  ## a promise on a devnet: funded, attested, paid by the keeper, paid again after a fork
	@$(BIN)/indexer demo

SEED ?= 1
COUNT ?= 100
chaos: $(READY)  ## keepers in COUNT random worlds from SEED on, where everything goes wrong; a failing seed says what happened
	@$(BIN)/python -m tests.chaos --seed $(SEED) --count $(COUNT)

deliveries: $(READY)  ## receivers in COUNT random worlds from SEED on, where sinks fail, forks undo and the daemon dies
	@$(BIN)/python -m tests.delivery --seed $(SEED) --count $(COUNT)

MINUTES ?= 30
soak: $(READY)  ## a daemon for MINUTES, with forks, restarts, a slow reader, a sink that fails: does anything of it grow?
	@$(BIN)/python -m tests.soak --minutes $(MINUTES) --seed $(SEED)

test: lint  ## ruff, mypy --strict and every test that takes less than a few minutes
	@$(BIN)/pytest -n auto --dist loadfile -m "not slow and not clients and not promtool"

test-all: lint  ## the same, and the long ones
	@$(BIN)/pytest -n auto --dist loadfile -m "not clients and not promtool"

test-clients: $(READY) $(TYPESCRIPT) $(SCALUS) $(PYOGMIOS)  ## other people's clients and evaluator (needs Node.js 20 or later), and a browser where there is one
	@$(BIN)/pytest -m clients tests/clients

test-backup: $(READY) $(LITESTREAM)  ## infra/backup-restore.md with real Litestream (needs Go 1.26, to build it once: five minutes)
	@LITESTREAM=$(LITESTREAM) $(BIN)/pytest -m clients tests/backup

test-nats: $(READY)  ## sinks of kind nats with a real server (needs nats-server, or Go to build it once: a minute)
	@$(MAKE) --no-print-directory $(NATS)
	@NATS_SERVER=$(NATS) $(BIN)/pytest -m clients tests/brokers

$(CURDIR)/.tools/nats-server-$(NATS_VERSION)/nats-server:
	@command -v go >/dev/null || { echo "error: nats-server is needed, or Go to build it. See https://nats.io"; exit 1; }
	@echo "building nats-server $(NATS_VERSION) into .tools (once, about a minute)"
	@GOBIN=$(dir $@) CGO_ENABLED=0 go install -ldflags='-s -w' github.com/nats-io/nats-server/v2@v$(NATS_VERSION)

$(LITESTREAM):
	@command -v go >/dev/null || { echo "error: Go 1.26 or later is needed, to build Litestream. See https://go.dev"; exit 1; }
	@echo "building Litestream $(LITESTREAM_VERSION) into .tools (once, up to five minutes)"
	@GOBIN=$(dir $@) CGO_ENABLED=0 go install -ldflags='-s -w' github.com/benbjohnson/litestream/cmd/litestream@v$(LITESTREAM_VERSION)

$(TYPESCRIPT): $(CLIENTS)/typescript/package-lock.json
	@command -v npm >/dev/null || { echo "error: Node.js 20 or later is needed, with npm. See https://nodejs.org"; exit 1; }
	@echo "installing @cardano-ogmios/client (once)"
	@cd $(CLIENTS)/typescript && npm ci --silent --no-audit --no-fund
	@touch $@

$(SCALUS): $(CLIENTS)/scalus/package-lock.json
	@command -v npm >/dev/null || { echo "error: Node.js 20 or later is needed, with npm. See https://nodejs.org"; exit 1; }
	@echo "installing scalus (once)"
	@cd $(CLIENTS)/scalus && npm ci --silent --no-audit --no-fund
	@touch $@

$(PYOGMIOS): $(CLIENTS)/python/requirements.txt
	@echo "installing pyogmios (once)"
	@$(PYTHON) -m venv --clear $(CLIENTS)/python/.venv
	@$(CLIENTS)/python/.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(CLIENTS)/python/requirements.txt
	@touch $@

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(READY)  ## catch-up beside other clients, on this machine
	@$(BIN)/python -m benchmarks

bench-contract: $(READY)  ## what the contract costs at mainnet's parameters, into contracts/README.md
	@$(BIN)/python -m benchmarks.contract --write

bench-milestones: $(READY)  ## what blocks and questions cost with 100, 1,000 and 10,000 distributions
	@$(BIN)/python -m benchmarks.milestones

bench-deliveries: $(READY)  ## what events cost while a sink is down, and how fast it is served after that
	@$(BIN)/python -m benchmarks.deliveries

contracts:  ## compile contracts/ into plutus.json (needs Rust 1.94 or newer, to install Aiken once: five minutes)
	@$(MAKE) --no-print-directory $(AIKEN)
	@cd contracts && { $(AIKEN) check --deny > /dev/null 2>&1 || $(AIKEN) check --deny; }
	@cd contracts && $(AIKEN) build --deny --out ../plutus.json
	@# An official build of the compiler adds its own commit to the version.
	@sed -i.bak 's/"v$(AIKEN_VERSION)+[a-z0-9]*"/"v$(AIKEN_VERSION)"/' plutus.json && rm plutus.json.bak

check-contracts: contracts  ## the same, and plutus.json must come out as it is checked in
	@cd contracts && $(AIKEN) fmt --check
	@git diff --exit-code --stat -- plutus.json || { echo "error: plutus.json is not what contracts/ compiles to: commit what 'make contracts' wrote"; exit 1; }

$(CURDIR)/.tools/bin/aiken:
	@command -v cargo >/dev/null || { echo "error: Rust is needed to install the compiler of the contract. See https://rustup.rs"; exit 1; }
	@echo "installing Aiken $(AIKEN_VERSION) into .tools (once, about five minutes)"
	@cargo install aiken --locked --version $(AIKEN_VERSION) --root .tools --quiet

docs: $(READY)  ## write anew what is made from the code: schema/README.md and schema/json
	@$(BIN)/python -m indexer.store.describe > schema/README.md
	@$(BIN)/python -m indexer.cli.schemas schema/json

lock: $(READY)  ## resolve the dependencies anew (needs uv: pip install uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade pyproject.toml -o requirements/runtime.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade pyproject.toml requirements/dev.in -o requirements/dev.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --constraint requirements/dev.lock --extra dashboard --extra nats --extra apprise pyproject.toml -o requirements/image.lock

clean:  ## forget the virtual environment and what was built
	rm -rf $(VENV) .tools contracts/build dist build .mypy_cache .ruff_cache .hypothesis benchmarks/node_modules benchmarks/.venv $(CLIENTS)/typescript/node_modules $(CLIENTS)/python/.venv
