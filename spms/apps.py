"""Django's entry for the site."""

from django.apps import AppConfig


class SpmsConfig(AppConfig):
    """The site: what all its apps share."""

    name = "spms"

    def ready(self) -> None:
        """Begin to report where an address is set for it, and let the schema know our serializers."""
        from spms import telemetry

        telemetry.start()
