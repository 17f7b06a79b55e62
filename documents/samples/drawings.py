"""The pictures of the sample data, by the name that a text uses: painted when they are asked for."""

from collections.abc import Callable
from io import BytesIO
from random import Random

from PIL import Image

from documents.samples import aerials, charts, landscapes, waters
from documents.samples.figures import CHARTS

PAINTERS: dict[str, Callable[[Random], Image.Image]] = {
    "amphipod": waters.amphipod,
    "burn": landscapes.burn,
    "canopy": aerials.canopy,
    "dunes": landscapes.dunes,
    "dusk": waters.dusk,
    "forest": landscapes.forest,
    "heath": landscapes.heath,
    "herbarium": aerials.herbarium,
    "mosaic": aerials.mosaic,
    "night": landscapes.night,
    "salt-lake": aerials.salt_lake,
    "seagrass": waters.seagrass,
    "spinifex": landscapes.spinifex,
    "turtle-beach": waters.turtle_beach,
}
# "seagrass--2" is another picture of the same kind, painted from another seed.
SEED_SEPARATOR = "--"


def paint(name: str) -> Image.Image:
    """Return a picture: a chart, or a scene such as ``seagrass`` or (from another seed) ``seagrass--2``."""
    if name in CHARTS:
        return charts.draw(CHARTS[name])
    # No secret depends on it: the same name shall always give the same picture.
    return PAINTERS[name.partition(SEED_SEPARATOR)[0]](Random(name))  # noqa: S311


def png(name: str) -> bytes:
    """Return a picture as a PNG file."""
    buffer = BytesIO()
    # It is read back at once: fast matters more than small.
    paint(name).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
