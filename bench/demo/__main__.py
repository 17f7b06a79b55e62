"""``python -m bench.demo``: start a system, play the afternoon, and print what became of it."""

import argparse
import dataclasses
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from bench.demo import afternoon, people, system
from bench.demo.afternoon import Afternoon, NotSwitched
from bench.demo.narrator import Narrator
from bench.demo.people import Ledger, Person
from metrics.decisions.statistics import quantile_of


def main() -> int:
    """Play the demo; return 0 if the mode went to the queue and back and nothing was lost."""
    options = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    pace = dataclasses.replace(
        afternoon.QUICK if options.quick else afternoon.FULL, max_seconds=options.at_most
    )
    narrator = Narrator(pace.max_seconds)
    narrator.print("Starting a system of its own, with sample data …")
    try:
        # The system ends before the threads do, so that nobody waits for their open requests.
        with ThreadPoolExecutor(afternoon.THREADS) as threads, system.running(options.port) as started:
            is_good = _play(started.url, narrator, pace, threads)
            if options.stay:
                narrator.print(f"The dashboard stays at {started.url}/dashboard/ until you press Ctrl-C.")
                threading.Event().wait()
    except KeyboardInterrupt:
        narrator.print("Ended; nothing is left of the demo.")
        return 130
    return 0 if is_good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make demo", description=__doc__, epilog='Example: make demo ARGS="--stay --port 8010"'
    )
    parser.add_argument("--quick", action="store_true", help="shorten the quiet parts")
    parser.add_argument(
        "--at-most", type=float, default=180.0, metavar="SECONDS", help="give up after this time"
    )
    parser.add_argument("--port", type=int, help="a port for the pages; by default a free one")
    parser.add_argument("--stay", action="store_true", help="leave the dashboard open at the end")
    return parser.parse_args()


def _play(url: str, narrator: Narrator, pace: afternoon.Pace, threads: ThreadPoolExecutor) -> bool:
    narrator.print(
        f"Dashboard: {url}/dashboard/   sign in as maintainer, {people.LOGINS['maintainer']}\n"
        f"Tasks:     {url}/dashboard/tasks/"
    )
    ledger = Ledger()
    maintainer, reader = Person(url, "maintainer", ledger), Person(url, "author", ledger)
    played = Afternoon(maintainer, reader, narrator, pace, ledger, threads)
    with narrator:
        try:
            played.play()
        except NotSwitched:
            narrator.say(
                f"the mode is {played.mode} after {pace.max_seconds:.0f} s: it did not go and return"
            )
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
    tasks = [maintainer.wait_for(pdf.task_id) for pdf in ledger.pdfs]
    narrator.show(_figures(played, tasks))
    lost = [task for task in tasks if task["status"] != "succeeded"]
    modes = [mode for _, mode in played.changes]
    return modes[:1] == ["queue"] and modes[-1:] == ["inline"] and not lost


def _figures(played: Afternoon, tasks: list[dict[str, Any]]) -> dict[str, str]:
    ledger, succeeded = played.ledger, [task for task in tasks if task["status"] == "succeeded"]
    at_once, later = (
        [pdf.answered_seconds for pdf in ledger.pdfs if (pdf.status == 202) == is_queued]
        for is_queued in (False, True)
    )
    return {
        "Pages read": f"{ledger.reads:,}",
        "PDFs": f"{len(succeeded)}, {sum(task['mode'] == 'queue' for task in succeeded)} through the queue",
        "p95 until the answer": f"{_seconds(at_once)} with the PDF, {_seconds(later)} through the queue",
        "p95 until the PDF is in hand": _seconds([_in_hand_seconds(task) for task in succeeded]),
        "Changes of the mode": ", ".join(f"{clock} to {mode}" for clock, mode in played.changes) or "none",
        "Refused": ", ".join(sorted(set(ledger.refusals))) or "nothing",
        "Lost": f"{len(tasks) - len(succeeded)} PDFs" if len(tasks) > len(succeeded) else "nothing",
    }


def _in_hand_seconds(task: dict[str, Any]) -> float:
    begin, end = (datetime.fromisoformat(task[name]) for name in ("created_at", "finished_at"))
    return (end - begin).total_seconds()


def _seconds(values: list[float]) -> str:
    p95 = quantile_of(values, 0.95)
    return "–" if p95 is None else f"{p95:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
