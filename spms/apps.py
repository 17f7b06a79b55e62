"""The app of the site."""

from django.apps import AppConfig


class SpmsConfig(AppConfig):
    """The parts that all apps of the site share."""

    name = "spms"

    def ready(self) -> None:
        """Start telemetry if it is configured."""
        from spms import telemetry

        telemetry.start()
