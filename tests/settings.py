"""The settings of the tests: the real ones in a data folder of this process's own."""

import atexit
import os
import shutil
import tempfile

_folder = tempfile.mkdtemp(prefix="spms-tests-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ["SPMS_DATA_DIR"] = _folder
os.environ["SPMS_MODE"] = "inline"
os.environ["SPMS_EXPENSIVE_THROTTLE_RATE"] = "off"  # all tests share their people
for _name in (
    "DATABASE_URL",
    "SECRET_KEY",
    "DEBUG",
    "ALLOWED_HOSTS",
    "SPMS_RENDER_MEMORY_LIMIT",
    "PROMETHEUS_URL",
    "SPMS_FILE_STORAGE",
):
    os.environ.pop(_name, None)

from spms.settings import *  # noqa: E402, F403
from spms.settings import DATABASES, STATIC_ROOT, STORAGES  # noqa: E402

# A file as in real life: threads of one process cannot share a database in memory as they do on a disk.
DATABASES["default"]["TEST"] = {"NAME": f"{_folder}/test.sqlite3"}
SPMS_SENDS_MAIL = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
os.umask(0o022)  # as where it is started for real: it is the product that closes its files
STATIC_ROOT.mkdir()  # WhiteNoise looks for it
