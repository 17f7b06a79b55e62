# One image for web, worker and evaluator; deploy/container.sh knows their commands. docs/deployment.md says more.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS packages
# run, or celery for SPMS_QUEUE_BACKEND=celery: the lock file of that name.
ARG REQUIREMENTS=run
COPY requirements/${REQUIREMENTS}.txt /tmp/requirements.txt
# Wheels only: nothing is compiled, here or later.
RUN python3 -m venv /opt/venv \
    && /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
        --only-binary :all: --require-hashes -r /tmp/requirements.txt

FROM ${BASE}
# postgresql-client has pg_dump and psql, for `spms backup` and `spms restore`.
# Versions are the distribution's: a pinned one vanishes from the archive with its next security update.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fontconfig \
        fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji \
        postgresql-client \
    && rm -rf /var/lib/apt/lists/*
# A number, so that Kubernetes can see that it is not root. /export is where Prometheus' files are written to.
RUN groupadd --gid 10001 spms \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin spms \
    && install -d -o 10001 -g 10001 /data /export
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY manage.py pyproject.toml thresholds.yaml ./
COPY deploy/container.sh deploy/spms deploy/
COPY documents documents
COPY metrics metrics
COPY spms spms
# Temporary files go to memory: /dev/shm can be written even when the root cannot.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SPMS_DATA_DIR=/data \
    TMPDIR=/dev/shm
# The static files belong to the code, so they are made here; container.sh links them into the data folder.
RUN python -m compileall -q documents metrics spms \
    && ln -s /app/deploy/spms /usr/local/bin/spms \
    && SPMS_DATA_DIR=/tmp/build python manage.py collectstatic --noinput --verbosity 0 \
    && mv /tmp/build/static /app/static \
    && rm -rf /tmp/build
USER 10001:10001
VOLUME /data
EXPOSE 8000 8001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz/live', timeout=3)"]
ENTRYPOINT ["/app/deploy/container.sh"]
CMD ["web"]
