# `make` alone prints this list.
PYTHON ?= python3
BIN := .venv/bin
ifeq ($(findstring $(CURDIR)/$(BIN),$(PATH)),)
export PATH := $(CURDIR)/$(BIN):$(PATH)
endif

.DEFAULT_GOAL := help
.PHONY: help repro full gallery promote serve compare search results dashboard seeds-table bench test test-commands test-browser torture torture-sample check docs ui

help:  ## print the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

repro: .venv/installed  ## set up, then compute every row that is not current: `dvc repro`
	@python -c "from narrows import errors; from narrows.config import params; errors.run(params.load)"
	dvc repro

# The settings of benchmarks/documents.py and benchmarks/textbook.py. A + is for what the row inherits.
VARIATIONAL := network.hidden=[500,500] code_size=20 train.epochs=60 train.optimizer.lr=1.0e-3
INHERITED := train.batch_size=256 train.patience=null
DEEP := train.epochs=500 train.batch_size=2048 train.patience=null train.optimizer.name=keras_adam train.schedule.name=none
FULL := dataset.name=mnist
FULL += $(addprefix autoencoders.variational.,$(VARIATIONAL)) $(addprefix +autoencoders.variational.,$(INHERITED))
FULL += $(addprefix autoencoders.deep.,$(DEEP)) $(addprefix ~autoencoders.deep.train.schedule.,factor patience)
FULL += autoencoders.deep-sigmoid.train.epochs=500  # the rest is as in deep

full: .venv/installed  ## every row on all of MNIST with the full settings: hours on a CPU
	dvc exp run $(foreach change,$(FULL),-S '$(change)')

gallery: export FOLDER := $(value DATA)
gallery: .venv/installed  ## pictures by cluster, a page that opens offline: make gallery ROW=pca-kmeans, or DATA=~/Photos
	python -m narrows gallery $(ROW) $(if $(value DATA),--data "$$FOLDER")

SEARCH ?= small-codes
TIMEOUT ?= 10m
WORKERS ?= 2
IF_RUNNING ?= join

search: .venv/installed  ## go on with a study: make search SEARCH=small-codes TIMEOUT=2h WORKERS=2
	python pipelines/search.py $(SEARCH) --timeout $(TIMEOUT) --workers $(WORKERS) --if-running $(IF_RUNNING) || case $$? in 3|75) ;; *) false;; esac

DASHBOARD_PORT ?= 8080

dashboard: .venv/installed-dev  ## optuna-dashboard on the database of studies, on this machine only
	python -m narrows dashboard --port $(DASHBOARD_PORT)

promote: .venv/installed  ## make a clustering the champion if it is better: make promote ROW=pca-umap-gmm
	python -m narrows promote $(ROW) || test $$? -eq 3

PORT ?= 5001

serve: .venv/installed  ## MLflow answers requests with the champion, on this machine only
	python -m narrows serve --port $(PORT)

compare: .venv/installed  ## rows, git revisions or runs side by side: make compare A=pca-kmeans B=HEAD~1
	python -m narrows compare $(A) $(B)

seeds-table: .venv/installed-dev  ## the documents' protocol on MNIST: src/narrows/report/documents.csv, hours on a CPU
	python benchmarks/documents.py --seeds 0 1 2 --bf16

bench: .venv/installed-dev .venv-peers/installed  ## speed against peers: docs/benchmarks.md, minutes on a quiet machine
	python benchmarks/bench.py
	python benchmarks/bench_gpu.py

# One thread a process: two trainings of two threads each on two cores slow each other down tenfold.
PYTEST := OMP_NUM_THREADS=1 python -m pytest -n auto --dist loadfile

# CI gives both folders, so that tests that wait share the cores with others to the end.
TESTS ?=

test: .venv/installed-dev  ## set up, then run all tests
	$(PYTEST) --no-loadscope-reorder $(TESTS)

test-commands: .venv/installed-dev  ## the commands of README.md, typed into a small copy of the project
	$(PYTEST) --no-loadscope-reorder tests/commands

test-browser: .venv/installed-dev  ## MLflow's page and our own ones in a real browser: Chromium, found on PATH
	python -m pytest -n0 --timeout 1200 tests/browser

MINUTES ?= 20
SEED ?= 0

torture: .venv/installed-dev  ## break the tool on purpose for some minutes: make torture MINUTES=20 SEED=0
	PYTHONPATH=tests python -m torture --minutes $(MINUTES) --seed $(SEED)

torture-sample: .venv/installed-dev  ## its quick campaigns, with the same seeds each time
	PYTHONPATH=tests OMP_NUM_THREADS=1 python -m torture

check: .venv/installed-dev  ## set up, then lint, format, types, and whether README and docs say what is so
	pre-commit run --all-files
	python -m pytest -q -n0 tests/maintainer

docs: export NO_MKDOCS_2_WARNING := 1
docs: .venv/installed-dev  ## the documentation as a site that opens offline: site/index.html
	$(BIN)/mkdocs build --quiet

results:  ## publish: what README and docs show of results/ goes to docs/results, and into their tables
	python benchmarks/published.py

UI_PORT ?= 5000

ui: .venv/installed  ## MLflow's page on the runs of this folder, on this machine only
	python -m narrows ui --port $(UI_PORT)

# An environment that was copied or moved runs the code of the folder that it was made in.
ifneq ($(shell grep -qs '^command = ' .venv/pyvenv.cfg && { grep -qF " $$(pwd -P)/.venv" .venv/pyvenv.cfg || echo moved; }),)
.PHONY: moved
moved:
	@echo ".venv was made in another folder, whose code it runs; it is made anew"
	rm -rf .venv

.venv/installed: moved
endif

EXTRAS ?= [pictures,postgresql]

# uv takes a sixth of pip's time; where it gets nowhere, as behind an index that only pip's settings
# name, pip does it. Neither compiles what it installs: Python does when it imports a module first.
unexport PYTHONDONTWRITEBYTECODE
PINNED := --quiet --constraint constraints.txt
install = $(BIN)/uv pip install --python $(1)/bin/python $(PINNED) $(2) || \
	$(1)/bin/python -m pip install --no-compile $(PINNED) $(2)

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "narrows needs Python 3.11 or newer; name one with: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	-test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv==0.13.9
	$(call install,.venv,--editable '.$(EXTRAS)')
	@touch $@

.venv-peers/installed: .venv/installed
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	$(call install,.venv-peers,clustpy==0.0.3 keras==3.15.1 tensorflow-cpu==2.21.0 torch)
	@touch $@

.venv/installed-dev: .venv/installed
	$(call install,.venv,--editable '.[dev]')
	@touch $@
