"""Landscapes seen from the ground, each painted by one function from a seeded random."""

import math
from random import Random

from PIL import Image, ImageDraw, ImageFilter

from documents.samples.pictures.brushes import (
    HEIGHT,
    SIZE,
    WIDTH,
    Colour,
    blurred,
    coloured,
    curve,
    finish,
    glow,
    gradient,
    lit,
    mix,
    noise,
    plane,
    relief,
    ridge,
    scatter,
    sky,
    tint,
    wave,
)

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)


def _ground(random: Random, horizon: int, *stops: tuple[float, Colour], strength: float = 1.4) -> Image.Image:
    """Return bare ground from the horizon to the lower edge, lit from the side."""
    texture = noise(random, (1000, 1000), (7, 16), 7, 0.66)
    size = (WIDTH, HEIGHT - horizon)
    ground = coloured(plane(texture, size, 9.0), *stops)
    return lit(ground, plane(relief(texture, strength), size, 9.0))


def _haze(canvas: Image.Image, horizon: int, colour: Colour, depth: int, share: float) -> None:
    """Lay distance over both sides of the horizon."""
    column = Image.new("L", (1, HEIGHT))
    for y in range(HEIGHT):
        column.putpixel((0, y), round(255 * max(0.0, 1 - abs(y - horizon) / depth) ** 2))
    tint(canvas, colour, column.resize(SIZE), share)


def dunes(random: Random) -> Image.Image:
    """Paint white dunes in late light, one crest behind the other."""
    canvas = sky(
        random,
        (0, (74, 120, 170)),
        (0.7, (173, 199, 214)),
        (1, (240, 222, 196)),
        cloud=(255, 246, 232),
        cover=150,
        height=430,
    )
    _haze(canvas, 430, (250, 230, 204), 160, 0.7)
    tint(canvas, (126, 138, 134), ridge(random, 402, 14, 7), 0.85)
    for index, base in enumerate((440, 500, 590, 720)):
        _dune(random, canvas, base, index)
    return finish(random, canvas, vignette=0.4)


def _dune(random: Random, canvas: Image.Image, base: int, index: int) -> None:
    near, steps = index / 3, WIDTH // 4
    line = [base + (22 + 62 * near) * height for height in wave(random, steps, 4 - index // 2, 2, 0.3)]
    slopes = [max(0.0, line[min(steps, step + 6)] - line[max(0, step - 6)]) for step in range(steps + 1)]
    lean = [y + (8 - 4 * near) * slope for y, slope in zip(line, slopes, strict=True)]
    top = min(line) / HEIGHT
    sand = gradient(
        SIZE,
        (top, mix((238, 222, 198), (250, 236, 210), near)),
        (min(0.99, top + 0.3), (214, 186, 154)),
        (1, (170, 138, 108)),
    )
    ripples = relief(noise(random, SIZE, (14, 40), 4, 0.6), 0.12 + 0.3 * near)
    tint(
        canvas,
        lit(sand, ripples),
        blurred(_below(line, [float(HEIGHT)] * (steps + 1)), 0.8),
    )
    shadow = blurred(_below(line, lean), 1 + 2 * near)
    tint(canvas, mix((176, 162, 158), (134, 112, 104), near), shadow, 0.85)


def _below(upper: list[float], lower: list[float]) -> Image.Image:
    """Return the mask between two lines over the whole width."""
    mask, stride = Image.new("L", SIZE), WIDTH / (len(upper) - 1)
    outline = [(step * stride, y) for step, y in enumerate(upper)]
    ImageDraw.Draw(mask).polygon(
        [*outline, *((step * stride, y) for step, y in reversed(list(enumerate(lower))))], fill=255
    )
    return mask


def heath(random: Random) -> Image.Image:
    """Paint low coastal heath in flower, with a granite range behind it."""
    horizon = 330
    canvas = sky(
        random, (0, (88, 132, 184)), (1, (214, 224, 226)), cloud=(250, 250, 250), cover=112, height=horizon
    )
    for step, colour in enumerate(((138, 158, 176), (112, 134, 146), (92, 112, 112))):
        tint(canvas, colour, ridge(random, 250 + 32 * step, 34 - 8 * step, 4 + step))
    canvas.paste(
        _ground(random, horizon, (0, (60, 68, 44)), (0.5, (112, 114, 72)), (1, (176, 166, 112))), (0, horizon)
    )
    _shrubs(random, canvas, horizon)
    _haze(canvas, horizon, (206, 214, 206), 90, 0.6)
    return finish(random, canvas)


def _shrubs(random: Random, canvas: Image.Image, horizon: int) -> None:
    draw = ImageDraw.Draw(canvas)
    greens: tuple[Colour, ...] = ((66, 80, 50), (88, 98, 58), (104, 108, 70), (54, 70, 52), (122, 116, 74))
    flowers: tuple[Colour, ...] = ((222, 186, 66), (214, 120, 66), (232, 222, 202), (176, 92, 120))

    def shrub(x: float, y: float, near: float) -> None:
        size = 5 + 62 * near
        green = random.choice(greens)
        flower = random.choice(flowers) if random.random() < 0.3 else None
        draw.ellipse((x - size, y - size * 0.16, x + size, y + size * 0.22), fill=mix(green, BLACK, 0.55))
        for _ in range(round(20 + 60 * near)):
            angle, far = random.uniform(0, math.pi), random.random() ** 0.6
            dx, dy = math.cos(angle) * size * far, -math.sin(angle) * size * 0.72 * far
            leaf = 1 + size * random.uniform(0.03, 0.1)
            light = (-dy / size) * 0.5 - dx / size * 0.18
            colour = mix(green, (238, 232, 176), max(0.0, light)) if light > 0 else mix(green, BLACK, 0.25)
            if flower and random.random() < 0.16:
                colour, leaf = flower, leaf * 0.8
            draw.ellipse(
                (x + dx - leaf, y + dy - leaf * 0.8, x + dx + leaf, y + dy + leaf * 0.8), fill=colour
            )

    scatter(random, 520, horizon, shrub)


def spinifex(random: Random) -> Image.Image:
    """Paint red sand with rounded spinifex and a far range."""
    horizon = 350
    canvas = sky(
        random, (0, (58, 112, 180)), (1, (206, 220, 226)), cloud=(255, 252, 246), cover=158, height=horizon
    )
    tint(canvas, (150, 118, 124), ridge(random, 312, 16, 5))
    tint(canvas, (148, 92, 76), ridge(random, 336, 10, 6))
    ground = _ground(random, horizon, (0, (138, 62, 34)), (0.5, (184, 92, 54)), (1, (216, 132, 86)))
    canvas.paste(ground, (0, horizon))
    _hummocks(random, canvas, horizon)
    _haze(canvas, horizon, (222, 190, 168), 110, 0.55)
    return finish(random, canvas)


def _hummocks(random: Random, canvas: Image.Image, horizon: int) -> None:
    draw = ImageDraw.Draw(canvas)

    def hummock(x: float, y: float, near: float) -> None:
        size = 4 + 78 * near
        green = random.choice(((150, 142, 84), (170, 156, 96), (128, 128, 80), (186, 164, 100)))
        draw.ellipse((x - size * 0.9, y - size * 0.14, x + size * 1.5, y + size * 0.2), fill=(104, 48, 32))
        for _ in range(round(40 + 210 * near)):
            angle = random.uniform(0.05, math.pi - 0.05)
            length = size * random.uniform(0.7, 1.05)
            dx, dy = math.cos(angle) * length, -math.sin(angle) * length * 0.62
            start = x + dx * random.uniform(0.0, 0.5)
            light = 0.3 - math.cos(angle) * 0.3 + random.uniform(-0.25, 0.2)
            colour = mix(mix(green, (62, 54, 36), 0.5), (240, 222, 158), max(0.0, min(0.8, light)))
            draw.line((start, y + dy * 0.2, x + dx, y + dy), fill=colour, width=1 + round(1.6 * near))

    scatter(random, 270, horizon, hummock)


def night(random: Random) -> Image.Image:
    """Paint the Milky Way above a survey line with one torch."""
    canvas = gradient(
        SIZE,
        (0, (6, 10, 26)),
        (0.6, (20, 32, 62)),
        (0.82, (74, 70, 88)),
        (0.86, (128, 100, 90)),
        (1, (10, 10, 14)),
    )
    _milky_way(random, canvas)
    _stars(random, canvas)
    tint(canvas, (18, 18, 28), ridge(random, 752, 22, 6))
    tint(canvas, (9, 9, 14), ridge(random, 800, 12, 12, 6))
    _transect(random, canvas)
    return finish(random, canvas, grain=0.1, vignette=0.5)


def _milky_way(random: Random, canvas: Image.Image) -> None:
    band = Image.new("L", SIZE)
    ImageDraw.Draw(band).line((160, 860, 1240, -60), fill=255, width=250)
    band = blurred(band.filter(ImageFilter.BoxBlur(60)), 40)
    cloud = noise(random, SIZE, (8, 5), 6, 0.65)
    light = Image.composite(cloud, Image.new("L", SIZE), band)
    tint(canvas, (190, 186, 214), curve(light, 40, 235), 0.62)
    tint(canvas, (252, 226, 200), curve(light, 130, 250), 0.4)
    lanes = Image.composite(noise(random, SIZE, (10, 6), 5, 0.6), Image.new("L", SIZE), curve(band, 140, 250))
    tint(canvas, (22, 22, 40), curve(lanes, 130, 210), 0.6)


def _stars(random: Random, canvas: Image.Image) -> None:
    draw = ImageDraw.Draw(canvas)
    for _ in range(2600):
        x, y = random.uniform(0, WIDTH), random.uniform(0, 760)
        light = random.random() ** 5
        tone = mix(
            (120, 130, 160),
            random.choice(((255, 255, 255), (255, 226, 190), (200, 220, 255))),
            0.3 + 0.7 * light,
        )
        size = 0.5 + 1.9 * light
        draw.ellipse((x - size / 2, y - size / 2, x + size / 2, y + size / 2), fill=tone)


def _transect(random: Random, canvas: Image.Image) -> None:
    tint(canvas, (255, 214, 140), glow(SIZE, (1010, 806), (330, 90)), 0.75)
    tint(canvas, (255, 246, 220), glow(SIZE, (1012, 776), (60, 60), 3.0))
    draw = ImageDraw.Draw(canvas)
    for step in range(9):
        near = (step / 8) ** 2
        x, y = 900 - 760 * near, 806 + 84 * near
        draw.line(
            (x, y, x, y - 10 - 66 * near),
            fill=mix((120, 100, 70), (206, 190, 160), near),
            width=2 + round(4 * near),
        )
        draw.line(
            (x, y - 10 - 66 * near, x, y - 7 - 48 * near), fill=(214, 70, 52), width=2 + round(4 * near)
        )
    draw.ellipse((1004, 766, 1018, 780), fill=(24, 20, 18))
    draw.polygon([(1000, 812), (1003, 780), (1018, 780), (1022, 812)], fill=(24, 20, 18))
    draw.ellipse((1006, 771, 1012, 777), fill=WHITE)
