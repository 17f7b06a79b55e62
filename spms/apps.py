"""The app of the site."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import pre_save


class SpmsConfig(AppConfig):
    """The parts that all apps of the site share."""

    name = "spms"

    def ready(self) -> None:
        """Connect what is done for each sign-in, password and connection, and start telemetry if configured."""
        from axes.models import AccessAttempt
        from django.contrib import admin
        from django.contrib.auth.models import User
        from django.contrib.auth.signals import user_logged_in, user_logged_out
        from django.core import checks

        from spms import credentials, dead_clients, pooling, sign_in, telemetry

        user_logged_in.connect(sign_in.record)
        user_logged_out.connect(sign_in.forget)
        pre_save.connect(sign_in.forget_request, sender=AccessAttempt)
        pre_save.connect(credentials.end_credentials, sender=User)
        admin.site.login_form = sign_in.AdminSignInForm
        checks.register(pooling.check_pooler, checks.Tags.database)
        connection_created.connect(dead_clients.watch_client)
        telemetry.start()
