# Two commands, each from a fresh clone with nothing but Python 3.11+, make and a network to PyPI.
#   make conformance   the main job: the SMI suite against the reference mesh; results in build/conformance/
#                      (RELEASE=all: in every API version that SMI ever had)
#   make test          lint, types, layers, and all tests of this project (what .ci/run calls)
PYTHON ?= python3
BIN := .venv/bin
OUT := build/conformance

.PHONY: conformance test
conformance: .venv/ready
	@mkdir -p $(OUT)
	$(BIN)/pytest --smi-mesh=reference $(RELEASE:%=--smi-release=%) -n 2 -q -p no:hypothesispytest --junitxml=$(OUT)/junit.xml \
	  --alluredir=$(OUT)/allure-results --clean-alluredir --smi-results=$(OUT)/results.json

test: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/unit -q -n 2
	$(BIN)/pytest tests/plugin tests/embedded -q -n 2
	$(BIN)/pytest --smi-mesh=reference --smi-release=all -q -n 2 -p no:hypothesispytest
	$(BIN)/pytest tests/kills -q -n 2 -p no:hypothesispytest

.venv/ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check -e '.[embedded,dev]'
	@touch $@
