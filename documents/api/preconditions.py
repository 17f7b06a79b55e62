"""``ETag``, ``If-Match`` and ``If-None-Match`` of documents and projects (RFC 9110, section 13)."""

import hashlib
import json
import re
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ModelViewSet

from documents import exceptions
from documents.models import Document, Project
from documents.models.changes import require_version

MAX_HEADER_CHARACTERS = 4_000
ENTITY_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
ENTITY_TAGS = re.compile(rf"[ \t,]*{ENTITY_TAG}(?:[ \t]*,[ \t,]*{ENTITY_TAG})*[ \t,]*")
VERSION_OF_ETAG = re.compile(r'"([1-9][0-9]{0,8})-')


def _header(name: str, description: str) -> OpenApiParameter:
    schema = {"type": "string", "pattern": r'^(\*|"[!#-~]*"(, "[!#-~]*")*)$'}
    return OpenApiParameter(name, schema, OpenApiParameter.HEADER, description=description)


IF_MATCH = _header("If-Match", "Change it only if its ETag is still one of these; otherwise 412.")
IF_NONE_MATCH = _header("If-None-Match", "Send it only if its ETag is none of these; otherwise 304.")
ETAG = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    description="The version of the document or project, for If-Match and If-None-Match.",
    response=[200, 201],
)
SCHEMAS = {
    "retrieve": extend_schema(parameters=[IF_NONE_MATCH, ETAG]),
    "create": extend_schema(parameters=[ETAG]),
    "partial_update": extend_schema(parameters=[IF_MATCH, ETAG]),
    "destroy": extend_schema(parameters=[IF_MATCH]),
}


def document_etag(document: Document) -> str:
    """Return the ETag of a document, which every change renews; the time tells apart what a restore repeats."""
    return f'"{document.version}-{int(document.updated_at.timestamp() * 1_000_000):x}"'


def project_etag(project: Project, data: Any) -> str:
    """Return the ETag of a project as it is sent: it names its area and its team, which have no version."""
    digest = hashlib.sha256(json.dumps(data, default=str).encode()).hexdigest()
    return f'"{project.version}-{digest[:16]}"'


def parse_etags(request: Request, name: str) -> list[str] | None:
    """Return the ETags of a header, ``["*"]`` for any; None without the header. Raises InvalidPrecondition."""
    header = request.headers.get(name)
    if header is None:
        return None
    if header.strip() == "*":
        return ["*"]
    if len(header) > MAX_HEADER_CHARACTERS or not ENTITY_TAGS.fullmatch(header):
        raise exceptions.InvalidPrecondition(
            f'For {name} send the ETag of the document or project with its quotes, such as "3-63a5", '
            "several of them with commas between, or *."
        )
    return re.findall(ENTITY_TAG, header)


def is_current(request: Request, etag: str) -> bool:
    """Return True if the client has this version already, by weak comparison.

    A header that is no list of ETags names none: it must not stop a client from reading.
    """
    try:
        etags = parse_etags(request, "If-None-Match") or []
    except exceptions.InvalidPrecondition:
        return False
    return "*" in etags or etag in {tag.removeprefix("W/") for tag in etags}


def require_match(request: Request, row: Document | Project, etag: str) -> bool:
    """Return True if the sender named this version in ``If-Match``, which compares strongly.

    Raises PreconditionFailed if the headers name another version or refuse this one, and InvalidPrecondition.
    """
    etags = parse_etags(request, "If-Match")
    if etags is not None and "*" not in etags and etag not in etags:
        raise _conflict(row, etags)
    if is_current(request, etag):
        raise exceptions.PreconditionFailed("If-None-Match names its ETag; leave it out to change it.")
    return etags is not None and "*" not in etags


def _conflict(row: Document | Project, etags: list[str]) -> exceptions.PreconditionFailed:
    if all(tag.startswith("W/") for tag in etags):
        return exceptions.PreconditionFailed("If-Match takes no weak ETags: send it without W/.")
    versions = [int(match[1]) for tag in etags if (match := VERSION_OF_ETAG.match(tag))]
    try:
        require_version(row, max(versions, default=0))
    except exceptions.VersionConflict as error:
        return as_precondition(error)
    return exceptions.PreconditionFailed(
        "What is stored is not what If-Match names. Get it again, and repeat your change.",
        version=row.version,
    )


def as_precondition(error: exceptions.VersionConflict) -> exceptions.PreconditionFailed:
    """Return the same error with the status of a header that was not met."""
    return exceptions.PreconditionFailed(str(error), **error.extra)


class ConditionalViewSet[Row: Document | Project](ModelViewSet[Row]):
    """Sends ETags, and answers conditional requests; the serializers store ``by`` and ``version``."""

    def etag_of(self, row: Any, serializer: BaseSerializer[Row]) -> str:
        """Return the ETag of a row; ``serializer`` has its JSON."""
        raise NotImplementedError

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Send one, or 304 if the client has it."""
        row = self.get_object()
        serializer = self.get_serializer(row)
        headers = {"ETag": self.etag_of(row, serializer)}
        if is_current(request, headers["ETag"]):
            return Response(status=304, headers=headers)
        return Response(serializer.data, headers=headers)

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change one, unless the headers or the body name another version."""
        row = self.get_object()
        has_match = self._require_match(row)
        serializer = self.get_serializer(row, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        try:
            self._save(serializer, **({"version": row.version} if has_match else {}))
        except exceptions.VersionConflict as error:
            raise as_precondition(error) if has_match else error from error
        return self._stored(serializer, 200)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Add one."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        self._save(serializer)
        return self._stored(serializer, 201)

    def perform_destroy(self, instance: Row) -> None:
        """Delete one, unless the headers name another version."""
        self._require_match(instance)
        instance.delete()

    def _require_match(self, row: Row) -> bool:
        return require_match(self.request, row, self.etag_of(row, self.get_serializer(row)))

    def _save(self, serializer: BaseSerializer[Row], **values: Any) -> None:
        serializer.save(by=self.request.user.get_username(), **values)

    def _stored(self, serializer: BaseSerializer[Row], status: int) -> Response:
        etag = self.etag_of(serializer.instance, serializer)
        return Response(serializer.data, status=status, headers={"ETag": etag})
