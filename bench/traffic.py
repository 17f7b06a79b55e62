"""Days of traffic to replay: the shapes that a research agency sees, made from a seed."""

import math
from collections.abc import Callable, Iterator
from random import Random

from metrics.decisions.inline_model import Arrival

DAY_SECONDS = 86400.0
MAX_SERVICE_SECONDS = 20.0

type Rate = Callable[[float], float]


def day(seed: int, pdf_rate: Rate, request_rate: Rate, slowness: Rate = lambda _: 1.0) -> list[Arrival]:
    """Return a day's requests; rates are per second at a second of the day, ``slowness`` stretches renders."""
    return list(_day(Random(seed), pdf_rate, request_rate, slowness))


def _day(random: Random, pdf_rate: Rate, request_rate: Rate, slowness: Rate) -> Iterator[Arrival]:
    now = 0.0
    while True:
        pdf, request = pdf_rate(now), request_rate(now)
        now += random.expovariate(pdf + request)
        if now >= DAY_SECONDS:
            return
        if random.random() < pdf / (pdf + request):
            seconds = min(MAX_SERVICE_SECONDS, random.lognormvariate(math.log(2.5), 0.45))
            yield Arrival(now, seconds * slowness(now), True)
        else:
            yield Arrival(now, random.expovariate(1 / 0.15), False)


def office(now: float) -> float:
    """Return how busy the hour is, 0.05 to 1: quiet nights, a peak at one o'clock."""
    return 0.05 + 0.95 * math.exp(-(((now / 3600 - 13) / 3.2) ** 2))


def between(now: float, first_hour: float, last_hour: float) -> bool:
    """Return True between two hours of the day."""
    return first_hour * 3600 <= now < last_hour * 3600


def quiet(seed: int) -> list[Arrival]:
    """Return a day far below every limit."""
    return day(seed, lambda t: 10 / 60 * office(t), lambda t: 0.5 * office(t))


def normal(seed: int) -> list[Arrival]:
    """Return office hours at a good half of what four workers can do."""
    return day(seed, lambda t: 45 / 60 * office(t), lambda t: 0.5 * office(t))


def burst(seed: int) -> list[Arrival]:
    """Return office hours with three times the PDFs in the hour before a deadline."""
    return day(
        seed, lambda t: 40 / 60 * office(t) * (3 if between(t, 15, 16) else 1), lambda t: 0.5 * office(t)
    )


def leak(seed: int) -> list[Arrival]:
    """Return a day on which renders become slower all the time, to four times at its end."""
    return day(
        seed, lambda t: 30 / 60 * office(t), lambda t: 0.5 * office(t), lambda t: 1 + 3 * t / DAY_SECONDS
    )


def outlier(seed: int) -> list[Arrival]:
    """Return a quiet day with one render of 60 seconds at night."""
    return sorted([*quiet(seed), Arrival(3 * 3600.0, 60.0, True)])


def overload(seed: int) -> list[Arrival]:
    """Return a day with more PDFs than four workers can do, from nine to five."""
    return day(seed, lambda t: 110 / 60 if between(t, 9, 17) else 5 / 60, lambda t: 0.5 * office(t))


def slow(seed: int) -> list[Arrival]:
    """Return office hours with renders slowed fourfold for three hours."""
    return day(
        seed,
        lambda t: 20 / 60 * office(t),
        lambda t: 0.5 * office(t),
        lambda t: 4.0 if between(t, 10, 13) else 1.0,
    )


def hovering(seed: int) -> list[Arrival]:
    """Return a load about at the limit all day."""
    return day(seed, lambda t: 70 / 60 if between(t, 7, 19) else 5 / 60, lambda t: 0.5 * office(t))


SHAPES: dict[str, Callable[[int], list[Arrival]]] = {
    "quiet": quiet,
    "normal": normal,
    "burst": burst,
    "leak": leak,
    "outlier": outlier,
    "overload": overload,
    "slow": slow,
    "hovering": hovering,
}
