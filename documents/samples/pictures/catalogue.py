"""The pictures of the sample data by the names that texts use, painted on request."""

from collections.abc import Callable
from io import BytesIO
from random import Random

from PIL import Image

from documents.samples.chart_data import CHARTS
from documents.samples.pictures import aerial, charts, forest, landscape, sea

PAINTERS: dict[str, Callable[[Random], Image.Image]] = {
    "amphipod": sea.amphipod,
    "burn": forest.burn,
    "canopy": aerial.canopy,
    "dunes": landscape.dunes,
    "dusk": sea.dusk,
    "forest": forest.forest,
    "heath": landscape.heath,
    "herbarium": aerial.herbarium,
    "mosaic": aerial.mosaic,
    "night": landscape.night,
    "salt-lake": aerial.salt_lake,
    "seagrass": sea.seagrass,
    "spinifex": landscape.spinifex,
    "turtle-beach": sea.turtle_beach,
}
# "seagrass--2" is another picture of the same kind, painted from another seed.
SEED_SEPARATOR = "--"


def paint(name: str) -> Image.Image:
    """Return a picture: a chart, or a scene such as ``seagrass`` or (from another seed) ``seagrass--2``."""
    if name in CHARTS:
        return charts.draw(CHARTS[name])
    # No secret depends on it: the same name always gives the same picture.
    return PAINTERS[name.partition(SEED_SEPARATOR)[0]](Random(name))  # noqa: S311


def upload(name: str) -> bytes:
    """Return a picture as the bytes of an image file."""
    buffer = BytesIO()
    # An upload is read back at once, so it is stored as it is; compressing it would cost more than painting.
    paint(name).save(buffer, "TIFF")
    return buffer.getvalue()
