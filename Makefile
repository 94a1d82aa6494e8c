# The commands a person types. `make up` and `make test` set everything up by themselves.
# The locks in requirements/ are compiled by `make lock`; nothing else needs uv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TEST_PROCESSES ?= 2
STAMP := $(VENV)/.installed
FUZZ_STAMP := $(VENV)/.fuzzer-installed

.PHONY: help setup system up test check format bench chaos fuzz agent sbom packages release lock clean erase
.DEFAULT_GOAL := help

help:  ## Show this help.
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Yieldline needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "$(PYTHON) cannot make a virtual environment. On Debian or Ubuntu: apt install python3-venv"; exit 2; }
	@echo "Installing from requirements/dev.txt, this takes a minute ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  --only-binary :all: -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  --no-build-isolation -e .
	@touch $(STAMP)

setup: $(STAMP)  ## Build .venv from the hashed lock and install the project in it.

system:
	@.ci/system-packages

up: setup  ## Broker, service, web app and a simulated floor; open http://127.0.0.1:8080.
	@.ci/system-packages mosquitto mosquitto_pub
	@$(BIN)/yieldline up --demo

# By file, so that a module's broker, database and browser are made once; slow ones first, as collected.
test: setup system  ## Every test, on real parts.
	@$(BIN)/pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

check: setup  ## Lint, format, types, advisories.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/pytest -q tests/unit/test_imports.py
	@$(BIN)/python -m tests.support.audit

format: setup  ## Let ruff put the code in order.
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup system  ## Measure, beside a yardstick; writes docs/benchmarks.md.
	@$(BIN)/python -m tests.benchmarks

chaos: setup system  ## Random faults under traffic, then the books; SEED=7 SECONDS=30 DATABASE=sqlite.
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) --seconds $(or $(SECONDS),30) \
	  --database $(or $(DATABASE),postgres)

$(FUZZ_STAMP): requirements/fuzz.txt $(STAMP)
	@echo "Installing atheris, the fuzzer, from requirements/fuzz.txt ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  --only-binary :all: -r requirements/fuzz.txt || \
	  { echo "atheris could not be installed. Is there a network? It has wheels for Linux on x86-64," \
	    "Python 3.11 to 3.14: elsewhere use a container."; exit 2; }
	@touch $(FUZZ_STAMP)

fuzz: setup $(FUZZ_STAMP)  ## Parsers under made-up input, guided by coverage; SECONDS=60 TARGET="i3070 spea".
	@$(BIN)/python -m tests.fuzzing --seconds $(or $(SECONDS),60) $(TARGET)

agent: setup  ## The edge agent as one file for machines like this one: dist/yieldline-agent.pyz.
	@$(BIN)/python -m edge_agent.pack.build

sbom: setup  ## What is in it, as CycloneDX: dist/yieldline.cdx.json.
	@mkdir -p dist
	@$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --mc-type application \
	  --output-reproducible --output-format JSON --output-file dist/yieldline.cdx.json requirements/all.txt

packages: setup  ## The project itself, as pip installs it: dist/yieldline-*.whl and .tar.gz.
	@$(BIN)/python -m hatchling build -t sdist -t wheel -d dist

release: setup  ## All three of this commit, summed and signed: RELEASE_KEY=~/.ssh/id_ed25519.
	@[ -n "$(RELEASE_KEY)" ] || \
	  { echo "A release is signed. Name the key: make release RELEASE_KEY=~/.ssh/id_ed25519"; exit 2; }
	@$(BIN)/python -m tests.support.release "$(RELEASE_KEY)"

lock:  ## Compile requirements/*.txt again (needs uv).
	@for target in agent:pyproject.toml all:"pyproject.toml --extra=all" \
	    dev:"pyproject.toml --extra=all --group=dev" fuzz:--group=fuzz; do \
	  uv pip compile $${target#*:} --universal --python-version 3.11 --quiet \
	    --generate-hashes --only-binary :all: --no-header --no-annotate --no-emit-index-url \
	    --output-file requirements/$${target%%:*}.txt || exit 1; \
	done

clean:  ## Remove what was built and downloaded; data/ stays.
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache

erase:  ## Delete data/, the default database of every program, for good; needs DATA=yes.
	@[ "$(DATA)" = yes ] || \
	  { echo "data/ holds all results, rulebooks and users where no other database is set; nothing was deleted." \
	    "To delete it, stop every program, then: make erase DATA=yes"; exit 2; }
	rm -rf data
