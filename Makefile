# Every target makes or reuses one virtual environment, .venv, by itself; `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
RUN := exec $(VENV)/bin/python
EXTRAS := all
# Where Python may not keep what it compiles, every process would compile Airflow again; so it is done once, here.
COMPILE := $(if $(PYTHONDONTWRITEBYTECODE),--compile-bytecode)

# Only the demo takes these two: ROWS=an export to serve instead of generated rows, KEEP=1 to leave the web UI up.
ROWS ?=
KEEP ?=
# How many processes the tests without Airflow run in.
WORKERS ?= auto
# Only `make test` takes this: THEN='e2e-celery-required matrix-short', to be made when the tests without Airflow are over.
THEN ?=
# Only `make matrix` takes this: LINE=airflow-3.1.0 for one of its lines.
LINE ?=
# Only `make campaign` takes this.
SEEDS ?= 2000
# Only `make interleave` takes this.
HISTORIES ?= 3000
# Only `make stops` takes this.
MOMENTS ?= 200
KILLS ?= 100
# Only the benchmarks take these: options such as BENCH='--quick --store rclone', and MEASURE=many_sources for another one.
BENCH ?=
MEASURE ?=
SPELLED := labelbox_export_provider tests docs dags_examples demo benchmarks noxfile.py pyproject.toml Makefile $(wildcard *.md)
keep := $(filter-out 0 no false,$(KEEP))

.DEFAULT_GOAL := help
.PHONY: help install demo test unit thorough e2e e2e-celery matrix matrix-short lint format docs bench campaign interleave stops constraints clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## make the virtual environment

# uv is many times faster than pip; where it cannot reach the package index that pip is configured for, pip does it.
$(STAMP): pyproject.toml constraints/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))' || \
	  { echo "Python 3.10 to 3.14 is needed and '$(PYTHON)' is another: make ... PYTHON=python3.11" >&2; exit 1; }
	@$(VENV)/bin/python -c "import sys; sys.exit(f'{sys.version_info[:2]}' != '$$($(PYTHON) -c 'import sys; print(sys.version_info[:2])')')" \
	  2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@echo "installing into $(VENV) (some minutes the first time)"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints/dev.txt --upgrade pip uv
	@$(VENV)/bin/uv pip install --quiet $(COMPILE) --python $(VENV)/bin/python \
	    --constraint constraints/dev.txt --editable '.[$(EXTRAS)]' --group dev || \
	  $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	    --constraint constraints/dev.txt --editable '.[$(EXTRAS)]' --group dev
	@touch $@

demo: $(STAMP) ## real Airflow lands three nights of a fake Labelbox project in S3 (ROWS=export.ndjson, KEEP=1)
	@$(RUN) -m demo.run --end-with-parent $(if $(ROWS),--rows '$(ROWS)') $(if $(keep),--keep)

# The end-to-end tests wait more than they work, so the others run beside them; each prints what it found at its end.
test: $(STAMP) ## unit tests and generated campaigns, with end-to-end tests under real Airflow beside them
	@$(MAKE) --no-print-directory --jobs 2 --keep-going $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) WORKERS=2 e2e beside-e2e

.PHONY: beside-e2e unit-then-thorough
beside-e2e: $(STAMP)
	@status=0; for target in unit-then-thorough $(THEN); do $(MAKE) --no-print-directory $$target || status=$$?; done; exit $$status

unit-then-thorough: $(STAMP)
	@status=0; \
	$(VENV)/bin/python -m pytest -n $(WORKERS) --cov --cov-report= || status=$$?; \
	$(VENV)/bin/python -m pytest -m thorough -n $(WORKERS) || status=$$?; \
	exit $$status

unit: $(STAMP) ## unit tests alone
	@$(RUN) -m pytest -n $(WORKERS)

thorough: $(STAMP) ## generated campaigns and slower tests alone: minutes, without a cluster of Airflow
	@$(RUN) -m pytest -m thorough -n $(WORKERS)

e2e: $(STAMP) ## end-to-end tests alone
	@$(RUN) -m pytest -m 'e2e and not celery' -n 0

e2e-celery: $(STAMP) ## end-to-end tests with Celery, Redis and PostgreSQL, in an environment of their own
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(RUN) -m nox --session celery

# Where servers are missing, the tests fail instead of being skipped.
.PHONY: e2e-celery-required
e2e-celery-required: $(STAMP)
	@CI=true $(MAKE) --no-print-directory e2e-celery

matrix: $(STAMP) ## the built wheel under each line of Airflow that is promised (LINE=airflow-3.1.0 for one)
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(RUN) -m nox $(if $(LINE),--session line scheduler --tags '$(LINE)')

matrix-short: $(STAMP) ## the oldest line alone, with the tests of the faces: minutes
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(RUN) -m nox --session short

lint: $(STAMP) ## ruff, mypy, the import rules, words, the site, workflows, and what is in wheel and source distribution
	@status=0; \
	$(VENV)/bin/ruff check || status=$$?; \
	$(VENV)/bin/ruff format --check || status=$$?; \
	$(VENV)/bin/mypy || status=$$?; \
	$(VENV)/bin/lint-imports || status=$$?; \
	$(VENV)/bin/codespell $(SPELLED) || status=$$?; \
	$(MAKE) --no-print-directory site || status=$$?; \
	$(VENV)/bin/zizmor --offline --quiet .github || status=$$?; \
	rm -rf build/lint; $(VENV)/bin/hatchling build --directory build/lint >/dev/null || status=$$?; \
	$(VENV)/bin/twine check --strict build/lint/* || status=$$?; \
	$(VENV)/bin/python tests/matrix/distributions.py build/lint || status=$$?; \
	exit $$status

format: $(STAMP) ## let ruff format and fix what it can
	@$(VENV)/bin/ruff format
	@$(VENV)/bin/ruff check --fix

docs: $(STAMP) ## write the tables of docs/ that are made from the code, and the site in build/site
	@PYTHONPATH=tests $(VENV)/bin/python -m support.docs_tables
	@PYTHONPATH=tests $(VENV)/bin/python -m support.kinds_of_run
	@$(MAKE) --no-print-directory site

.PHONY: site pictures screenshots
# Not with --quiet: warnings that are not logged are not counted by --strict.
site: $(STAMP)
	@PYTHONPATH=tests NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict
	@PYTHONPATH=tests $(RUN) -m support.site_links build/site

# Pictures of Airflow's UI, which the tests in a browser take (tests/support/e2e/pictures.py).
screenshots: $(STAMP)
	@LABELBOX_PICTURES=docs/screenshots $(RUN) -m pytest -q -m browser -n 0 tests/e2e/test_the_windows_page.py tests/e2e/test_in_a_browser.py

# Needs a Chromium (BROWSER=/usr/bin/chromium), and mermaid.min.js out of `npm pack mermaid`.
pictures: $(STAMP)
	@PYTHONPATH=tests $(RUN) -m support.docs_pictures '$(MERMAID)' $(BROWSER)

# Kills under a real scheduler have a number of their own: LABELBOX_KILLS=20 in tests/e2e/test_never_twice.py.
# So have projects: LABELBOX_PROJECTS_E2E=200 in tests/e2e/test_all_projects_every_night.py.
campaign: $(STAMP) ## many seeds of every generated campaign (SEEDS=2000), with their outcome in benchmarks/results/
	@LABELBOX_SEEDS=$(SEEDS) LABELBOX_CAMPAIGN=benchmarks/results/campaign-$$(date -u +%Y-%m-%d).json \
	  $(VENV)/bin/python -m pytest -q -m thorough -n $(WORKERS) tests/property tests/streaming

interleave: $(STAMP) ## histories of overlapping landings (HISTORIES=3000), with their outcome in benchmarks/results/
	@LABELBOX_HISTORIES=$(HISTORIES) LABELBOX_CAMPAIGN=benchmarks/results/interleave-$$(date -u +%Y-%m-%d).json \
	  $(VENV)/bin/python -m pytest -q -m thorough -n $(WORKERS) tests/streaming/test_interleavings.py

stops: $(STAMP) ## landings that are stopped while hosts misbehave (MOMENTS=200), with their outcome in benchmarks/results/
	@LABELBOX_STOP_MOMENTS=$(MOMENTS) LABELBOX_CAMPAIGN=benchmarks/results/stops-$$(date -u +%Y-%m-%d).json \
	  $(VENV)/bin/python -m pytest -q -m thorough -n 1 tests/streaming/test_stop_campaign.py

kills: $(STAMP) ## landings that are killed and resumed (KILLS=100), with their outcome in benchmarks/results/
	@LABELBOX_KILLED_LANDINGS=$(KILLS) LABELBOX_CAMPAIGN=benchmarks/results/kills-$$(date -u +%Y-%m-%d).json \
	  $(VENV)/bin/python -m pytest -q -m thorough -n $(WORKERS) tests/streaming/test_resume_campaign.py

bench: $(STAMP) ## measurements against what a user would do without this package (BENCH=--quick, BENCH=--help)
	@$(RUN) -m benchmarks$(if $(MEASURE),.$(MEASURE)) $(BENCH)

constraints: $(STAMP) ## resolve constraints/ again: dev.txt for all supported Pythons, and a file per line of Airflow
	@{ head -n 1 constraints/dev.txt; $(VENV)/bin/uv pip compile pyproject.toml --quiet --universal --upgrade \
	    --python-version 3.10 --no-header --no-annotate --all-extras --group dev; } > constraints/dev.new
	@mv constraints/dev.new constraints/dev.txt
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(RUN) -m nox --session constraints

clean: ## remove the virtual environment and everything that the targets made
	@if [ -x $(VENV)/bin/python ]; then $(VENV)/bin/python -m demo.run --end-stale || true; fi
	@rm -rf $(VENV) .nox .demo .e2e .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
