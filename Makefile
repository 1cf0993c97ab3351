# Two commands matter: `make run` and `make test`. CONTRIBUTING.md says what each needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PAGES := gateway/web/dist/index.html
QUESTION ?= 失业后领取失业保险金需要什么条件？

.PHONY: setup run test unit engine vllm weights lint pages system-deps lock clean

setup: $(BIN)/.installed  ## the virtual environment with the `zhengwu` command
$(BIN)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt -e ".[embedded]"
	touch $@

$(BIN)/.installed-tests: $(BIN)/.installed
	$(PIP) install -c constraints.txt -e ".[embedded,test]"
	touch $@

pages: $(PAGES)  ## the pages of the gateway
WEB := $(shell find gateway/web/src gateway/web/index.html gateway/web/package-lock.json 2>/dev/null)
$(PAGES): $(WEB)
	cd gateway/web && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build

run: setup pages  ## everything, from nothing to an answered question, until Ctrl-C
	$(BIN)/zhengwu models pull --profile
	$(BIN)/zhengwu kb ingest --starter
	exec $(BIN)/zhengwu up --ask "$(QUESTION)"

test: unit engine vllm lint  ## unit, real engine, vLLM, then lint and types

unit: $(BIN)/.installed-tests pages
	cd gateway/web && npm run --silent test
	$(BIN)/python -m pytest -q -m "not engine and not vllm and not torch"

weights: $(BIN)/.installed-tests  ## of the embedded models, and of the small ones that tests run
	$(BIN)/zhengwu models pull --profile
	$(BIN)/zhengwu models pull qwen2.5-coder-0.5b-instruct-q4
	$(BIN)/zhengwu models pull all-minilm-l6-v2

engine: $(BIN)/.installed-tests pages weights
	$(BIN)/python -m pytest -q -m "engine"

vllm: $(BIN)/.installed-tests weights
	tools/setup_vllm.sh || test -z "$${CI:-}"  # without it the tests skip, but never in CI
	$(BIN)/python -m pytest -q -m "vllm or torch"

lint: $(BIN)/.installed-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	sh tools/link_packages.sh
	$(BIN)/pyright

system-deps:  ## Debian packages that only tests and document previews need
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	  chromium libreoffice-writer-nogui poppler-utils fonts-noto-cjk >/dev/null

lock:  ## write what is installed into constraints.txt
	$(BIN)/python -m pip freeze --exclude-editable --exclude zhengwu | sort > constraints.txt

clean:
	rm -rf $(VENV) .venv-vllm .links gateway/web/dist gateway/web/node_modules
