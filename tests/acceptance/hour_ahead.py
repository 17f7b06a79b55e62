"""Settings of a host whose clock is an hour ahead."""

import time
from datetime import timedelta

from django.utils import timezone

from spms.settings import *  # noqa: F403

AHEAD = timedelta(hours=1)
right_now, right_time = timezone.now, time.time
timezone.now = lambda: right_now() + AHEAD
time.time = lambda: right_time() + AHEAD.total_seconds()
