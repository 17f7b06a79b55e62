"""The sea, its shores and its meadows, each painted by one function from a seeded random."""

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
    faded,
    finish,
    glow,
    gradient,
    lit,
    mix,
    noise,
    plane,
    relief,
    ridge,
    sky,
    tint,
    wave,
)


def dusk(random: Random) -> Image.Image:
    """Paint a calm sea with the sun low above it and its glitter."""
    horizon, sun = 420, random.randint(420, 1040)
    canvas = sky(
        random,
        (0, (52, 74, 118)),
        (0.5, (168, 128, 136)),
        (0.85, (246, 172, 112)),
        (1, (255, 208, 140)),
        cloud=(255, 190, 150),
        cover=126,
        height=horizon,
    )
    tint(canvas, (255, 222, 160), glow(SIZE, (sun, 372), (640, 330), 2.4), 0.95)
    ImageDraw.Draw(canvas).ellipse((sun - 34, 338, sun + 34, 406), fill=(255, 248, 222))
    canvas.paste(_sea(random, (WIDTH, HEIGHT - horizon)), (0, horizon))
    _glitter(random, canvas, horizon, sun)
    tint(canvas, (86, 66, 86), _headland(random, horizon), 0.92)
    return finish(random, canvas, vignette=0.5)


def _sea(random: Random, size: tuple[int, int]) -> Image.Image:
    waves = noise(random, (1400, 1400), (40, 90), 5, 0.62)
    water = gradient(
        size, (0, (222, 160, 126)), (0.12, (150, 120, 132)), (0.5, (70, 82, 112)), (1, (28, 40, 66))
    )
    return lit(water, plane(relief(waves, 1.3), size, 11.0))


def _glitter(random: Random, canvas: Image.Image, horizon: int, centre: int) -> None:
    size = (WIDTH, HEIGHT - horizon)
    sparks = curve(plane(noise(random, (1400, 1600), (90, 260), 4, 0.7), size, 12.0), 148, 190)
    column = Image.new("L", size)
    draw = ImageDraw.Draw(column)
    draw.polygon(
        [(centre - 46, 0), (centre + 46, 0), (centre + 250, size[1]), (centre - 250, size[1])], fill=255
    )
    light = ImageChops.multiply(sparks, blurred(column, 44))
    full = Image.new("L", SIZE)
    full.paste(light, (0, horizon))
    tint(canvas, (255, 196, 120), blurred(full, 7), 0.5)
    tint(canvas, (255, 238, 196), full)


def _headland(random: Random, horizon: int) -> Image.Image:
    mask = Image.new("L", SIZE)
    heights = wave(random, 60, 4)
    outline = [(step * 9.0, horizon - max(0.0, (60 - step) * 1.3 + 9 * heights[step])) for step in range(61)]
    ImageDraw.Draw(mask).polygon([(0, horizon + 3), *outline, (560, horizon + 3)], fill=255)
    return mask


def seagrass(random: Random) -> Image.Image:
    """Paint a meadow under water, with light falling through the surface."""
    clear = random.random()
    canvas = gradient(
        SIZE,
        (0, (176, 230, 224)),
        (0.16, mix((96, 178, 168), (76, 176, 204), clear)),
        (0.55, mix((40, 122, 122), (24, 116, 156), clear)),
        (1, (10, 54, 66)),
    )
    _sun_rays(random, canvas)
    for step in range(7):
        near = step / 6
        floor = 500 + 330 * near
        bank = blurred(ridge(random, floor + 20, 16 + 14 * near, 4), 3)
        tint(canvas, mix((34, 116, 122), (10, 36, 26), near), bank, 0.8)
        _blades(random, canvas, floor, near)
        tint(canvas, (44, 138, 152), ridge(random, 380, 10, 2), 0.15 * (1 - near))
    _fish(random, canvas)
    _plankton(random, canvas)
    return finish(random, canvas, vignette=0.6)


def _sun_rays(random: Random, canvas: Image.Image) -> None:
    rays = Image.new("L", SIZE)
    draw = ImageDraw.Draw(rays)
    sun = random.uniform(300, 1150)
    for _ in range(34):
        top, width, lean = random.gauss(sun, 290), random.uniform(4, 40), random.gauss(0, 160)
        foot = top + (top - sun) * 0.8 + lean
        draw.polygon(
            [(top, -10), (top + width, -10), (foot + width * 3.4, 760), (foot, 760)],
            fill=random.randint(50, 190),
        )
    fading = gradient(SIZE, (0, (255, 255, 255)), (0.85, (0, 0, 0)), (1, (0, 0, 0))).getchannel(0)
    light = ImageChops.multiply(blurred(rays, 9), fading)
    tint(canvas, (226, 255, 244), light, 0.5)
    ripples = curve(plane(noise(random, (900, 900), (20, 40), 4), (WIDTH, 150), 5.0), 130, 210)
    surface = Image.new("L", SIZE)
    surface.paste(ripples.transpose(Image.Transpose.FLIP_TOP_BOTTOM), (0, 0))
    tint(canvas, (240, 255, 250), ImageChops.multiply(surface, fading), 0.55)


def _blades(random: Random, canvas: Image.Image, floor: float, near: float) -> None:
    layer, mask = Image.new("RGB", SIZE, (30, 90, 70)), Image.new("L", SIZE)
    paint, cut = ImageDraw.Draw(layer), ImageDraw.Draw(mask)
    swell = wave(random, 48, 3)
    for _ in range(round(520 - 330 * near)):
        x = random.uniform(-60, WIDTH + 60)
        length = (46 + 170 * near) * random.uniform(0.55, 1.15)
        bend = length * (0.35 + 0.3 * swell[int(max(0.0, min(47.0, x / 30)))] + random.uniform(-0.16, 0.16))
        foot = floor + random.uniform(0, 34 + 60 * near)
        blade = _blade(x, foot, length, bend, 1.5 + 6.5 * near * random.uniform(0.7, 1.2))
        light = random.random() ** 1.4
        colour = mix(mix((70, 150, 140), (38, 92, 42), near), (170, 196, 92), light * (0.25 + 0.45 * near))
        paint.polygon(blade, fill=mix(colour, (8, 30, 24), 0.34 * random.random()))
        cut.polygon(blade, fill=255)
    focus = 1.4 if near < 0.7 else 0.6 + 9 * (near - 0.7)
    tint(canvas, blurred(layer, focus) if focus > 2 else layer, blurred(mask, focus), 0.55 + 0.45 * near)


def _blade(x: float, foot: float, length: float, bend: float, width: float) -> list[tuple[float, float]]:
    places = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    spine = [(x + bend * t * t, foot - length * t * (1 - 0.18 * t)) for t in places]
    widths = [width * (1 - 0.75 * t**3) / 2 for t in places]
    left = [(px - w, py) for (px, py), w in zip(spine, widths, strict=True)]
    right = [(px + w, py) for (px, py), w in zip(spine, widths, strict=True)]
    return [*left, *reversed(right)]


def _fish(random: Random, canvas: Image.Image) -> None:
    mask = Image.new("L", SIZE)
    draw = ImageDraw.Draw(mask)
    centre, depth = random.uniform(200, 1240), random.uniform(270, 420)
    for _ in range(random.randint(9, 40)):
        x, y, size = random.gauss(centre, 110), random.gauss(depth, 42), random.uniform(7, 13)
        draw.ellipse((x - size, y - size * 0.3, x + size, y + size * 0.3), fill=235)
        draw.polygon(
            [(x + size * 0.8, y), (x + size * 1.5, y - size * 0.36), (x + size * 1.5, y + size * 0.36)],
            fill=235,
        )
    tint(canvas, (24, 84, 98), blurred(mask, 1.1), 0.75)


def _plankton(random: Random, canvas: Image.Image) -> None:
    mask = Image.new("L", SIZE)
    draw = ImageDraw.Draw(mask)
    for _ in range(420):
        x, y, size = random.uniform(0, WIDTH), random.uniform(60, HEIGHT), random.choice((1, 1, 2, 3))
        draw.ellipse((x, y, x + size, y + size), fill=random.randint(60, 200))
    tint(canvas, (220, 246, 236), blurred(mask, 0.9), 0.6)


def turtle_beach(random: Random) -> Image.Image:
    """Paint the track of a turtle from the sea to the dune, early in the morning."""
    horizon, shore = 270, 372
    canvas = sky(
        random,
        (0, (96, 142, 190)),
        (0.7, (220, 206, 204)),
        (1, (252, 222, 190)),
        cloud=(255, 236, 220),
        cover=128,
        height=horizon,
    )
    sea = gradient((WIDTH, 160), (0, (88, 140, 160)), (0.5, (62, 142, 152)), (1, (150, 200, 192)))
    waves = plane(relief(noise(random, (1200, 1200), (40, 80), 5), 0.9), (WIDTH, 160), 6.0)
    canvas.paste(lit(sea, waves), (0, horizon))
    sand = _beach(random, (WIDTH, HEIGHT - shore + 40))
    edge = _shoreline(random, shore)
    beach = Image.new("RGB", SIZE)
    beach.paste(sand, (0, shore - 40))
    tint(canvas, (250, 252, 246), blurred(edge, 5), 0.9)
    dry = Image.new("L", SIZE)
    dry.paste(edge, (0, 10))
    tint(canvas, beach, dry)
    return finish(random, canvas, vignette=0.4)


def _shoreline(random: Random, shore: int) -> Image.Image:
    mask, steps = Image.new("L", SIZE), 180
    line = wave(random, steps, 5)
    points = [(WIDTH * step / steps, shore + 10 * line[step] - 0.03 * step) for step in range(steps + 1)]
    ImageDraw.Draw(mask).polygon([(0, HEIGHT), *points, (WIDTH, HEIGHT)], fill=255)
    ImageDraw.Draw(mask).rectangle((0, HEIGHT - 20, WIDTH, HEIGHT), fill=255)
    return mask


def _beach(random: Random, size: tuple[int, int]) -> Image.Image:
    """Return sand with the track pressed into it: heights seen from above, then laid on the ground."""
    side = 1300
    heights = curve(noise(random, (side, side), (26, 26), 6, 0.75), -150, 400)
    track = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(track)
    sway = wave(random, 220, 4, 2)
    for step in range(220):
        y, centre = step * side / 220, side * 0.5 + 46 * sway[step] + (110 - step) * 0.5
        for side_sign in (-1, 1):
            x, shift = centre + side_sign * 26, (step % 2) * side_sign
            draw.line((x, y, x + side_sign * 15, y + 3 + shift), fill=200, width=3)
        draw.line((centre - 8, y, centre + 8, y + 1), fill=70, width=2)
    pressed = ImageChops.subtract(heights, blurred(track, 1.6), 1.6)
    wet: tuple[tuple[float, Colour], ...] = (
        (0, (168, 142, 116)),
        (0.1, (196, 168, 136)),
        (0.25, (236, 212, 176)),
        (1, (222, 190, 150)),
    )
    dark = faded(plane(blurred(track, 5), size, 5.0), 0.35)
    ground = lit(gradient(size, *wet), plane(relief(pressed, 1.5), size, 5.0))
    ground.paste((140, 112, 90), (0, 0, *size), dark)
    return ground


def amphipod(random: Random) -> Image.Image:
    """Paint an amphipod of the groundwater under the microscope."""
    canvas = gradient(SIZE, (0, (14, 30, 36)), (1, (6, 14, 20)))
    tint(canvas, (40, 76, 82), glow(SIZE, (720, 450), (760, 560), 1.2), 0.9)
    tint(canvas, (70, 110, 110), curve(noise(random, SIZE, (9, 6), 5), 150, 255), 0.3)
    body = Image.new("L", SIZE)
    _amphipod(random, body)
    soft = blurred(body, 16)
    tint(canvas, (120, 190, 180), soft, 0.35)
    rim = ImageChops.subtract(body, blurred(body, 7), 0.6)
    shade = coloured(noise(random, SIZE, (30, 20), 4), (0, (196, 178, 130)), (1, (250, 240, 206)))
    tint(canvas, shade, blurred(body, 1.2), 0.62)
    tint(canvas, (255, 252, 232), blurred(rim, 0.8), 0.9)
    field = Image.new("L", SIZE, 255)
    ImageDraw.Draw(field).ellipse((720 - 640, 450 - 640, 720 + 640, 450 + 640), fill=0)
    tint(canvas, (2, 4, 6), blurred(field, 6))
    return finish(random, canvas, grain=0.08, vignette=0.3)


def _amphipod(random: Random, body: Image.Image) -> None:
    draw = ImageDraw.Draw(body)
    for step in range(13):
        part = step / 12
        angle = math.radians(200 - 172 * part)
        x, y = 720 + 300 * math.cos(angle), 560 - 300 * math.sin(angle)
        size = 74 * math.sin(math.pi * (0.22 + 0.72 * part)) + 12
        _leg(random, draw, x, y, angle, 70 + 130 * math.sin(math.pi * part))
        draw.polygon(_plate(x, y, angle, size), fill=110 + step % 2 * 50, outline=235, width=3)
    for bend in (-60, 10):
        points = [
            (462 - 190 * t + bend * t * t * 0.4, 690 + bend * t - 130 * t * t + 90 * t)
            for t in (0, 0.25, 0.5, 0.75, 1)
        ]
        draw.line(points, fill=210, width=5, joint="curve")


def _plate(x: float, y: float, angle: float, size: float) -> list[tuple[float, float]]:
    """Return one plate of the armour, standing across the body and overlapping the next."""
    turn = [step / 24 * math.tau for step in range(24)]
    outline = [(size * 1.05 * math.cos(t), size * 0.84 * math.sin(t)) for t in turn]
    cos, sin = math.cos(angle), -math.sin(angle)
    return [(x + along * cos - across * sin, y + along * sin + across * cos) for along, across in outline]


def _leg(random: Random, draw: ImageDraw.ImageDraw, x: float, y: float, angle: float, length: float) -> None:
    for side in (-0.25, 0.15):
        inward = angle + math.pi + side + random.uniform(-0.12, 0.12)
        knee = (x + math.cos(inward) * length * 0.6, y - math.sin(inward) * length * 0.6)
        foot = (
            knee[0] + math.cos(inward + 0.7) * length * 0.55,
            knee[1] - math.sin(inward + 0.7) * length * 0.55,
        )
        draw.line((x, y, *knee), fill=170, width=9)
        draw.line((*knee, *foot), fill=190, width=4)
