# `make run` and `make test` do all set-up from nothing: Python 3.11 to 3.13 and make are all they need.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

# For `make run`: empty for the full run (7,049 faces, the whole recipe).
SIZE ?= --quick

# Tests run two files at a time, each in a process of one thread; the tests of a file share its fixtures, so they stay
# together.
PYTEST = -m pytest -n 2 --dist loadscope
ONE_THREAD = OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1
INSTALL = -m pip install --quiet --disable-pip-version-check

.PHONY: run setup test test-long test-lowest test-jax test-web test-scale web lint lowest-versions lock clean

run: setup
	$(RUN) pipeline.py $(SIZE)

setup: $(VENV)/installed

$(VENV)/installed: requirements-lock.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "error: TensorFlow needs Python 3.11, 3.12 or 3.13; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) $(INSTALL) -r requirements-lock.txt
	touch $@

test: setup lint
	$(ONE_THREAD) $(RUN) $(PYTEST) -m "not long"

# The tests that are marked `long`.
test-long: setup
	$(ONE_THREAD) $(RUN) $(PYTEST) -m long

# All tests, long or not, with the lowest version of each direct dependency that the bounds allow, in an environment of
# its own.
test-lowest: .venv-lowest/installed
	$(ONE_THREAD) .venv-lowest/bin/python $(PYTEST)

.venv-lowest/installed: Makefile pyproject.toml requirements.txt requirements-dev.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13) and "error: TensorFlow 2.18 needs Python 3.11 or 3.12; set PYTHON=...")'
	rm -rf .venv-lowest
	$(PYTHON) -m venv .venv-lowest
	$(MAKE) --silent --no-print-directory lowest-versions > .venv-lowest/versions.txt
	.venv-lowest/bin/python $(INSTALL) -r requirements-dev.txt -c .venv-lowest/versions.txt
	touch $@

# Prints NAME==VERSION for each NAME>=VERSION in the bounds: constraints for pip.
lowest-versions:
	@sed -nE 's/^ *"?([A-Za-z0-9_-]+)>=([0-9.]+),.*/\1==\2/p' pyproject.toml requirements.txt requirements-dev.txt

# The networks and their training under JAX, in an environment of its own that has no TensorFlow.
test-jax: .venv-jax/installed
	KERAS_BACKEND=jax $(ONE_THREAD) .venv-jax/bin/python $(PYTEST) tests/models tests/training tests/detection

.venv-jax/installed: requirements-jax.txt requirements-lock.txt
	rm -rf .venv-jax
	$(PYTHON) -m venv .venv-jax
	.venv-jax/bin/python $(INSTALL) -r requirements-jax.txt
	touch $@

# The web page on http://127.0.0.1:7860, with the light library alone, in an environment of its own.
PORT ?= 7860

web: .venv-web/installed
	.venv-web/bin/python -m web.app --port $(PORT)

# Its tests; those in a browser are skipped where there is no Chromium.
test-web: .venv-web/tests-installed
	.venv-web/bin/python -m pytest web/tests

.venv-web/installed: requirements-web.txt pyproject.toml
	$(PYTHON) -m venv .venv-web
	.venv-web/bin/python $(INSTALL) -e . -r requirements-web.txt
	touch $@

.venv-web/tests-installed: .venv-web/installed requirements-web-dev.txt
	.venv-web/bin/python $(INSTALL) -r requirements-web-dev.txt
	touch $@

# The tests of `scale_out`, in an environment of its own.
test-scale: .venv-scale/installed
	$(ONE_THREAD) .venv-scale/bin/python $(PYTEST) tests/scale_out

.venv-scale/installed: requirements-scale.txt requirements-lock.txt
	$(PYTHON) -m venv .venv-scale
	.venv-scale/bin/python $(INSTALL) -r requirements-lock.txt -r requirements-scale.txt
	touch $@

lint: setup
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

# Writes requirements-lock.txt anew from the bounds in requirements*.txt.
lock:
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(RUN) $(INSTALL) -r requirements-dev.txt
	(echo "# The exact set that is installed and tested; written by \`make lock\`."; $(RUN) -m pip freeze --all --exclude pip) > requirements-lock.txt

clean:
	rm -rf $(VENV) .venv-lowest .venv-jax .venv-web .venv-scale $(filter-out artifacts/pretrained,$(wildcard artifacts/*))
