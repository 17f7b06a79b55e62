"""Charts as figures of a report: crisp lines and bars with axes, drawn at twice their size and halved."""

from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 2480, 1400
LEFT, RIGHT, TOP, BOTTOM = 250, 2400, 150, 1160
INK, GREY, PALE = "#22303a", "#66747e", "#dfe5e8"
# Told apart by readers who see few colours, and in grey print.
COLOURS = ("#0b6e8a", "#d9822b", "#5a8f3c", "#8a4f7d", "#b9a23a")


@dataclass(frozen=True, kw_only=True)
class Series:
    """A line or a row of bars; ``errors`` are drawn as whiskers (one standard error)."""

    name: str
    values: tuple[float, ...]
    errors: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What one chart shows; the vertical axis goes from 0 to ``top`` in steps."""

    kind: Literal["line", "bar", "stack"]
    unit: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    top: float
    step: float
    axis: str = ""


def draw(chart: Chart) -> Image.Image:
    """Return the picture of a chart."""
    canvas = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen = ImageDraw.Draw(canvas)
    _axes(pen, chart)
    {"line": _lines, "bar": _bars, "stack": _stack}[chart.kind](pen, chart)
    pen.line((LEFT, BOTTOM, RIGHT, BOTTOM), fill=INK, width=5)
    _legend(pen, chart)
    return canvas.reduce(2)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _height(chart: Chart, value: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * value / chart.top


def _slot(chart: Chart, index: int) -> float:
    return LEFT + (RIGHT - LEFT) * (index + 0.5) / len(chart.labels)


def _axes(pen: ImageDraw.ImageDraw, chart: Chart) -> None:
    small = _font(46)
    for count in range(round(chart.top / chart.step) + 1):
        value = count * chart.step
        y = _height(chart, value)
        pen.line((LEFT, y, RIGHT, y), fill=PALE, width=3)
        pen.text((LEFT - 26, y), f"{value:,.10g}", fill=GREY, font=small, anchor="rm")
    every = 1 + len(chart.labels) // 16
    for index, label in enumerate(chart.labels):
        if index % every == 0:
            pen.text((_slot(chart, index), BOTTOM + 24), label, fill=GREY, font=small, anchor="mt")
    pen.text((LEFT, TOP - 96), chart.unit, fill=INK, font=_font(52), anchor="lm")
    pen.text((RIGHT, BOTTOM + 112), chart.axis, fill=INK, font=_font(52), anchor="rm")


def _lines(pen: ImageDraw.ImageDraw, chart: Chart) -> None:
    for series, colour in zip(chart.series, COLOURS, strict=False):
        points = [(_slot(chart, index), _height(chart, value)) for index, value in enumerate(series.values)]
        pen.line(points, fill=colour, width=9, joint="curve")
        for index, (x, y) in enumerate(points):
            if series.errors:
                _whisker(pen, chart, x, series.values[index], series.errors[index], colour)
            pen.ellipse((x - 15, y - 15, x + 15, y + 15), fill="white", outline=colour, width=8)


def _bars(pen: ImageDraw.ImageDraw, chart: Chart) -> None:
    room = (RIGHT - LEFT) / len(chart.labels) * 0.72
    width = room / len(chart.series)
    for place, (series, colour) in enumerate(zip(chart.series, COLOURS, strict=False)):
        for index, value in enumerate(series.values):
            x = _slot(chart, index) - room / 2 + place * width
            pen.rectangle((x + 4, _height(chart, value), x + width - 4, BOTTOM), fill=colour)
            if series.errors:
                _whisker(pen, chart, x + width / 2, value, series.errors[index], INK)


def _stack(pen: ImageDraw.ImageDraw, chart: Chart) -> None:
    half = (RIGHT - LEFT) / len(chart.labels) * 0.34
    floors = [0.0] * len(chart.labels)
    for series, colour in zip(chart.series, COLOURS, strict=False):
        for index, value in enumerate(series.values):
            x, low = _slot(chart, index), floors[index]
            floors[index] += value
            pen.rectangle(
                (x - half, _height(chart, floors[index]), x + half, _height(chart, low)), fill=colour
            )


def _whisker(
    pen: ImageDraw.ImageDraw, chart: Chart, x: float, value: float, error: float, colour: str
) -> None:
    high, low = _height(chart, value + error), _height(chart, max(0.0, value - error))
    pen.line((x, high, x, low), fill=colour, width=5)
    for y in (high, low):
        pen.line((x - 16, y, x + 16, y), fill=colour, width=5)


def _legend(pen: ImageDraw.ImageDraw, chart: Chart) -> None:
    x, y, font = LEFT, BOTTOM + 190, _font(50)
    for series, colour in zip(chart.series, COLOURS, strict=False):
        pen.rectangle((x, y - 20, x + 40, y + 20), fill=colour)
        pen.text((x + 62, y), series.name, fill=INK, font=font, anchor="lm")
        x += round(62 + pen.textlength(series.name, font=font) + 90)
