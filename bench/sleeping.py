"""Settings of clusters that render nothing: their tasks sleep, so that many clusters fit on a small machine."""

from spms.settings import *  # noqa: F403

INSTALLED_APPS += ["bench.sleeper.Sleeper"]  # noqa: F405
