"""``python -m bench.season PDFS_A_DAY``: write the busiest three hours of a year as a trace for `replay_traffic`.

The day of a deadline has three times the PDFs of an average day, a quarter of them in its busiest hour, and an eighth
in each of the hours around it. One PDF in ten has 13 pages with photographs, the others have three pages.
"""

import csv
import sys
from collections.abc import Iterator
from random import Random

DEADLINE_FACTOR = 3
SHARES = (1 / 8, 1 / 4, 1 / 8)  # of the day's PDFs, in each of the three hours
SHORT_SECONDS, LONG_SECONDS, LONG_SHARE = 0.39, 1.12, 0.1
HOUR_SECONDS = 3600


def main() -> None:
    """Write the trace to standard output."""
    writer = csv.writer(sys.stdout)
    writer.writerow(("arrived_at", "kind", "service_seconds"))
    writer.writerows(sorted(arrivals(int(sys.argv[1]), Random(7))))


def arrivals(pdfs_a_day: int, random: Random) -> Iterator[tuple[float, str, float]]:
    """Yield the time of each request in seconds, its kind, and the seconds that its render takes."""
    for hour, share in enumerate(SHARES):
        for _ in range(round(pdfs_a_day * DEADLINE_FACTOR * share)):
            seconds = LONG_SECONDS if random.random() < LONG_SHARE else SHORT_SECONDS
            yield round((hour + random.random()) * HOUR_SECONDS, 3), "pdf", seconds


if __name__ == "__main__":
    main()
