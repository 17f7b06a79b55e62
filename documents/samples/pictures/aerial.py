"""The land from above, and a pressed plant, each painted by one function from a seeded random."""

import math
from random import Random

from PIL import Image, ImageChops, ImageDraw

from documents.samples.pictures.brushes import (
    HEIGHT,
    SIZE,
    WIDTH,
    Colour,
    blurred,
    coloured,
    curve,
    finish,
    lit,
    mix,
    noise,
    relief,
    tint,
    wave,
)


def salt_lake(random: Random) -> Image.Image:
    """Paint a chain of salt lakes from the air: pink brine, white rims, samphire and dunes."""
    height = noise(random, SIZE, (4, 3), 7, 0.5)
    canvas = coloured(
        height,
        (0, (196, 104, 110)),
        (0.2, (222, 150, 146)),
        (0.34, (240, 206, 194)),
        (0.4, (250, 246, 238)),
        (0.43, (226, 214, 190)),
        (0.46, (150, 104, 84)),
        (0.5, (176, 140, 98)),
        (0.58, (122, 118, 80)),
        (0.75, (150, 128, 88)),
        (1, (188, 150, 108)),
    )
    shore = curve(height, 104, 118)
    land = lit(canvas, relief(noise(random, SIZE, (24, 15), 6, 0.7), 0.5))
    tint(canvas, land, shore)
    brine = relief(noise(random, SIZE, (30, 10), 5, 0.6), 0.25)
    tint(canvas, lit(canvas, brine), ImageChops.invert(shore))
    _bushes(random, canvas, shore, 2600)
    _tracks(random, canvas)
    return finish(random, canvas, vignette=0.3)


def _bushes(random: Random, canvas: Image.Image, where: Image.Image, count: int) -> None:
    draw = ImageDraw.Draw(canvas)
    allowed = where.load()
    for _ in range(count):
        x, y = random.randrange(WIDTH), random.randrange(HEIGHT)
        if allowed is None or allowed[x, y] != 255:
            continue
        size = random.uniform(1, 4.5)
        green = mix((58, 66, 44), (110, 112, 70), random.random())
        draw.ellipse((x - size + 2, y - size + 2, x + size + 3, y + size + 3), fill=(84, 66, 50))
        draw.ellipse((x - size, y - size, x + size, y + size), fill=green)


def _tracks(random: Random, canvas: Image.Image) -> None:
    mask = Image.new("L", SIZE)
    draw = ImageDraw.Draw(mask)
    sway = wave(random, 60, 3)
    points = [(WIDTH * t / 60, 120 + 7 * t + 46 * sway[t]) for t in range(61)]
    for shift in (-3, 3):
        draw.line([(x, y + shift) for x, y in points], fill=210, width=2)
    tint(canvas, (214, 184, 146), blurred(mask, 0.7), 0.7)


def mosaic(random: Random) -> Image.Image:
    """Paint burnt patches of several ages in spinifex country, from the air."""
    canvas = coloured(
        noise(random, SIZE, (60, 40), 5, 0.8), (0, (134, 92, 58)), (0.5, (164, 126, 76)), (1, (192, 160, 104))
    )
    ages: tuple[tuple[Colour, int], ...] = (
        ((120, 116, 66), 128),
        ((174, 92, 56), 150),
        ((92, 96, 58), 158),
        ((150, 76, 50), 176),
        ((44, 36, 34), 178),
    )
    for colour, level in ages:
        patches = noise(random, SIZE, (6, 4), 6, 0.6)
        mask = curve(patches, level, level + 10)
        grain = coloured(
            noise(random, SIZE, (90, 60), 4, 0.85),
            (0, mix(colour, (0, 0, 0), 0.25)),
            (1, mix(colour, (230, 190, 140), 0.22)),
        )
        tint(canvas, grain, mask, 0.92)
    _creek(random, canvas)
    canvas = lit(canvas, relief(noise(random, SIZE, (10, 6), 7, 0.7), 0.4))
    return finish(random, canvas, vignette=0.3)


def _creek(random: Random, canvas: Image.Image) -> None:
    bend = wave(random, 120, 5)
    points = [(WIDTH * t / 120, 660 - 3.2 * t + 70 * bend[t]) for t in range(121)]
    mask = Image.new("L", SIZE)
    draw = ImageDraw.Draw(mask)
    draw.line(points, fill=255, width=13, joint="curve")
    tint(canvas, (222, 186, 142), blurred(mask, 2))
    trees = ImageDraw.Draw(canvas)
    for x, y in points:
        for _ in range(9):
            px, py, size = random.gauss(x, 9), random.gauss(y, 13), random.uniform(2, 6)
            trees.ellipse((px - size + 3, py - size + 3, px + size + 3, py + size + 3), fill=(70, 52, 38))
            trees.ellipse(
                (px - size, py - size, px + size, py + size),
                fill=mix((52, 70, 40), (104, 118, 66), random.random()),
            )


def canopy(random: Random) -> Image.Image:
    """Paint a forest from above, with the pale front of dieback through it."""
    front = noise(random, SIZE, (3, 2), 5, 0.5)
    canvas = coloured(noise(random, SIZE, (40, 26), 5, 0.7), (0, (44, 38, 28)), (1, (112, 92, 66)))
    draw, levels = ImageDraw.Draw(canvas), front.load()
    spots = sorted((random.uniform(-10, HEIGHT + 10), random.uniform(-10, WIDTH + 10)) for _ in range(4200))
    for y, x in spots:
        level = levels[min(WIDTH - 1, max(0, int(x))), min(HEIGHT - 1, max(0, int(y)))] if levels else 0
        health = min(1.0, max(0.0, (float(level if isinstance(level, int) else 0) - 122) / 30))
        if random.random() > 0.3 + 0.7 * health:
            continue
        _crown(random, draw, x, y, health)
    return finish(random, canvas, vignette=0.35)


def _crown(random: Random, draw: ImageDraw.ImageDraw, x: float, y: float, health: float) -> None:
    size = random.uniform(9, 21)
    green = mix((54, 78, 38), (104, 118, 58), random.random())
    tone = mix((158, 142, 118) if random.random() < 0.6 else (132, 96, 62), green, health)
    draw.ellipse((x - size + 7, y - size + 8, x + size + 7, y + size + 8), fill=(26, 28, 20))
    for _ in range(13 if health > 0.3 else 7):
        angle, far = random.uniform(0, math.tau), size * random.random() ** 0.5
        dx, dy, leaf = math.cos(angle) * far, math.sin(angle) * far, size * random.uniform(0.22, 0.4)
        light = max(0.0, min(1.0, 0.45 - (dx + dy) / size / 2.2))
        shade = mix(mix(tone, (16, 22, 14), 0.45), mix(tone, (232, 228, 166), 0.38), light)
        draw.ellipse((x + dx - leaf, y + dy - leaf, x + dx + leaf, y + dy + leaf), fill=shade)


def herbarium(random: Random) -> Image.Image:
    """Paint a pressed banksia on its sheet, with label and scale."""
    paper = noise(random, SIZE, (200, 120), 3, 0.9)
    canvas = coloured(paper, (0, (228, 218, 196)), (1, (246, 240, 224)))
    sheet = Image.new("L", SIZE)
    draw = ImageDraw.Draw(sheet)
    _branch(random, draw, (610.0, 860.0), -1.4, 250.0, 3)
    shadow = ImageChops.offset(blurred(sheet, 5), 5, 7)
    tint(canvas, (120, 104, 82), shadow, 0.55)
    plant = noise(random, SIZE, (120, 90), 4, 0.8)
    tint(canvas, coloured(plant, (0, (72, 74, 44)), (0.6, (118, 112, 68)), (1, (156, 140, 92))), sheet)
    _flower_spike(random, canvas, (640, 240))
    _label(random, canvas)
    return finish(random, canvas, grain=0.04, vignette=0.25)


def _branch(
    random: Random,
    draw: ImageDraw.ImageDraw,
    start: tuple[float, float],
    angle: float,
    length: float,
    order: int,
) -> None:
    end = (start[0] + math.cos(angle) * length, start[1] + math.sin(angle) * length)
    draw.line((*start, *end), fill=255, width=2 + order * 3)
    for step in range(3 if order == 3 else 7):
        part = 0.3 + step * (0.7 / (3 if order == 3 else 7))
        x, y = start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part
        for side in (-1, 1):
            _leaf(random, draw, (x, y), angle + side * random.uniform(0.6, 1.1), random.uniform(70, 122))
    if order > 1:
        for turn in (-0.7, 0.62, 0.02):
            _branch(
                random,
                draw,
                end,
                angle + turn + random.uniform(-0.1, 0.1),
                length * random.uniform(0.66, 0.84),
                order - 1,
            )


def _leaf(
    random: Random, draw: ImageDraw.ImageDraw, foot: tuple[float, float], angle: float, length: float
) -> None:
    across = angle + math.pi / 2
    bend = random.uniform(-10, 10)
    left, right = [], []
    for step in range(11):
        t = step / 10
        x = foot[0] + math.cos(angle) * length * t + math.cos(across) * bend * t * t
        y = foot[1] + math.sin(angle) * length * t + math.sin(across) * bend * t * t
        half = length * 0.07 * math.sin(math.pi * min(1.0, 0.12 + t * 0.9)) * (0.72 if step % 2 else 1.15)
        left.append((x + math.cos(across) * half, y + math.sin(across) * half))
        right.append((x - math.cos(across) * half, y - math.sin(across) * half))
    draw.polygon([*left, *reversed(right)], fill=random.randint(190, 255))


def _flower_spike(random: Random, canvas: Image.Image, centre: tuple[int, int]) -> None:
    draw = ImageDraw.Draw(canvas)
    for row in range(74):
        y = centre[1] + 150 - row * 3.4
        half = 58 * math.sin(math.pi * (0.12 + 0.8 * row / 74)) ** 0.6
        for _ in range(20):
            x = centre[0] + random.uniform(-half, half)
            light = 0.5 + (x - centre[0]) / 160 + random.uniform(-0.3, 0.3)
            colour = mix((132, 78, 34), (226, 178, 92), max(0.0, min(1.0, light)))
            draw.line(
                (x, y, x + random.uniform(-6, 6) + (x - centre[0]) * 0.2, y - random.uniform(6, 13)),
                fill=colour,
                width=2,
            )


def _label(random: Random, canvas: Image.Image) -> None:
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((1043, 663, 1383, 853), fill=(150, 138, 116))
    draw.rectangle((1038, 657, 1378, 847), fill=(250, 247, 238), outline=(120, 110, 92), width=2)
    draw.rectangle((1056, 676, 1250, 686), fill=(70, 64, 54))
    for row in range(7):
        ink = (96, 88, 120) if row in {2, 4} else (140, 132, 116)
        draw.rectangle((1056, 704 + row * 19, 1056 + random.randint(150, 300), 708 + row * 19), fill=ink)
    for step in range(10):
        draw.rectangle(
            (60 + step * 36, 838, 96 + step * 36, 850),
            fill=(40, 38, 34) if step % 2 else (246, 242, 232),
            outline=(40, 38, 34),
        )
    for step, colour in enumerate(
        ((190, 60, 50), (214, 150, 50), (80, 130, 70), (60, 100, 150), (110, 80, 130), (30, 30, 30))
    ):
        draw.rectangle((60 + step * 40, 800, 98 + step * 40, 826), fill=colour)
