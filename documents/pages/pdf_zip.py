"""The PDFs of marked documents as one ZIP, sent while it is written."""

import io
from collections.abc import Buffer, Iterable, Iterator
from typing import cast
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from documents.infrastructure import storage
from documents.models import Document, Task
from documents.tasks.exports import zip_file
from documents.tasks.pdf import readiness, task as pdf_task
from documents.whole_numbers import MAX_ID_DIGITS, is_whole_number

MAX_MARKED = 100
CHUNK_BYTES = 65_536
NOT_READY = "its PDF is not ready; generate it."
FILE_GONE = "the file of its PDF is missing; generate it again."


@require_safe
@login_required
def download(request: HttpRequest) -> HttpResponseBase:
    """Send the ready PDFs of the marked documents; a list in the ZIP names the others."""
    documents = _marked(request)
    pdfs = _ready_pdfs(documents)
    if not pdfs:
        messages.error(request, "None of the marked documents has a PDF that is ready. Generate them first.")
        return redirect("home")
    name = f"documents {timezone.localdate():%Y-%m-%d}.zip"
    headers = {"Content-Disposition": content_disposition_header(as_attachment=True, filename=name) or ""}
    return StreamingHttpResponse(_chunks(documents, pdfs), content_type="application/zip", headers=headers)


def _marked(request: HttpRequest) -> list[Document]:
    """Return the documents that the address names and the user may read: the first MAX_MARKED."""
    named = request.GET.getlist("document")[:MAX_MARKED]
    ids = [int(text) for text in named if is_whole_number(text, MAX_ID_DIGITS)]
    visible = Document.objects.for_user(cast("User", request.user)).filter(pk__in=ids)
    return list(visible.select_related("project").defer("sections").order_by("project__tag", "year", "pk"))


def _ready_pdfs(documents: list[Document]) -> dict[int, Task]:
    """Return the tasks whose PDFs show their documents as they are now, by the document's id."""
    pdfs = {}
    for document_id, pdf in readiness.read(documents).items():
        if pdf.state == readiness.State.READY and pdf.made:
            pdfs[document_id] = pdf.made
    for document in documents:
        # The list compares an annual report by its time of change, which no deletion of a chapter moves.
        if document.pk in pdfs and not document.kind_info.has_project and not pdf_task.current_task(document):
            del pdfs[document.pk]
    return pdfs


class _Outlet(io.RawIOBase):
    """The stream that a ZIP is written to, and taken from piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: Buffer, /) -> int:
        """Keep a piece until it is taken."""
        self._pieces.append(piece := bytes(data))
        return len(piece)

    def take(self) -> bytes:
        """Return what was written since the last time."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def _chunks(documents: Iterable[Document], pdfs: dict[int, Task]) -> Iterator[bytes]:
    outlet, missing = _Outlet(), []
    with ZipFile(outlet, "w", ZIP_STORED) as archive:
        for document in documents:
            name, pdf = zip_file.name_of(document), pdfs.get(document.pk)
            try:
                for _ in _copy(archive, name, pdf) if pdf else ():
                    yield outlet.take()
            except FileNotFoundError:
                pdf, reason = None, FILE_GONE
            else:
                reason = NOT_READY
            if pdf is None:
                missing.append(f"{name}: {reason}\n")
        if missing:
            archive.writestr(zip_file.MISSING_LIST, "".join(missing))
    yield outlet.take()


def _copy(archive: ZipFile, name: str, pdf: Task) -> Iterator[None]:
    """Copy a stored PDF into the ZIP, and pause after each piece. Raises FileNotFoundError before the first."""
    with storage.open_file(pdf.file) as source:
        member = ZipInfo(name, timezone.localtime(pdf.finished_at).timetuple()[:6])
        member.file_size = (pdf.result or {}).get("bytes", 0)
        with archive.open(member, "w") as target:
            while piece := source.read(CHUNK_BYTES):
                target.write(piece)
                yield
