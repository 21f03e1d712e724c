# Bare `make` lists the targets. CI calls exactly `make check test`.
.DEFAULT_GOAL := help
.PHONY: help setup run demo test test-node test-phoenix kills check check-deploy fix docs dashboard golden bench bench-quick lock clean

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name))))
BIN := .venv/bin
READY := .venv/.ready
# The oldest SDK that speaks v2 wants an older HTTP client than the newest: an environment of its own for the tests.
OLDEST := .venv/oldest-sdk
# The validators of deploy/ bring much that nothing else wants.
VALIDATORS := .venv/deploy
# Phoenix brings a server with a hundred packages that nothing else wants.
PHOENIX := .venv/phoenix
NODE_TESTS := tests/journeys/node
# Recordings made by others, where they lie beside the checkout; tests that need them skip by name without.
WIRETAPE_CORPORA ?= $(realpath ../shared/corpora)
export WIRETAPE_CORPORA

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1	\2/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(READY) $(OLDEST)/.ready ## make the environment: .venv, pinned with hashes

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) .ci/environment.py .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(OLDEST)/.ready: requirements/oldest-sdk.txt | $(READY)
	@$(PYTHON) .ci/environment.py $(OLDEST)
	@$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/oldest-sdk.txt
	@touch $@

$(VALIDATORS)/.ready: requirements/deploy.txt | $(READY)
	@$(PYTHON) .ci/environment.py $(VALIDATORS)
	@$(VALIDATORS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/deploy.txt
	@touch $@

$(PHOENIX)/.ready: requirements/phoenix.txt | $(READY)
	@$(PYTHON) .ci/environment.py $(PHOENIX)
	@$(PHOENIX)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/phoenix.txt
	@touch $@

run: $(READY) ## the proxy on 127.0.0.1:8787 in front of the embedded sandbox
	@$(BIN)/wiretape serve

demo: $(READY) ## stream, record, trace, audit and replay one conversation in the terminal
	@$(BIN)/wiretape demo

test: $(READY) $(OLDEST)/.ready $(VALIDATORS)/.ready ## the whole test suite, and the branch coverage of the pure folders
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --include='proxy/wiretape/wire/*,proxy/wiretape/dialects/*,proxy/wiretape/runs/*,proxy/wiretape/cassette/*,proxy/wiretape/exchange.py,proxy/wiretape/errors.py' --fail-under=100

test-node: $(READY) $(NODE_TESTS)/node_modules/.ready ## the journeys of the official SDKs for Node; wants node and npm
	@$(BIN)/python -m pytest $(NODE_TESTS)/walks.py

$(NODE_TESTS)/node_modules/.ready: $(NODE_TESTS)/package-lock.json
	@npm ci --prefix $(NODE_TESTS) --no-audit --no-fund --loglevel error >/dev/null
	@touch $@

test-phoenix: $(READY) $(PHOENIX)/.ready ## send traces to a real Phoenix and ask it what it counts; installs it first, a minute or two
	@$(BIN)/python -m pytest tests/telemetry/phoenix.py

kills: $(READY) ## kill a recording proxy 200 times at random moments; the suite does so ten times
	@WIRETAPE_KILLS=200 $(BIN)/python -m pytest tests/edge/test_kills.py

check: $(READY) ## lint, types, import contracts, generated docs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python docs/reference.py --check

check-deploy: $(READY) $(VALIDATORS)/.ready ## judge everything in deploy/ by its own tools; names those that are not here
	@$(BIN)/python deploy/check.py $(VALIDATORS)/bin

fix: $(READY) ## what the linter and the formatter can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(READY) ## write docs/reference.md and docs/reference/ anew from the code
	@$(BIN)/python docs/reference.py

dashboard: $(READY) ## write deploy/grafana/dashboard.json anew from its panels
	@$(BIN)/python deploy/grafana/dashboard.py

golden: $(READY) ## record the golden cassettes anew; review the diff
	@$(BIN)/python tests/golden.py

bench: $(READY) ## measure all beside its peers, a quarter of an hour; writes tests/bench/RESULTS.md
	@$(BIN)/python tests/bench/run.py

bench-quick: $(READY) ## the same in under two minutes, for the screen alone
	@$(BIN)/python tests/bench/run.py --quick

lock: $(READY) ## resolve anew: one file for all platforms, with hashes, without addresses
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --group dev --extra demo --extra grpc --extra parquet --extra prices --extra yaml pyproject.toml --output-file requirements/dev.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --group oldest-sdk --output-file requirements/oldest-sdk.txt
	@for peer in litellm mitmproxy; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --group bench-$$peer --output-file requirements/bench-$$peer.txt || exit 1; done
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --group deploy --output-file requirements/deploy.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --group phoenix --output-file requirements/phoenix.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --group image --constraint requirements/dev.txt --output-file requirements/image.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --constraint requirements/dev.txt pyproject.toml --output-file requirements/run.txt
	@npm install --prefix $(NODE_TESTS) --package-lock-only --no-audit --no-fund --loglevel error >/dev/null

clean: ## remove what make made
	rm -rf .venv $(NODE_TESTS)/node_modules .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
