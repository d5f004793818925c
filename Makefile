# One door to everything. `make demo` and `make test` work on a machine with Python 3.11+ and make.
UV := $(shell tools/uv)
RUN := $(UV) run --quiet --group dev

.PHONY: help demo test lint format lock bench guest guest-check clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

demo: ## Serve, call, restart, verify, tamper and catch it: the whole idea in a minute
	@$(UV) run --quiet python tools/demo.py

test: node_modules ## Lint, then run every test
	$(MAKE) lint
	$(RUN) pytest

lint: ## ruff, mypy --strict, import rules
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) lint-imports

format: ## Let ruff lay out the code
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

clean: ## Remove what the targets made
	rm -rf .venv .tools .build tests/peers/node_modules

NODE_BIN = $(CURDIR)/.venv/bin

.PHONY: node_modules
node_modules: tests/peers/node_modules/.package-lock.json

tests/peers/node_modules/.package-lock.json: tests/peers/package-lock.json
	$(UV) sync --quiet --group dev
	cd tests/peers && PATH="$(NODE_BIN):$$PATH" npm ci --ignore-scripts --no-audit --no-fund
	@touch $@
