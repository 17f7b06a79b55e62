# `make run` and `make test` set up everything they need; `make help` lists the rest.
PORT ?= 8000
export PORT
PYTHON := .venv/bin/python
# The least that a production sets: `check --deploy` finds nothing with it.
PRODUCTION := SPMS_HTTPS=true ALLOWED_HOSTS=spms.example.org EMAIL_URL=smtp+tls://mail.example.org:587

.PHONY: help run test check image-check bench format lock licences schema setup-run setup-dev

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: setup-run ## set up, load the sample data, and serve on http://127.0.0.1:8000 (PORT= to change)
	@$(PYTHON) manage.py migrate --verbosity 0
	@$(PYTHON) manage.py collectstatic --noinput --verbosity 0
	@$(PYTHON) manage.py load_sample_data
	@exec .venv/bin/honcho start --port $(PORT)

test: setup-dev ## set up and run the whole suite
	@$(PYTHON) -m pytest --numprocesses auto --dist loadgroup $(ARGS)

check: setup-dev ## lint, types, imports, security, templates, Dockerfile, migrations
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy .
	@.venv/bin/lint-imports
	@.venv/bin/bandit --quiet --configfile pyproject.toml --recursive documents metrics spms manage.py
	@.venv/bin/djlint --lint --quiet documents metrics spms
	@.venv/bin/hadolint Dockerfile
	@$(PYTHON) manage.py check --fail-level WARNING
	@data=$$(mktemp -d) && trap 'rm -rf "$$data"' EXIT && SPMS_DATA_DIR=$$data $(PRODUCTION) \
		$(PYTHON) manage.py check --deploy --fail-level DEBUG
	@$(PYTHON) manage.py makemigrations --check --dry-run
	@$(PYTHON) manage.py spectacular --validate --fail-on-warn --file /dev/null

image-check: ## build the Dockerfile with buildah and run the image (root on Linux; no Docker)
	@deploy/prove-image.sh $(ARGS)

bench: setup-dev ## measure speed and memory; prints the table of docs/performance.md
	@$(PYTHON) -m bench $(ARGS)

format: setup-dev ## format the code
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

lock: setup-dev ## pin the dependencies anew, with hashes and without any index address
	@.venv/bin/uv pip compile --quiet --upgrade pyproject.toml --universal --python-version 3.12 \
		--generate-hashes --no-header --output-file requirements/run.txt
	@.venv/bin/uv pip compile --quiet --upgrade pyproject.toml --extra celery --constraint requirements/run.txt \
		--universal --python-version 3.12 --generate-hashes --no-header --output-file requirements/celery.txt
	@.venv/bin/uv pip compile --quiet --upgrade pyproject.toml --extra celery --extra observe --constraint requirements/celery.txt \
		--universal --python-version 3.12 --generate-hashes --no-header --output-file requirements/observe.txt
	@.venv/bin/uv pip compile --quiet --upgrade pyproject.toml --group dev --constraint requirements/observe.txt \
		--universal --python-version 3.12 --generate-hashes --no-header --output-file requirements/dev.txt
	@$(MAKE) --no-print-directory licences

licences: setup-dev ## write docs/licences.md anew
	@$(PYTHON) -m deploy.licences

setup-run setup-dev: setup-%:
	@deploy/setup.sh $*
