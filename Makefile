# GNU make (3.81 or newer) and Python 3.11 or newer; everything else is installed into .venv, once.
PYTHON ?= python3
PORT ?= 8501
PYTEST_ARGS ?=
BENCH ?= population scaling flops gpu latency cluster against_pythae
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
STREAMLIT := $(BIN)/python -m streamlit run app.py --server.port $(PORT)
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.PHONY: check-js help app talk test check slow docs examples bench browser-deps clean
.DEFAULT_GOAL := help

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

app: .venv/.run  ## start the app on http://127.0.0.1:8501 (PORT=... for another port)
	@echo "Disentanglement Lab: http://127.0.0.1:$(PORT)   (Ctrl-C stops it)"
	@$(STREAMLIT)

talk: .venv/.run  ## start the app in the larger font of a projector
	@echo "Disentanglement Lab, for the back row: http://127.0.0.1:$(PORT)   (Ctrl-C stops it)"
	@$(STREAMLIT) --theme.baseFontSize 22

# Tests run in the order of tests/conftest.py. The default tests use three processes, since two mostly wait for a browser.
# Bytecode is kept even where the environment says not to: without it, every test process compiles everything again.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --no-loadscope-reorder

test: .venv/.dev  ## run the default tests, 4 minutes on 2 cores
	$(PYTEST) -n 3 $(PYTEST_ARGS)

check: .venv/.dev  ## check format, lint, types and import contracts, and run the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory check-js
	@$(MAKE) --no-print-directory test

check-js:  ## check format, lint and types of the JavaScript, if node and npm are installed
	@if command -v node >/dev/null && command -v npm >/dev/null; then \
		$(MAKE) --silent --no-print-directory node_modules/.installed && npm run --silent check; \
	elif [ "$${REQUIRE_BROWSER:-0}" != 0 ]; then \
		echo "The JavaScript was not checked: node or npm was not found. \`make browser-deps\` installs them where it may."; exit 1; \
	else echo "The JavaScript was not checked: node or npm was not found (\`make browser-deps\` installs them)."; fi

slow: .venv/.dev .venv/notebook/.installed  ## run the long tests: more seeds, deeper fuzzing, retraining of the shipped runs
	NOTEBOOK_PYTHON=$(CURDIR)/.venv/notebook/bin/python HYPOTHESIS_PROFILE=slow $(PYTEST) -n 2 -m slow $(PYTEST_ARGS)

docs: .venv/.dev  ## build the documentation into artifacts/site, strictly and offline
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

examples: .venv/.run  ## retrain the shipped runs
	$(BIN)/python -m dvae_core examples

bench: .venv/.dev  ## run the measurements behind the claims (BENCH="recovery recordings learned_prior" for the long ones)
	@for name in $(BENCH); do echo "== benchmarks/$$name.py"; $(BIN)/python "benchmarks/$$name.py" || exit 1; done

browser-deps:  ## install Chromium, node and npm for the browser tests, if apt-get may install them
	@need=""; \
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || need="chromium"; \
	command -v node >/dev/null || need="$$need nodejs"; \
	command -v npm >/dev/null || need="$$need npm"; \
	if [ -z "$$need" ]; then echo "Chromium, node and npm are here."; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$need; \
	else echo "Not found: $$need. Please install it (on Debian or Ubuntu: sudo apt-get install $$need); until then the tests that need it are skipped."; fi

clean:  ## remove the virtual environment and the files that tools left behind; runs stay
	rm -rf .venv node_modules .pytest_cache .ruff_cache .hypothesis .import_linter_cache artifacts
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: pip runs only when a requirements file is newer than the last install.
.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ echo "Python has no venv module here; install it (on Debian or Ubuntu: apt-get install python3-venv)."; exit 1; }
	@touch $@

.venv/.run: requirements.txt constraints.txt | .venv/.python
	@echo "Installing what the app needs into .venv (once; torch is large) ..."
	@$(PIP) -r requirements.txt
	@touch $@

.venv/.dev: requirements-dev.txt requirements-cluster.txt .venv/.run
	@echo "Installing what the tests need into .venv (once) ..."
	@$(PIP) -r requirements-dev.txt
	@touch $@

# JupyterLab and marimo in an environment that also sees the packages of .venv.
.venv/notebook/.installed: requirements-notebook.txt | .venv/.dev
	@$(BIN)/python -m venv .venv/notebook
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > .venv/notebook/lab.pth
	@mv .venv/notebook/lab.pth "$$(.venv/notebook/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
	@.venv/notebook/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-notebook.txt
	@touch $@

node_modules/.installed: package-lock.json
	@npm ci --silent --no-audit --no-fund
	@touch $@
