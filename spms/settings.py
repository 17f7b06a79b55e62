"""The settings, read from the environment; a wrong value is a one-line error at start."""

import os
import platform
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP

from spms import api_settings, connections, environment, logs
from spms.environment import BASE_DIR, env

django_stubs_ext.monkeypatch()  # admin classes take type parameters


environment.refuse_renamed()
environment.refuse_removed()
# What any process of the installation creates is for its own user only, however it is started.
os.umask(0o077)

# The folder of everything that is not code: the database by default, images, results, the key.
SPMS_DATA_DIR = environment.data_folder()
DEBUG = environment.flag("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or environment.secret_key(SPMS_DATA_DIR)
# Earlier keys, which still open sessions while a key is replaced.
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# In production a proxy terminates TLS and says so: secure cookies, redirects and HSTS, and no sample data.
SPMS_HTTPS = environment.flag("SPMS_HTTPS", default=False)
if SPMS_HTTPS:
    environment.refuse_unsafe(SECRET_KEY, is_debug=DEBUG, fallbacks=SECRET_KEY_FALLBACKS)
# Proxies in front, each of which adds an address to X-Forwarded-For; earlier addresses cannot be trusted.
SPMS_TRUSTED_PROXIES = environment.whole("SPMS_TRUSTED_PROXIES", default=int(SPMS_HTTPS))
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = SPMS_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SPMS_HTTPS else None
SECURE_HSTS_SECONDS = 365 * 86_400 if SPMS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SPMS_HTTPS
# Requests from inside that bypass the proxy.
SECURE_REDIRECT_EXEMPT = [r"^healthz/", r"^metrics$"]
# Preloading HSTS is for the owner of the whole domain to choose.
SILENCED_SYSTEM_CHECKS = ["security.W021"]

# Requests of one user to one web process, those of them that render, upload, export or import, and failed sign-ins
# per address and username in 15 minutes.
SPMS_API_THROTTLE_RATE = environment.rate("SPMS_API_THROTTLE_RATE", "3000/m")
SPMS_EXPENSIVE_THROTTLE_RATE = environment.rate("SPMS_EXPENSIVE_THROTTLE_RATE", "300/m")
SPMS_LOGIN_FAILURES = environment.positive("SPMS_LOGIN_FAILURES", 10)
AXES_FAILURE_LIMIT = SPMS_LOGIN_FAILURES
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "spms.problems.locked_out"
AXES_USERNAME_CALLABLE = "spms.sign_in.counted_name"
AXES_CLIENT_IP_CALLABLE = "spms.middleware.client_address"
AXES_RESET_ON_SUCCESS = True
# While a name is locked, refused attempts store nothing, so the lock ends after AXES_COOLOFF_TIME.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: it refuses users who failed too often
    "spms.sign_in.NameLengthBackend",
    "django.contrib.auth.backends.ModelBackend",
]

# By it, processes, counts and folders belong together: a data folder may be shared by several machines.
HOST_NAME = platform.node() or "localhost"
# The folder of this host's counters; prometheus_client reads the variable when it is imported.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(SPMS_DATA_DIR / "metrics" / HOST_NAME)
Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).mkdir(parents=True, exist_ok=True)
# The limits that decide between inline and queue, an optional Prometheus server to read from, and the scraper's token.
SPMS_THRESHOLDS = env.str("SPMS_THRESHOLDS", default=str(BASE_DIR / "thresholds.yaml"))
PROMETHEUS_URL = env.str("PROMETHEUS_URL", default="")
SPMS_METRICS_TOKEN = env.str("SPMS_METRICS_TOKEN", default="")
if PROMETHEUS_URL and not PROMETHEUS_URL.startswith(("http://", "https://")):
    raise ImproperlyConfigured(
        f"PROMETHEUS_URL={PROMETHEUS_URL!r}: expected an address such as http://127.0.0.1:9090"
    )

# How PDFs are served unless an override is in force.
SPMS_MODE = environment.choice("SPMS_MODE", "auto", ("auto", "inline", "queue"))
# Requests that this host serves at once: at most half of them render inline, a quarter waits for the queue.
SPMS_WEB_THREADS = environment.positive("SPMS_WEB_THREADS", 48)
# The web processes that share these threads; each computes on one core at a time.
SPMS_WEB_PROCESSES = environment.positive("SPMS_WEB_PROCESSES", 1)
if SPMS_WEB_PROCESSES > SPMS_WEB_THREADS:
    raise ImproperlyConfigured(
        f"SPMS_WEB_PROCESSES={SPMS_WEB_PROCESSES}: expected at most SPMS_WEB_THREADS ({SPMS_WEB_THREADS}), "
        "which the processes share"
    )
# Requests that may render a PDF at once while the limits decide; further ones are queued.
SPMS_INLINE_SLOTS = environment.positive("SPMS_INLINE_SLOTS", max(1, SPMS_WEB_THREADS // 2))
# Rendering processes that work at once on this machine; more than cores would slow each other down.
SPMS_RENDER_SLOTS = environment.positive("SPMS_RENDER_SLOTS", environment.usable_cores())
# How long a request waits for its PDF, and how long any render may take at all.
SPMS_INLINE_DEADLINE = environment.duration_seconds("SPMS_INLINE_DEADLINE", "30s")
SPMS_RENDER_TIMEOUT = environment.duration_seconds("SPMS_RENDER_TIMEOUT", "120s")
SPMS_RENDER_MEMORY_LIMIT = environment.size_bytes("SPMS_RENDER_MEMORY_LIMIT", "1500M")
# A rendering process is replaced after this many renders, so that no leak can grow.
SPMS_RENDERS_PER_CHILD = environment.positive("SPMS_RENDERS_PER_CHILD", 100)
# The largest request bodies: an upload, such as a photograph, and any other.
SPMS_MAX_UPLOAD_BYTES = environment.size_bytes("SPMS_MAX_UPLOAD", "32M")
SPMS_MAX_BODY_BYTES = 8 * 1024**2
# Anyone may send the forms of a sign-in.
SPMS_MAX_SIGN_IN_BYTES = 16 * 1024
# Of the form of a page, which is shown again with its errors, escaped.
SPMS_MAX_FORM_BYTES = 150_000

# Whether a separate ASGI server sends a task's events (docs/events.md), and how many streams it keeps open.
SPMS_EVENTS = environment.flag("SPMS_EVENTS", default=False)
SPMS_EVENT_STREAMS = environment.positive("SPMS_EVENT_STREAMS", 1000)

# The engine of the queue.
SPMS_QUEUE_BACKEND = environment.choice("SPMS_QUEUE_BACKEND", "django-q", ("django-q", "celery"))
# Tasks that one cluster runs at once; more than cores would slow each other down.
SPMS_QUEUE_WORKERS = environment.positive("SPMS_QUEUE_WORKERS", environment.usable_cores())
# How many tasks may wait, in total and per user, before the next is refused (503, 429).
SPMS_QUEUE_LIMIT = environment.positive("SPMS_QUEUE_LIMIT", 1000)
SPMS_QUEUE_LIMIT_PER_USER = environment.positive("SPMS_QUEUE_LIMIT_PER_USER", 250)
# How long a changed document is left alone before its PDF is made ahead of a request; None makes none ahead.
SPMS_PRERENDER_AFTER = environment.duration_seconds_or_off("SPMS_PRERENDER_AFTER", "10s")
# How many PDFs are made ahead in 24 hours, and how busy the cores may be, in percent, when one is begun.
SPMS_PRERENDER_MAX_PER_DAY = environment.positive("SPMS_PRERENDER_MAX_PER_DAY", 500)
SPMS_PRERENDER_MAX_LOAD = environment.percent("SPMS_PRERENDER_MAX_LOAD", 50)
# How often a transient fault (a killed process, a locked database) is retried: after 60, 120, 240 s.
SPMS_MAX_RETRIES = environment.positive("SPMS_MAX_RETRIES", 3)
SPMS_RETRY_BACKOFF = environment.duration_seconds("SPMS_RETRY_BACKOFF", "60s")
# How long finished tasks and their PDFs are kept; a document's newest PDF is not deleted.
SPMS_TASK_RETENTION = environment.duration_seconds("SPMS_TASK_RETENTION", "90d")
# How long running tasks may take to finish when the cluster is stopped; Docker kills after 10 s.
SPMS_SHUTDOWN_GRACE = environment.duration_seconds("SPMS_SHUTDOWN_GRACE", "8s")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "rest_framework",
    "rest_framework.authtoken",
    "spms",
    "metrics",
    "documents",  # before django_q: its qcluster command replaces Django-Q2's
    "django_q",
]

MIDDLEWARE = [
    "metrics.middleware.MetricsMiddleware",  # first: it times all others
    "spms.middleware.AdmissionMiddleware",
    "spms.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "spms.middleware.BodySizeLimitMiddleware",
    "spms.middleware.NoStoreMiddleware",
    "spms.repeated_statuses.RepeatedStatusMiddleware",  # before those that read the session
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "spms.middleware.StaffOnlyMiddleware",
    "spms.middleware.NullCharacterMiddleware",
    "spms.middleware.AdminLookupMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

# Pages load scripts, styles and images from this site only; inline ones are blocked.
SECURE_CSP: dict[str, list[str]] = {
    "default-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "frame-ancestors": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "object-src": [CSP.NONE],
}

ROOT_URLCONF = "spms.urls"
WSGI_APPLICATION = "spms.wsgi.application"
CSRF_FAILURE_VIEW = "spms.problems.csrf_failure"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "spms" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "spms.context_processors.site",
            ],
        },
    },
]

DATABASES = {"default": environment.database(SPMS_DATA_DIR)}
# Behind a pooler that shares connections between transactions (PgBouncer), NOTIFY reaches only a direct connection.
SPMS_LISTEN_DATABASE_URL = env.str("SPMS_LISTEN_DATABASE_URL", default="")
if SPMS_LISTEN_DATABASE_URL:
    DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True
SPMS_LISTEN_DATABASE = environment.listen_database()

# In each web process, for the counters of the API throttle. A full cache drops a third of its entries, and each person
# has one: with the default of 300 entries, counters of active people would be lost.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    }
}

TASKS = {
    "default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"},
    "queue": {
        "BACKEND": {
            "django-q": "spms.task_backends.django_q.DjangoQBackend",
            "celery": "spms.task_backends.celery.CeleryBackend",
        }[SPMS_QUEUE_BACKEND]
    },
}

# The task row holds attempts and leases; Django-Q2 only carries hints that a task may be run.
Q_CLUSTER: dict[str, Any] = {
    "name": "spms",
    "orm": "default",
    "broker_class": "spms.task_backends.broker.NotifyingOrmBroker",
    "workers": SPMS_QUEUE_WORKERS,
    # The backstop for a worker that hangs: renders end by themselves at SPMS_RENDER_TIMEOUT.
    "timeout": int(SPMS_RENDER_TIMEOUT) + 30,
    # When an unacknowledged entry is delivered again; below timeout it would run twice.
    "retry": 3 * int(SPMS_RENDER_TIMEOUT) + 120,
    # One delivery is enough: the supervisor enqueues lost tasks again.
    "max_attempts": 1,
    "ack_failures": True,
    # A worker takes one entry at a time, so that none waits behind a long render while another is free.
    "queue_limit": 1,
    "bulk": 1,
    # A worker process is replaced after this many tasks, so that no leak can grow.
    "recycle": 500,
    # Results live in the task rows. Keeping Django-Q2's as well slows the monitor until entries run twice.
    "save_limit": -1,
    # The supervisor begins scheduled tasks, with every backend.
    "scheduler": False,
    "log_level": "WARNING",
    "label": "Queue",
}

# Celery, if SPMS_QUEUE_BACKEND is celery. A message carries only an id; results live in the task rows.
# rediss:// and amqps:// always verify the broker's certificate: with the system's CAs, or that of SPMS_CELERY_CA.
CELERY_BROKER_URL, CELERY_BROKER_USE_SSL = connections.broker(
    env.str("SPMS_CELERY_BROKER", default="redis://127.0.0.1:6379/0"), env.str("SPMS_CELERY_CA", default="")
)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "spms"
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
# A worker takes one message at a time, and gives it back when it dies: the lease decides who may run it again.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_CONCURRENCY = SPMS_QUEUE_WORKERS
CELERY_WORKER_MAX_TASKS_PER_CHILD = Q_CLUSTER["recycle"]
CELERY_TASK_TIME_LIMIT = Q_CLUSTER["timeout"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CONNECTION_TIMEOUT = 1
# A connection that is silent for this long is considered dead; only RabbitMQ uses it.
CELERY_BROKER_HEARTBEAT = 20
# RabbitMQ orders by priority only if the queue was declared with it.
CELERY_TASK_QUEUE_MAX_PRIORITY = 9
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
# Requests do not wait long for an unreachable broker: the row is stored, and the message is sent again later.
# Redis redelivers unacknowledged messages after the visibility timeout, which exceeds the time of any task.
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {
        "visibility_timeout": Q_CLUSTER["retry"],
        "socket_connect_timeout": 1,
        "socket_timeout": 5,
        "socket_keepalive": True,
        "priority_steps": [0, 3, 6, 9],
    }
    if CELERY_BROKER_URL.startswith("redis")
    # Without read_timeout a request would wait for ever for a RabbitMQ that does not respond.
    else {"confirm_publish": True, "read_timeout": 2, "write_timeout": 2}
)

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "CommonPasswordValidator")
] + [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    }
]

# Mail goes to the console unless a server is set: smtp+tls://user:password@host:587
connections.require_readable("EMAIL_URL", env.str("EMAIL_URL", default="consolemail://"))
_mail: dict[str, Any] = env.email("EMAIL_URL", default="consolemail://")
SPMS_SENDS_MAIL = bool(env.str("EMAIL_URL", default=""))
# How long a mailed link for a new password works.
PASSWORD_RESET_TIMEOUT = 3600
MAILERS = {"default": {"BACKEND": _mail["EMAIL_BACKEND"], "OPTIONS": environment.mail_options(_mail)}}
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="spms@localhost")
# Letters of a new cycle sent per minute; 0 for no limit.
SPMS_MAILS_PER_MINUTE = environment.whole("SPMS_MAILS_PER_MINUTE", default=120)

# The public URL of the site, for links in notifications.
SPMS_URL = env.str("SPMS_URL", default="http://127.0.0.1:8000").rstrip("/")
# Hosts that webhooks may be sent to, none by default, and the key that signs them.
SPMS_WEBHOOK_HOSTS: list[str] = env.list("SPMS_WEBHOOK_HOSTS", default=[])
SPMS_WEBHOOK_SECRET = env.str("SPMS_WEBHOOK_SECRET", default="")
SPMS_WEBHOOK_ALLOW_PRIVATE = environment.flag("SPMS_WEBHOOK_ALLOW_PRIVATE", default=False)
if SPMS_WEBHOOK_HOSTS and not re.fullmatch(r"whsec_[A-Za-z0-9+/]{32,}=*", SPMS_WEBHOOK_SECRET):
    raise ImproperlyConfigured(
        "SPMS_WEBHOOK_SECRET: SPMS_WEBHOOK_HOSTS needs it; expected whsec_ and at least 24 bytes in base64"
    )

# Recipients of alerts about mode changes and failed tasks, by mail and by webhook; none by default.
SPMS_ALERT_MAIL: list[str] = env.list("SPMS_ALERT_MAIL", default=[])
SPMS_ALERT_WEBHOOK = env.str("SPMS_ALERT_WEBHOOK", default="")

LANGUAGE_CODE = "en-au"
TIME_ZONE = env.str("TIME_ZONE", default="Australia/Perth")
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "spms" / "static"]
STATIC_ROOT = SPMS_DATA_DIR / "static"
SPMS_FILE_STORAGE = env.str("SPMS_FILE_STORAGE", default="local")
# Images ("default") and results: in the data folder, or in a bucket (SPMS_FILE_STORAGE).
STORAGES = {
    **environment.files(SPMS_DATA_DIR),
    # No secrets: an image of a container, or a web server, serves them for another user.
    "staticfiles": {
        "BACKEND": "spms.staticfiles.OwnFilesCompressed",
        "OPTIONS": {"file_permissions_mode": 0o644, "directory_permissions_mode": 0o755},
    },
}
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o600, 0o700
# Large uploads are received on the disk of everything else, so only one disk can be full.
FILE_UPLOAD_TEMP_DIR = SPMS_DATA_DIR
DATA_UPLOAD_MAX_MEMORY_SIZE = SPMS_MAX_BODY_BYTES

REST_FRAMEWORK = api_settings.rest_framework(SPMS_API_THROTTLE_RATE, SPMS_EXPENSIVE_THROTTLE_RATE)
SPECTACULAR_SETTINGS = api_settings.SPECTACULAR

# Lines for people, or JSON for machines with the ids of request and task and an entry for each request.
SPMS_LOGS = environment.choice("SPMS_LOGS", "json" if SPMS_HTTPS else "lines", ("lines", "json"))
LOGGING = logs.config(SPMS_LOGS, TIME_ZONE)

# Send errors to Sentry and traces to an OpenTelemetry collector if set (requirements/observe.txt).
SENTRY_DSN = env.str("SENTRY_DSN", default="")
OTEL_EXPORTER_OTLP_ENDPOINT = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default="")
