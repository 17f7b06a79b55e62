"""The WSGI entry, for gunicorn."""

import os
from pathlib import Path

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from documents.infrastructure import data_dir_lock

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spms.settings")
data_dir_lock.hold_shared_lock(Path(settings.SPMS_DATA_DIR))  # a restore can tell that the web runs
application = get_wsgi_application()
