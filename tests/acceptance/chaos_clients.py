"""Clients who ask for work of every kind while processes are killed, and what each of them must find in the end."""

import csv
import io
import itertools
import random
import threading
import time
from collections import Counter
from functools import partial
from typing import Any

import pypdfium2
import requests
from PIL import Image

ASKED_A_SECOND = 4.5
PATIENCE_SECONDS = (
    600.0  # on a busy machine a killed web server takes its time to start, and may be killed again
)
# One of each kind for so many documents: a table of their year, an image for the last one, a file, a cycle of letters.
DOCUMENTS_FOR_ONE = {"export": 5, "image": 7, "import": 11, "cycle": 60}
FIRST_IMPORTED_YEAR, FIRST_CYCLE = 2030, 2060
LARGE_SIZE = (4200, 3000)  # so large that a worker prepares it
FILLER = "<p>" + "The survey covered forty transects of the meadow. " * 60 + "</p>"
LOST_ANSWER = {400, 409}  # the first try got through, and only its answer was lost


class Clients(threading.Thread):
    """Asks for one new document after the other and remembers each task that was accepted."""

    def __init__(self, system, seed):
        super().__init__(daemon=True)
        self._system = system
        self._random = random.Random(seed)
        self._projects = system.call("GET", "projects/", params={"page_size": 100}).json()["results"]
        self._stop_asking = threading.Event()
        self._cycle_years = itertools.count(FIRST_CYCLE)
        self.accepted = {}  # task_id: what checks a task that has succeeded
        self.kinds: Counter[str] = Counter()  # of the accepted tasks
        self.refused: Counter[object] = Counter()

    def run(self):
        for number, (year, project) in enumerate(itertools.product(range(1980, 2025), self._projects)):
            if self._stop_asking.wait(1 / ASKED_A_SECOND):
                return
            self._ask(number, year, project)

    def _ask(self, number, year, project):
        text = f"Marker {number} of {year}"
        document = self._ask_for_pdf(project, year, text)
        if self._is_due("export", number):
            self._ask_for_export(year, text)
        if document and self._is_due("image", number):
            self._ask_for_image(document, number)
        if self._is_due("import", number):
            self._ask_for_import(project, FIRST_IMPORTED_YEAR + self.kinds["import"] % 30, text)
        if self._is_due("cycle", number):
            self._ask_for_cycle(next(self._cycle_years))

    def _is_due(self, kind, number):
        """Return whether to ask now; again after the next document if the answer to the last request was lost."""
        return self.kinds[kind] * DOCUMENTS_FOR_ONE[kind] <= number

    def _remember(self, kind, task, check):
        self.accepted[task["task_id"]] = check
        self.kinds[kind] += 1

    def _ask_for_pdf(self, project, year, text):
        sections = {"context": text, "progress": FILLER * self._random.randrange(8)}
        values = {"kind": "progress_report", "project": project["id"], "year": year, "sections": sections}
        document = self._insist("documents/", json=values)
        if document and (task := self._insist(f"documents/{document['id']}/pdf/")):
            self._remember("pdf", task, partial(assert_pdf_says, text))
        return document

    def _ask_for_export(self, year, text):
        """Ask for a table of the year's documents, the one just made among them."""
        wish = {"what": "documents", "format": "csv", "filters": {"year": year, "kind": "progress_report"}}
        if task := self._insist("exports/", json=wish):
            self._remember("export", task, partial(assert_table_says, text))

    def _ask_for_image(self, document, number):
        stream = io.BytesIO()
        Image.new("RGB", LARGE_SIZE, (number % 256, number // 256, 90)).save(stream, "PNG", compress_level=1)
        path = f"documents/{document['id']}/images/"
        image = self._insist(path, files={"file": ("large.png", stream.getvalue())})
        if image and image.get("task"):
            self._remember("image", image["task"], partial(assert_image_is_ready, path, image["id"]))

    def _ask_for_import(self, project, year, text):
        table = f"tag,kind,year,context\n{project['tag']},progress_report,{year},<p>{text}</p>\n"
        file = {"file": ("reports.csv", table)}
        if task := self._insist("imports/", files=file, data={"what": "documents", "dry_run": "false"}):
            imported = {"project": project["id"], "kind": "progress_report", "year": year}
            self._remember("import", task, partial(assert_imported, imported, text))

    def _ask_for_cycle(self, year):
        if task := self._insist("cycles/", json={"year": year, "due": f"{year}-07-31"}):
            self._remember("cycle", task, partial(assert_cycle_is_done, year))

    def _insist(self, path, **options):
        """Post until it is answered well, as a client does that was told to try again."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up_at:
            try:
                answer = self._system.call("POST", path, **options)
            except requests.RequestException as error:
                self.refused[type(error).__name__] += 1
            else:
                if answer.ok:
                    return answer.json()
                if answer.status_code in LOST_ANSWER:
                    return None
                self.refused[answer.status_code] += 1
            time.sleep(0.5)
        raise AssertionError(f"{path} was never answered")

    def finish(self):
        self._stop_asking.set()
        self.join()


def file_of(system, task):
    answer = system.session.get(system.address + task["result"]["url"], timeout=60)
    assert answer.ok, answer.text
    assert len(answer.content) == task["result"]["bytes"]
    return answer.content


def assert_pdf_says(text, system, task):
    pdf = pypdfium2.PdfDocument(io.BytesIO(file_of(system, task)))
    assert text in " ".join(" ".join(page.get_textpage().get_text_range().split()) for page in pdf)


def assert_table_says(text, system, task):
    table = file_of(system, task).decode("utf-8-sig")
    assert len(list(csv.reader(io.StringIO(table, newline=""), strict=True))) == task["result"]["rows"] + 1
    assert text in table


def assert_image_is_ready(path, image_id, system, task):
    [image] = [image for image in system.call("GET", path).json() if image["id"] == image_id]
    assert (image["state"], image["width"]) == ("ready", 1240)
    small = system.session.get(system.address + image["thumbnail"], timeout=60)
    assert Image.open(io.BytesIO(small.content)).size == (320, 229)


def assert_imported(filters: dict[str, Any], text, system, task):
    document = system.document(**filters)
    assert text in document["sections"]["context"]


def assert_cycle_is_done(year, system, task):
    [cycle] = system.call("GET", "cycles/", params={"year": year}).json()["results"]
    assert cycle["state"] == "done"
    assert cycle["letters"]["waiting"] == cycle["letters"]["sending"] == 0
    assert cycle["letters"]["sent"] + cycle["letters"]["perhaps_sent"] > 0
