# One door to everything. `make demo` and `make test` work on a machine with Python 3.11+ and make.
UV = $(or $(shell tools/uv),$(error uv is missing and could not be installed))
RUN = $(UV) run --quiet --group dev
NODE_BIN = $(CURDIR)/.venv/bin

.PHONY: help demo test lint format lock guest guest-check bench soak golden node_modules clean

help: ## List the targets
	@grep -hE '^[a-z_-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

demo: ## Serve, call, restart, verify, tamper and catch it: the whole idea in a minute
	@test -d .venv || echo "Installing into .venv what it needs (once)"
	@$(UV) run --quiet python tools/demo.py 2>&1

test: node_modules lint ## Lint, then run every test, the real Node programs included
	$(RUN) pytest

lint: ## ruff, mypy --strict, import rules
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) lint-imports

format: ## Let ruff lay out the code
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

bench: ## Print calls a second and all other figures beside the original's (ARGS=--quick)
	$(RUN) python bench $(ARGS)

soak: ## Replay random backends on all Pythons and wasmtimes for an hour (ARGS="--minutes 5 --seed 1")
	$(RUN) python tests/campaign/soak.py $(ARGS)

lock: ## Resolve all dependencies anew
	tools/lock

guest: ## Build the WebAssembly guest from source
	$(UV) sync --quiet --group dev --group guest
	$(NODE_BIN)/python guest/build.py src/nodevms/sandbox/guest.wasm

guest-check: ## Prove that a rebuild gives the committed guest, byte for byte
	$(UV) sync --quiet --group dev --group guest
	mkdir -p .build && $(NODE_BIN)/python guest/build.py .build/guest.wasm
	cmp .build/guest.wasm src/nodevms/sandbox/guest.wasm
	@echo "The committed guest is what its source builds."

golden: ## Record the golden logs anew, after a change of the engine before its release
	$(RUN) python tests/replay/record_golden.py

node_modules: ## Install what the tests and a developer need, and run nothing
node_modules: tests/peers/node_modules/.package-lock.json

tests/peers/node_modules/.package-lock.json: tests/peers/package-lock.json
	$(UV) sync --quiet --group dev
	cd tests/peers && PATH="$(NODE_BIN):$$PATH" npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

clean: ## Remove what the targets made
	rm -rf .venv .tools .build tests/peers/node_modules
