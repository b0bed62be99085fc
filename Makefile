# make demo: train LeNet on the bundled sample.   make test: lint and run the tests.   make docs: generated pages.
# make site: the pages of docs/ as a site, build/site/index.html; a link that leads nowhere is an error.
# make quick: lint and the tests that are not marked as slow, in less than a minute.
# Each sets itself up in .venv. TORCH=cpu make demo: with the small torch that knows no GPU, where the index has it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH ?=
TORCH_INDEX ?= https://download.pytorch.org/whl/$(TORCH)
PIP := $(BIN)/python -m pip install --disable-pip-version-check
SOURCES := pyproject.toml setup.py $(wildcard cnnbench/data/decode/native/*.[ch])

.PHONY: demo test quick lint format docs site clean

demo: $(VENV)/installed
	$(BIN)/cnnbench train arch=lenet recipe=quick

test: lint
	$(BIN)/python -m pytest -n auto --dist worksteal

quick: lint
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --verbose > $(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }
	$(BIN)/mypy

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/installed
	$(BIN)/python tools/write_docs.py

site: $(VENV)/installed-dev
	$(BIN)/python -m sphinx -W --keep-going -q -c docs . build/site
	@echo "build/site/index.html"

$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV) || { echo "needs Python's venv module (Debian: apt install python3-venv)" >&2; exit 1; }
	@echo "installing into $(VENV): torch comes with CUDA, some 6 GB; TORCH=cpu make demo takes a tenth of that"
	@test -z "$(TORCH)" || $(PIP) --index-url $(TORCH_INDEX) torch torchvision || \
	    { echo "no torch at $(TORCH_INDEX): leave out TORCH, or give TORCH_INDEX=URL" >&2; rm -r $(VENV); exit 1; }

$(VENV)/installed: $(SOURCES) | $(VENV)/bin/python
	$(PIP) -e .
	@touch $@

$(VENV)/installed-dev: $(SOURCES) | $(VENV)/bin/python
	$(PIP) -e ".[dev]"
	@touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
