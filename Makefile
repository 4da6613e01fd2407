# Everything here works from a fresh clone with git, make and Python >= 3.11 with pip.
# GNU make 3.81 (macOS) is enough. Overridable: PYTHON, VENV, SEED, SEEDS, SECONDS, FUZZ, ROUNDS,
# UV, TESTS, MUTANTS, FORM.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh
# A stray setting of the caller must neither leak modules in nor stop the bytecode cache.
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE

PYTHON ?=
VENV ?= .venv
UV ?= uv
SEEDS ?= 20
PORT ?= 8750
SECONDS ?= 60
FUZZ ?=
ROUNDS ?= 200
FORM ?= short
TESTS ?= tests
BIN := $(VENV)/bin
AWS_TOOLS := build/aws-tools/.made build/aws-runtime/.made build/ministack/.made build/asl/.made

# ------------------------------------------------------------------------------ use it

.PHONY: help demo serve test test-aws test-browser check simulate mutants crashes conformance fuzz bench lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.demo ## bill a month of sample usage, offline, and reconcile it
	@$(BIN)/python -m compileall -q src
	@$(BIN)/tallystick demo

serve: $(VENV)/.runtime ## take usage over HTTP on this machine, into a store in this folder
	@echo "The pages: http://127.0.0.1:$(PORT)/dashboard/ (with a key: the first start shows one, and"
	@echo "$(BIN)/tallystick keys create --scope admin makes another). Ctrl-C ends it."
	@TALLYSTICK_LOG_FORMAT=$${TALLYSTICK_LOG_FORMAT:-text} $(BIN)/tallystick serve --port $(PORT)

test: $(VENV)/.dev ## run the tests (those marked slow, kill or browser excepted)
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 -m "not aws and not browser and not slow and not kill" $(TESTS)

test-aws: $(VENV)/.demo $(VENV)/.dev build/dynamodb-local $(AWS_TOOLS) ## hold the DynamoDB store, and the stack in an emulator, to their promises (needs java and npm)
	@$(BIN)/python -m pytest -n 2 -m aws --ignore tests/aws/stack tests/aws
	@TALLYSTICK_TEST_DYNAMODB=ministack $(BIN)/python -m pytest -n 2 -m aws tests/aws/test_contract.py \
		tests/aws/test_simulation.py tests/aws/test_kills.py
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m aws tests/aws/stack

build/dynamodb-local: scripts/dynamodb_local.py
	@echo "Fetching DynamoDB Local, by hash."
	@$(BIN)/python scripts/dynamodb_local.py $@
	@touch $@

# Each in a venv of its own, since what they need contradicts what the others need. The lists are
# whole; pip is not to look further, since it takes no pin for a package that is asked with extras.
build/%/.made: requirements/%.txt $(VENV)/.made
	@echo "Installing $*, by hash."
	@"$$(cat $(VENV)/.made)" -m venv --clear --without-pip build/$*
	@PIP_USER=0 "$$(cat $(VENV)/.made)" -m pip --python build/$*/bin/python install -qq \
		--disable-pip-version-check --no-input --no-deps $(LOCKED) -r $<
	@touch $@

build/asl/.made: requirements/asl/package.json requirements/asl/package-lock.json
	@echo "Installing the state machines' linter, by hash."
	@mkdir -p build/asl && cp requirements/asl/*.json build/asl
	@cd build/asl && npm ci --silent --no-audit --no-fund
	@touch $@

test-browser: $(VENV)/.dev ## drive the dashboard in Debian's Chromium; pictures in build/screenshots
	@$(BIN)/python -m pytest -m browser tests/browser

check: $(VENV)/.dev ## lint, format, types, architecture and style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python -m pytest -q tests/style

simulate: $(VENV)/.dev ## run the simulation: SEEDS=20 tries many, SEED=7 replays one
	@$(BIN)/python -m tallystick.testing.simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

mutants: $(VENV)/.dev ## break the source on purpose and see it noticed: MUTANTS=short is quick
	@$(BIN)/python tests/mutants/run.py $(MUTANTS)

crashes: $(VENV)/.dev ## kill the server and cut the power under load: ROUNDS=200 of each
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 -m "kill or slow" \
		--ignore tests/http/test_conformance.py $(TESTS)
	@$(BIN)/python -m tests.crash --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

conformance: $(VENV)/.dev ## ask the HTTP interface at random, at length, by its OpenAPI document
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 -m slow tests/http/test_conformance.py

fuzz: $(VENV)/.fuzz ## fuzz every parser: SECONDS=60 for each, FUZZ="NAME NAME" for some
	@$(BIN)/python -m tests.fuzz $(SECONDS) $(FUZZ)

bench: $(VENV)/.dev build/bench/.made ## measure, beside a rival on PostgreSQL: FORM=full takes hours, BENCH=hourly_run does one
	@$(BIN)/python -m bench$(if $(BENCH),.$(BENCH), --form $(FORM) $(if $(KEEP),--keep))

clean: ## remove what make made
	rm -rf $(VENV) build dist src/*.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests bench -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# ------------------------------------------------------------------------- the locked set
# Versions and hashes, and no addresses: the index is the business of who installs.

LOCK = $(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links

lock: ## renew requirements/*.txt from pyproject.toml (needs uv)
	$(LOCK) pyproject.toml -o requirements/runtime.txt
	$(LOCK) pyproject.toml --group dev -c requirements/runtime.txt -o requirements/dev.txt
	$(LOCK) --no-deps --group demo -o requirements/demo.txt
	$(LOCK) --group fuzz -c requirements/dev.txt -o requirements/fuzz.txt
	$(LOCK) --group functions -c requirements/dev.txt -o src/requirements.txt
	$(LOCK) --group aws-tools -o requirements/aws-tools.txt
	$(LOCK) --group aws-runtime -o requirements/aws-runtime.txt
	$(LOCK) --group ministack -o requirements/ministack.txt
	$(LOCK) --group bench -c requirements/dev.txt -o requirements/bench.txt
	sed -n 's/^requires = \["\(.*\)"\]$$/\1/p' pyproject.toml | \
		$(LOCK) - -o requirements/build.txt

# ------------------------------------------------------------------- the virtual environment
# Stamps say what is installed, so that a second run installs nothing. The venv has no pip
# of its own (some systems ship Python without ensurepip): the pip of the Python that made
# it fills it. Nothing is downloaded that has no hash: the build backend is locked too.

define PROBE
import sys
if sys.version_info < (3, 11):
    sys.exit("is Python %d.%d" % sys.version_info[:2])
try:
    import pip
except ImportError:
    sys.exit("has no pip")
if tuple(int(part) for part in pip.__version__.split(".")[:2]) < (22, 3):
    sys.exit("has pip %s, older than 22.3" % pip.__version__)
try:
    import venv
except ImportError:
    sys.exit("has no venv module")
print(sys.executable)
endef

define MAKE_VENV
refused=
for candidate in $${PYTHON:-python3.13 python3.12 python3.11 python3}; do
  command -v "$$candidate" >/dev/null 2>&1 || { refused="$$refused\n  $$candidate is not there"; continue; }
  if answer=$$("$$candidate" -c "$$PROBE" 2>&1); then
    echo "Making $(VENV) with $$("$$candidate" --version) ($$candidate)."
    "$$candidate" -m venv --clear --without-pip "$(VENV)" || exit 1
    echo "$$answer" > "$(VENV)/.made"
    exit 0
  fi
  refused="$$refused\n  $$candidate $$(echo "$$answer" | head -n 1)"
done
printf 'Tallystick needs Python 3.11 or later with pip 22.3 or later. Tried:%b\n' "$$refused" >&2
echo 'Install one, or name it: make PYTHON=/path/to/python3.12 ... (a new pip: python3 -m pip install --upgrade pip)' >&2
exit 1
endef
export PYTHON PROBE MAKE_VENV

PIP_INSTALL = PIP_USER=0 "$$(cat $(VENV)/.made)" -m pip --python $(BIN)/python install -qq \
	--disable-pip-version-check --no-input --compile
LOCKED = --require-hashes --only-binary :all:

$(VENV)/.made:
	@sh -c "$$MAKE_VENV"

$(VENV)/.runtime: $(VENV)/.made requirements/build.txt requirements/runtime.txt pyproject.toml
	@echo "Installing what Tallystick needs, by hash."
	@$(PIP_INSTALL) $(LOCKED) -r requirements/build.txt -r requirements/runtime.txt
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	@echo "Installing what the checks need, by hash."
	@$(PIP_INSTALL) $(LOCKED) -r requirements/dev.txt
	@touch $@

$(VENV)/.fuzz: $(VENV)/.dev requirements/fuzz.txt
	@echo "Installing what fuzzing needs, by hash."
	@$(PIP_INSTALL) $(LOCKED) -r requirements/fuzz.txt
	@touch $@

# Published as source only, so it is built here, by the locked backend, without its dependencies.
$(VENV)/.demo: $(VENV)/.runtime requirements/demo.txt
	@echo "Installing the demo's sample, by hash."
	@$(PIP_INSTALL) --require-hashes --no-deps --no-build-isolation --use-pep517 \
		-r requirements/demo.txt
	@touch $@
