# `make run` and `make test` set up everything they need; `make help` lists the rest.
PORT ?= 8000
export PORT
# PYTHON=python3.12 on the command line uses a separate environment, .venv-3.12.
VENV := .venv
ifeq ($(origin PYTHON),command line)
VENV := .venv-$(subst python,,$(notdir $(PYTHON)))
endif
# The minimum settings of a production system: `check --deploy` finds nothing with it.
PRODUCTION := SPMS_HTTPS=true ALLOWED_HOSTS=spms.example.org EMAIL_URL=smtp+tls://mail.example.org:587

.PHONY: help run demo test fuzz check image-check compose-check docs-check bench format lock licences schema setup-run setup-dev

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: setup-run ## set up, load the sample data, and serve on http://127.0.0.1:8000 (PORT= to change)
	@$(VENV)/bin/python manage.py migrate --verbosity 0
	@$(VENV)/bin/python manage.py collectstatic --noinput --verbosity 0
	@$(VENV)/bin/python manage.py load_sample_data
	@exec .venv/bin/honcho start --port $(PORT)

demo: setup-run ## see the switch in three minutes: an afternoon with a deadline, in a system of its own (ARGS="--stay")
	@exec $(VENV)/bin/python -m bench.demo $(ARGS)

test: setup-dev ## set up and run the whole suite (ARGS= for pytest; PYTHON=python3.12 for another Python)
	@$(VENV)/bin/python -m pytest --numprocesses auto --dist loadgroup $(ARGS)

fuzz: setup-dev ## send hostile requests for ten minutes (ARGS="--fuzz-seconds 60 --fuzz-seed 1")
	@$(VENV)/bin/python -m pytest tests/acceptance/test_fuzz.py --fuzz-seconds 600 $(ARGS)

check: setup-dev ## lint, types, imports, security, templates, Dockerfile, migrations
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy .
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/bandit --quiet --configfile pyproject.toml --recursive documents metrics spms manage.py
	@$(VENV)/bin/djlint --lint --quiet documents metrics spms
	@$(VENV)/bin/hadolint Dockerfile
	@$(VENV)/bin/python manage.py check --fail-level WARNING
	@data=$$(mktemp -d) && trap 'rm -rf "$$data"' EXIT && SPMS_DATA_DIR=$$data $(PRODUCTION) \
		$(VENV)/bin/python manage.py check --deploy --fail-level DEBUG
	@$(VENV)/bin/python manage.py makemigrations --check --dry-run
	@$(VENV)/bin/python manage.py spectacular --validate --fail-on-warn --file /dev/null

image-check: ## build the Dockerfile with buildah and run the image (root on Linux; no Docker)
	@deploy/prove-image.sh $(ARGS)

compose-check: setup-dev ## run compose.yaml with podman and images built here (root on Linux)
	@deploy/prove-compose.sh

docs-check: setup-dev ## run the command blocks of the pages for operators on a bare Debian (root on Linux; ARGS=bookworm)
	@deploy/prove-docs.sh $(ARGS)

bench: setup-dev ## measure speed and memory; prints the table of docs/performance.md
	@$(VENV)/bin/python -m bench $(ARGS)

format: setup-dev ## format the code
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

lock: setup-dev ## pin the dependencies again, with hashes and without any index address
	@$(VENV)/bin/uv pip compile --quiet --upgrade pyproject.toml --universal --python-version 3.12 \
		--generate-hashes --no-header --output-file requirements/run.txt
	@$(VENV)/bin/uv pip compile --quiet --upgrade pyproject.toml --extra celery --constraint requirements/run.txt \
		--universal --python-version 3.12 --generate-hashes --no-header --output-file requirements/celery.txt
	@$(VENV)/bin/uv pip compile --quiet --upgrade pyproject.toml --extra celery --extra observe --constraint requirements/celery.txt \
		--universal --python-version 3.12 --generate-hashes --no-header --output-file requirements/observe.txt
	@$(VENV)/bin/uv pip compile --quiet --upgrade pyproject.toml --extra azure --constraint requirements/observe.txt \
		--universal --python-version 3.12 --generate-hashes --no-header --output-file requirements/azure.txt
	@$(VENV)/bin/uv pip compile --quiet --upgrade pyproject.toml --group dev --constraint requirements/observe.txt --constraint requirements/azure.txt \
		--universal --python-version 3.12 --generate-hashes --no-header --output-file requirements/dev.txt
	@$(MAKE) --no-print-directory licences

licences: setup-dev ## write docs/licences.md
	@$(VENV)/bin/python -m deploy.licences

setup-run setup-dev: setup-%:
	@deploy/setup.sh $* $(VENV) $(if $(filter-out .venv,$(VENV)),$(PYTHON))
