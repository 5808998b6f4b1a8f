# `make demo` and `make test` are all that a fresh machine needs: Python 3.11 or newer with venv, and the package registries.
PYTHON ?= python3
BIN := .venv/bin
SYSTEM := chromium wrk
PROMETHEUS := .venv/prometheus
# One worker more than cores, since much of a test is waiting for a process; a module's tests stay together, since some share an engine.
# In their order: xdist would begin with the modules of most tests, and be left at the end with those of one test that takes a minute.
WORKERS := $(shell expr $$(nproc 2>/dev/null || echo 1) + 1)
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: demo console test test-all test-interop lint bench system clean

# An environment that is there keeps its Python: another one laid over it would not run.
.venv/ready: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

# The console's pages are built from web/ by Node.js; without it the engine runs all the same, and /console says what to install.
CONSOLE := registry/console/static/manifest.json
WEB := registry/console/web
$(CONSOLE): $(WEB)/package-lock.json $(WEB)/build.mjs $(wildcard $(WEB)/src/*)
	@if command -v npm >/dev/null 2>&1; then cd $(WEB) && npm ci --silent --no-audit --no-fund && npm run --silent build; \
	else echo "Node.js is not installed: the console's pages are not built"; fi

console: $(CONSOLE)

# Debian's packages that tests use; where they cannot be installed, those tests skip and say so. That of Prometheus starts a server as it is
# installed: it is unpacked, as the tests need its programs alone.
system:
	@for tool in $(SYSTEM); do \
	  command -v $$tool >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq $$tool; } >/dev/null 2>&1 || \
	  echo "$$tool is not installed and could not be: its tests will be skipped"; done
	@command -v prometheus >/dev/null 2>&1 || test -x $(PROMETHEUS)/usr/bin/prometheus || { mkdir -p $(PROMETHEUS) && apt-get update -qq && \
	  cd $(PROMETHEUS) && apt-get download -qq prometheus && dpkg -x prometheus_*.deb . && rm prometheus_*.deb; } >/dev/null 2>&1 || \
	  echo "prometheus is not installed and could not be unpacked: its tests will be skipped"

demo: .venv/ready $(CONSOLE)
	$(BIN)/waggle demo

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: .venv/ready $(CONSOLE) system lint
	$(PYTEST) -m "not heavy"

test-all: .venv/ready $(CONSOLE) system lint
	$(PYTEST)

test-interop: .venv/ready $(CONSOLE)
	$(BIN)/pytest -m interop tests/interop

bench: .venv/ready system
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(WEB)/node_modules registry/console/static .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache waggle-data
