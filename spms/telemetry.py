"""Send errors to Sentry and traces to OpenTelemetry, if their addresses are set."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def start() -> None:
    """Start what has an address; raises ImproperlyConfigured if its packages are not installed."""
    try:
        if settings.SENTRY_DSN:
            _start_sentry()
        if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
            _start_traces()
    except ImportError as error:
        raise ImproperlyConfigured(
            f"SENTRY_DSN or OTEL_EXPORTER_OTLP_ENDPOINT is set, but {error.name} is not installed:"
            " pip install -r requirements/observe.txt"
        ) from error


def _start_sentry() -> None:
    """Send logged errors, without names, cookies or texts of users."""
    import sentry_sdk

    sentry_sdk.init(settings.SENTRY_DSN, send_default_pii=False, max_request_body_size="never")


def _start_traces() -> None:
    """Send a span for each request; the exporter reads the standard ``OTEL_…`` variables itself."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "spms"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument()
