"""Brushes: what the pictures of the sample data are painted with, from Pillow and a seeded random only."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

type Colour = tuple[int, int, int]
type Point = tuple[float, float]
type Size = tuple[int, int]

WIDTH, HEIGHT = SIZE = (1440, 900)
PRINT_SIZE = (1240, 772)


def gradient(size: Size, *stops: tuple[float, Colour]) -> Image.Image:
    """Return a picture that changes from top to bottom; a stop is a place from 0 to 1 and its colour."""
    height = size[1]
    column = Image.new("RGB", (1, height))
    for y in range(height):
        column.putpixel((0, y), colour_at(y / max(1, height - 1), stops))
    return column.resize(size, Image.Resampling.NEAREST)


def colour_at(place: float, stops: Sequence[tuple[float, Colour]]) -> Colour:
    """Return the colour between the two stops around a place."""
    for (start, first), (end, second) in pairwise(stops):
        if place <= end:
            return mix(first, second, max(0.0, (place - start) / (end - start)))
    return stops[-1][1]


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return a colour between two others; share 0 is the first."""
    (red, green, blue), (to_red, to_green, to_blue) = first, second
    return (
        round(red + (to_red - red) * share),
        round(green + (to_green - green) * share),
        round(blue + (to_blue - blue) * share),
    )


def noise(random: Random, size: Size, cells: Size, octaves: int = 5, fade: float = 0.55) -> Image.Image:
    """Return clouds in grey: random cells, and finer ones laid over them, each octave weaker by ``fade``."""
    total, weight, amplitude = Image.new("L", (1, 1), 128), 0.0, 1.0
    for octave in range(octaves):
        # Each octave is laid on at its own size: only the last step is as large as the picture.
        fine = width, height = min(cells[0] << octave, size[0]), min(cells[1] << octave, size[1])
        grid = Image.frombytes("L", fine, random.randbytes(width * height))
        weight += amplitude
        total = Image.blend(total.resize(fine, Image.Resampling.BICUBIC), grid, amplitude / weight)
        amplitude *= fade
    return ImageOps.autocontrast(total, cutoff=0.5).resize(size, Image.Resampling.BICUBIC)


def blurred(picture: Image.Image, radius: float) -> Image.Image:
    """Return the picture out of focus: as a Gaussian blur, but several times as fast."""
    if radius < 1.3:
        return picture.filter(ImageFilter.BoxBlur(1))
    step = 2 if radius < 6 else 4
    small = picture.reduce(step).filter(ImageFilter.GaussianBlur(radius / step))
    return small.resize(picture.size, Image.Resampling.BILINEAR)


def plane(texture: Image.Image, size: Size, depth: float) -> Image.Image:
    """Return a texture lying on the ground and running to a horizon at the picture's upper edge."""
    (width, height), (across, along) = size, texture.size
    slope = (depth - 1) / height
    scale = across / width
    centre = across / 2
    coefficients = (scale, centre * slope, centre - scale * width / 2, 0, 0, along - 1, 0, slope)
    return texture.transform(size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)


def curve(mask: Image.Image, low: int, high: int) -> Image.Image:
    """Return a mask that is empty below ``low``, full above ``high`` and even between."""
    span = max(1, high - low)
    return mask.point([min(255, max(0, (grey - low) * 255 // span)) for grey in range(256)])


def faded(mask: Image.Image, share: float) -> Image.Image:
    """Return a mask that lets only a share through."""
    return mask.point([round(grey * share) for grey in range(256)])


def wave(random: Random, steps: int, bumps: int, octaves: int = 4, fade: float = 0.5) -> list[float]:
    """Return a wandering line of ``steps`` + 1 values between about -1 and 1."""
    total = [0.0] * (steps + 1)
    for octave in range(octaves):
        count = bumps << octave
        knots = [random.uniform(-1, 1) for _ in range(count + 2)]
        for step in range(steps + 1):
            index, part = divmod(step * count / steps, 1)
            ease = (1 - math.cos(part * math.pi)) / 2
            total[step] += (knots[int(index)] * (1 - ease) + knots[int(index) + 1] * ease) * fade**octave
    return total


def ridge(random: Random, base: float, swing: float, bumps: int, octaves: int = 4) -> Image.Image:
    """Return the mask of the ground below a skyline around the height ``base``."""
    steps = WIDTH // 4
    line = wave(random, steps, bumps, octaves)
    mask = Image.new("L", SIZE)
    points = [(WIDTH * step / steps, base + swing * value) for step, value in enumerate(line)]
    ImageDraw.Draw(mask).polygon([(0, HEIGHT), *points, (WIDTH, HEIGHT)], fill=255)
    return mask


def glow(size: Size, centre: Point, radius: Point, power: float = 2.0) -> Image.Image:
    """Return a mask of light that fades around a centre."""
    width, height = (max(2, round(2 * r)) for r in radius)
    levels = [round(255 * max(0.0, 1 - grey / 181) ** power) for grey in range(256)]
    spot = Image.radial_gradient("L").point(levels).resize((width, height), Image.Resampling.BICUBIC)
    mask = Image.new("L", size)
    mask.paste(spot, (round(centre[0] - radius[0]), round(centre[1] - radius[1])))
    return mask


def tint(canvas: Image.Image, colour: Colour | Image.Image, mask: Image.Image, share: float = 1.0) -> None:
    """Lay a colour, or another picture, over the canvas where the mask is."""
    if (box := mask.getbbox()) is None:
        return
    weights = mask.crop(box) if share >= 1 else faded(mask.crop(box), share)
    canvas.paste(colour.crop(box) if isinstance(colour, Image.Image) else colour, box, weights)


def relief(heights: Image.Image, strength: float = 1.0) -> Image.Image:
    """Return light and shadow of a height field lit from the left, around a middle grey."""
    shifted = ImageChops.offset(heights, 3, 2)
    light = ImageChops.subtract(heights, shifted, 1 / strength, 128)
    return blurred(light, 0.7)


def lit(picture: Image.Image, shading: Image.Image) -> Image.Image:
    """Return the picture with light and shadow laid over it; middle grey changes nothing."""
    return ImageChops.hard_light(picture, Image.merge("RGB", (shading,) * 3))


def coloured(grey: Image.Image, *stops: tuple[float, Colour]) -> Image.Image:
    """Return a grey picture in the colours of a scale."""
    scale = [colour_at(value / 255, stops) for value in range(256)]
    table = [colour[channel] for channel in range(3) for colour in scale]
    return Image.merge("RGB", (grey,) * 3).point(table)


def sky(random: Random, *stops: tuple[float, Colour], cloud: Colour, cover: int, height: int) -> Image.Image:
    """Return a sky down to a horizon; ``cover`` is the level (0 to 255) above which clouds begin."""
    picture = gradient((WIDTH, height), *stops)
    texture = noise(random, (900, 700), (5, 9), 6, 0.6)
    clouds = plane(texture, (WIDTH, height), 4.0).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    tint(picture, cloud, curve(clouds, cover, min(255, cover + 110)), 0.8)
    canvas = Image.new("RGB", SIZE, stops[-1][1])
    canvas.paste(picture, (0, 0))
    return canvas


def scatter(random: Random, count: int, horizon: float, paint: Callable[[float, float, float], None]) -> None:
    """Call ``paint(x, y, nearness)`` for things that stand on a plain, the far ones first."""
    for nearness in sorted(random.random() ** 1.6 for _ in range(count)):
        y = horizon + (HEIGHT * 1.04 - horizon) * nearness
        paint(random.uniform(-60, WIDTH + 60), y, nearness)


def finish(random: Random, picture: Image.Image, grain: float = 0.06, vignette: float = 0.35) -> Image.Image:
    """Return the picture as a lens and a sensor would have it: soft, grainy, darker at the corners."""
    # What relief() shifts over an edge comes in at the other one: cut those pixels off.
    soft = blurred(picture.crop((4, 4, picture.width - 4, picture.height - 4)), 0.7)
    size = (soft.width // 2, soft.height // 2)
    speckle = Image.frombytes("L", size, random.randbytes(size[0] * size[1]))
    speckle = speckle.resize(soft.size, Image.Resampling.BILINEAR)
    speckle = speckle.point([round(128 + (grey - 128) * grain) for grey in range(256)])
    edge = Image.radial_gradient("L").resize(soft.size, Image.Resampling.BILINEAR)
    edge = edge.point(
        [round(255 - 255 * vignette * max(0.0, grey / 255 - 0.35) ** 1.5) for grey in range(256)]
    )
    developed = ImageChops.multiply(lit(soft, speckle), Image.merge("RGB", (edge,) * 3))
    # No larger than what is kept of an upload.
    return developed.resize(PRINT_SIZE, Image.Resampling.BICUBIC)
