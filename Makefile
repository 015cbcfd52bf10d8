# Every target makes .venv and installs what it needs by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := app worker ml labelaudit migrations tests benchmarks docs/generate.py tools

.DEFAULT_GOAL := help

.PHONY: help
help:  ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Label Audit needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[all,dev,servers]'
	touch $@

.PHONY: install
install: $(VENV)/.installed  ## make .venv and install everything

.PHONY: demo
demo: install  ## find planted wrong labels in real handwritten digits (a few minutes)
	$(BIN)/labelaudit demo --out labelaudit-out

.PHONY: serve
serve: install  ## run the whole service on this machine
	$(BIN)/labelaudit serve

.PHONY: test
# Hundreds of processes start: each would compile what the others have compiled.
test: export PYTHONDONTWRITEBYTECODE :=
test: install  ## run the tests
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not gpu and not faults'

.PHONY: browser
browser:  ## install Chromium for the tests of the pages, where it is missing (root, Debian)
	tests/browser/install.sh

.PHONY: test-faults
test-faults: install  ## kill, stop, cut off and fill up a running service (three quarters of an hour)
	$(BIN)/python -m pytest -m faults tests/faults

.PHONY: check-images
check-images:  ## install what the API image installs, in a bare environment
	rm -rf build/image-api
	docker/install.sh api build/image-api

.PHONY: lock
lock: install  ## write the versions and hashes that the images install (UPGRADE=1: the newest)
	docker/lock.sh $(BIN)/uv $(if $(UPGRADE),--upgrade)

.PHONY: sbom
sbom: install  ## write what is in the images as CycloneDX, to build/sbom
	mkdir -p build/sbom
	for part in api worker; do \
		$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --of JSON --output-reproducible \
			--output-file build/sbom/$$part.cdx.json docker/$$part.lock; done

.PHONY: lint
lint: install  ## style, types, import law, dependencies, house rules
	$(BIN)/ruff format --check $(PACKAGES)
	$(BIN)/ruff check $(PACKAGES)
	$(BIN)/mypy $(PACKAGES)
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/python -m pytest -q tests/test_house_rules.py

.PHONY: api-docs
api-docs: install  ## renew docs/api/openapi.json, the page of problems and the generated client
	$(BIN)/python -m docs.generate

.PHONY: docs
docs: install  ## build the user guide into build/docs; a broken link is an error
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	$(BIN)/mkdocs build --strict

.PHONY: contract
contract: install  ## two minutes of generated requests against the real server
	$(BIN)/python -m benchmarks.service.contract_fuzz --seconds 120 --seed 1

.PHONY: format
format: install  ## rewrite the code in the house style
	$(BIN)/ruff format $(PACKAGES)
	$(BIN)/ruff check --fix $(PACKAGES)

.PHONY: clean
clean:  ## remove what the targets made
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis labelaudit-out
