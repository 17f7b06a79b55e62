"""Forests in mist and in fire, each painted by one function from a seeded random."""

import math
from random import Random

from PIL import Image, ImageDraw

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
    mix,
    noise,
    ridge,
    tint,
    wave,
)

BLACK: Colour = (0, 0, 0)


def forest(random: Random) -> Image.Image:
    """Paint tall trunks that fade into morning mist."""
    canvas = gradient(
        SIZE, (0, (196, 206, 186)), (0.45, (240, 236, 210)), (0.8, (206, 200, 158)), (1, (120, 112, 76))
    )
    tint(canvas, (255, 248, 216), glow(SIZE, (930, 330), (760, 620)), 0.9)
    for step in range(7):
        near = step / 6
        _trunks(random, canvas, near)
        if step < 6:
            veil = curve(noise(random, SIZE, (4, 3), 3), 20, 240)
            tint(canvas, (240, 236, 208), veil, 0.34 - 0.26 * near)
    _bracken(random, canvas)
    return finish(random, canvas, vignette=0.55)


def _trunks(random: Random, canvas: Image.Image, near: float) -> None:
    mask = Image.new("L", SIZE)
    draw = ImageDraw.Draw(mask)
    foot = 610 + 190 * near
    for _ in range(round(22 - 17 * near)):
        x, width = random.uniform(-20, WIDTH + 20), (5 + 58 * near**1.5) * random.uniform(0.7, 1.25)
        lean = random.uniform(-40, 40)
        sway = wave(random, 12, 2, 2)
        left = [
            (x - lean * t / 12 - width * (1.1 - t / 30) / 2 + sway[t] * width * 0.25, foot * (1 - t / 12))
            for t in range(13)
        ]
        right = [(px + width * (1.1 - t / 30), py) for t, (px, py) in enumerate(left)]
        draw.polygon([*left, *reversed(right)], fill=255)
        draw.ellipse((x - width * 1.1, foot - width * 0.4, x + width * 1.1, foot + width * 0.3), fill=255)
    _crowns(random, draw, near)
    bark = noise(random, SIZE, (160, 5), 3, 0.7)
    dark = mix((176, 176, 140), (52, 44, 34), near**0.7)
    picture = coloured(
        bark, (0, mix(dark, BLACK, 0.4 * near)), (1, mix(dark, (206, 178, 136), 0.15 + 0.3 * near))
    )
    tint(canvas, picture, blurred(mask, 2.5 - 1.7 * near), 0.4 + 0.6 * near)
    floor = ridge(random, foot - 12, 16, 5)
    tint(canvas, mix((190, 186, 140), (58, 58, 32), near), floor, 0.75)


def _crowns(random: Random, draw: ImageDraw.ImageDraw, near: float) -> None:
    for _ in range(round(60 - 20 * near)):
        x, y = random.uniform(0, WIDTH), random.uniform(-40, 60 + 150 * (1 - near))
        for _ in range(26):
            spread = 50 + 60 * near
            cx, cy, leaf = (
                random.gauss(x, spread),
                random.gauss(y, spread * 0.35),
                random.uniform(2, 5 + 6 * near),
            )
            draw.ellipse((cx - leaf, cy - leaf * 0.6, cx + leaf, cy + leaf * 0.6), fill=255)


def _bracken(random: Random, canvas: Image.Image) -> None:
    draw = ImageDraw.Draw(canvas)
    for _ in range(240):
        x, y = random.uniform(-30, WIDTH + 30), random.uniform(760, 960)
        near = (y - 760) / 200
        green = mix((112, 122, 62), (36, 50, 22), random.random() * 0.7 + 0.2 * near)
        for _ in range(9):
            bend, length = random.uniform(-1, 1), random.uniform(30, 60 + 60 * near)
            points = [
                (x + bend * length * t * t, y - length * t * (1 - 0.35 * t)) for t in (0, 0.3, 0.6, 0.8, 1)
            ]
            draw.line(
                points, fill=mix(green, (206, 196, 110), random.random() * 0.35), width=1 + round(2 * near)
            )


def burn(random: Random) -> Image.Image:
    """Paint a prescribed burn at dusk: flames along the ground, smoke and trunks."""
    canvas = gradient(
        SIZE, (0, (44, 38, 52)), (0.5, (122, 76, 58)), (0.78, (238, 148, 62)), (1, (52, 26, 18))
    )
    smoke = noise(random, SIZE, (4, 3), 6, 0.55)
    tint(canvas, (176, 150, 132), curve(smoke, 110, 250), 0.6)
    tint(canvas, (255, 196, 96), glow(SIZE, (980, 700), (720, 330)), 0.9)
    for step in range(5):
        _trunks_dark(random, canvas, step / 4)
        tint(canvas, (214, 128, 72), curve(noise(random, SIZE, (5, 3), 5), 120, 255), 0.42 - 0.09 * step)
    _flames(random, canvas)
    return finish(random, canvas, grain=0.09, vignette=0.6)


def _trunks_dark(random: Random, canvas: Image.Image, near: float) -> None:
    mask = Image.new("L", SIZE)
    draw = ImageDraw.Draw(mask)
    foot = 690 + 110 * near
    for _ in range(round(20 - 14 * near)):
        x, width = random.uniform(0, WIDTH), (4 + 34 * near**1.4) * random.uniform(0.7, 1.3)
        lean = random.uniform(-30, 30)
        draw.polygon(
            [
                (x - width, foot),
                (x + lean - width * 0.5, -10),
                (x + lean + width * 0.5, -10),
                (x + width, foot),
            ],
            fill=255,
        )
    draw.rectangle((0, foot - 4, WIDTH, HEIGHT), fill=255 if near == 1 else 120)
    _crowns(random, draw, near)
    dark = mix((120, 72, 56), (18, 12, 14), near**0.6)
    tint(canvas, dark, blurred(mask, 2 - near), 0.5 + 0.5 * near)


def _flames(random: Random, canvas: Image.Image) -> None:
    heat = Image.new("L", SIZE)
    draw = ImageDraw.Draw(heat)
    front = wave(random, 240, 5)
    for step in range(240):
        x, y = WIDTH * step / 240, 790 + 34 * front[step]
        strength = max(0.0, 0.45 + 0.55 * math.sin(step / 21 + front[step] * 3))
        for _ in range(3):
            tall = random.uniform(8, 66) * strength
            lean, half = random.uniform(-10, 16), random.uniform(2, 7)
            draw.polygon(
                [(x - half, y), (x + lean, y - tall), (x + half, y + 4)], fill=random.randint(150, 255)
            )
    blaze = blurred(heat, 2)
    tint(canvas, (255, 120, 24), curve(blurred(heat, 26), 4, 110), 0.8)
    tint(
        canvas,
        coloured(blaze, (0, (255, 96, 10)), (0.5, (255, 178, 50)), (1, (255, 246, 190))),
        curve(blaze, 14, 120),
    )
    draw = ImageDraw.Draw(canvas)
    for _ in range(130):
        x, y, size = random.uniform(0, WIDTH), random.uniform(240, 790), random.choice((1, 1, 2))
        draw.ellipse((x, y, x + size, y + size), fill=(255, random.randint(120, 220), 60))
