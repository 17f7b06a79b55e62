"""Calls for test_fuzz.py: every operation of the schema and every page, with one hostile value each.

A call is a valid request but for one place: a parameter, a header, a member or field of the body, the whole body, its
media type, or the method. So a call that is answered wrongly needs no shrinking.
"""

import contextlib
import json
import random
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_from_bytes

from tests.acceptance import fuzz_values as values
from tests.acceptance.fuzz_fields import FIELDS, KINDS, MEMBERS, PAGES
from tests.acceptance.fuzz_values import BOUNDARY, as_bytes, as_json

JSON, FORM, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"
# gunicorn reads request lines of 4,094 characters and headers of 8,190; longer ones do not reach us.
MAX_QUERY_BYTES = 3_500
MAX_HEADER_BYTES = 8_000
LONG_SHARE = 0.25
MAX_SHOWN_BYTES = 1_500
MAX_RECEIVED_BYTES = 64 * 1024**2

ENDING = {"/logout/", "/account/token/", "/account/sessions/end/"}
NESTED_MEMBERS = ("background", "aims", "year", "what", "format", "subject", "text", "project_lead")
OTHER_MEMBERS = ("sections", "arguments", "filters", "approvals", "letter")


@dataclass(frozen=True)
class Person:
    """A caller: the headers that sign them in at the API and on pages, none for an anonymous person."""

    name: str
    token: dict[str, str] = field(default_factory=dict)
    session: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """A method and a path with its parameters, and the members of its body by their media type."""

    method: str
    path: str
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    media_type: str = ""

    def places(self) -> list[tuple[str, str]]:
        """Return every place of a call that may hold a hostile value."""
        places = [("path", word) for word in re.findall(r"\{(\w+)\}", self.path)]
        places += [("query", name) for name in (*self.query, "unknown")]
        places += [("header", name) for name in (*self.headers, "")]
        places += [("member", name) for name in self.members]
        if self.media_type == MULTIPART:
            places += [("file", ""), ("file", "")]
        if self.method != "GET":
            places.append(("body", ""))
        return [*places, ("method", "")]


@dataclass(frozen=True)
class Call:
    """A request as bytes, and who sends it."""

    person: str
    content: bytes

    def __str__(self) -> str:
        return f"{self.person}, {len(self.content):,} bytes: {self.content[:MAX_SHOWN_BYTES]!r}"


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes


def operations_of(schema: dict[str, Any]) -> list[Operation]:
    """Return the operations of an OpenAPI schema, then those of the pages."""
    operations = [
        _operation(schema, method.upper(), path, description)
        for path, methods in schema["paths"].items()
        for method, description in methods.items()
    ]
    return operations + [_page(line, fields) for line, fields in PAGES.items()]


def _operation(schema: dict[str, Any], method: str, path: str, description: dict[str, Any]) -> Operation:
    parameters = description.get("parameters", [])
    content = description.get("requestBody", {}).get("content", {})
    members: tuple[str, ...] = ()
    media_type = JSON if JSON in content else next(iter(content), "")
    if media_type:
        name = content[media_type]["schema"]["$ref"].rpartition("/")[2]
        members = tuple(schema["components"]["schemas"][name]["properties"])
    return Operation(
        method,
        re.sub(r"(\w+)s/\{\w+\}", r"\1s/{\1}", path),
        query=tuple(each["name"] for each in parameters if each["in"] == "query"),
        headers=tuple(each["name"] for each in parameters if each["in"] == "header"),
        members=members,
        media_type=media_type,
    )


def _page(line: str, fields: tuple[str, ...]) -> Operation:
    method, path = line.split()
    if method == "GET":
        return Operation(method, path, query=fields)
    return Operation(method, path, members=fields, media_type=FORM)


class Fuzzer:
    """Makes calls without end, each as the seed says; ``ids`` are the values of the words in paths."""

    def __init__(
        self, operations: list[Operation], people: list[Person], ids: dict[str, str], seed: int
    ) -> None:
        self._places = [(operation, place) for operation in operations for place in operation.places()]
        self._people, self._ids = people, ids
        self._random = random.Random(seed)
        self._change = {
            "path": self._in_path,
            "query": self._in_query,
            "header": self._in_header,
            "member": self._in_member,
            "file": self._in_file,
            "body": self._in_body,
            "method": self._in_method,
        }

    @property
    def place_count(self) -> int:
        """The number of calls in which every place has had a hostile value."""
        return len(self._places)

    def calls(self) -> Iterator[Call]:
        """Yield calls: one for every place, in random order, then one for every place again."""
        while True:
            self._random.shuffle(self._places)
            for operation, place in self._places:
                yield self._call(operation, *place)

    def _call(self, operation: Operation, where: str, name: str) -> Call:
        request = _Request(operation, self._ids)
        self._change[where](request, name)
        # A session or token that ends there would be missing to all later calls.
        person = self._people[0] if operation.path in ENDING else self._random.choice(self._people)
        has_token = operation.path.startswith("/api/") and self._random.random() < 0.8
        return Call(person.name, request.content(person.token if has_token else person.session))

    def _text(self) -> str:
        pool = values.LONG_TEXTS if self._random.random() < LONG_SHARE else values.SHORT_TEXTS
        return self._random.choice(pool)

    def _in_path(self, request: "_Request", name: str) -> None:
        request.ids[name] = quote_from_bytes(as_bytes(self._text())[:1_000], safe="")

    def _in_query(self, request: "_Request", name: str) -> None:
        name = self._text()[:500] if name == "unknown" else name
        texts = [self._text() for _ in range(self._random.choice((1, 1, 1, 3)))]
        pairs = [
            as_bytes(name)[:500],
            *(as_bytes(text)[: MAX_QUERY_BYTES // (3 * len(texts))] for text in texts),
        ]
        quoted = [quote_from_bytes(part, safe="*./") for part in pairs]
        request.query = "&".join(f"{quoted[0]}={value}" for value in quoted[1:])[:MAX_QUERY_BYTES]

    def _in_header(self, request: "_Request", name: str) -> None:
        name = name or self._random.choice([*values.HEADERS])
        chosen = self._random.choice(values.HEADERS.get(name, values.SHORT_TEXTS))
        line = re.sub(r"[\r\n]", " ", chosen).encode("latin-1", "replace")
        request.headers[name] = line[:MAX_HEADER_BYTES].decode("latin-1")

    def _in_member(self, request: "_Request", name: str) -> None:
        if request.media_type == JSON:
            is_text = self._random.random() < 0.5
            value = as_json(self._text()) if is_text else self._random.choice(values.JSON_VALUES)
            request.members[name] = self._nested(value) if name in OTHER_MEMBERS else value
        else:
            request.members[name] = self._text()

    def _nested(self, value: str) -> str:
        """Return a value, or an object that holds it, as the members of these are free."""
        key = as_json(self._random.choice((*NESTED_MEMBERS, self._text()[:5_000])))
        return self._random.choice((value, f"{{{key}: {value}}}"))

    def _in_file(self, request: "_Request", _: str) -> None:
        head, kind = self._random.choice(values.PART_HEADS), self._random.choice(values.PART_TYPES)
        request.file = (head, kind, self._random.choice(values.FILES))

    def _in_body(self, request: "_Request", _: str) -> None:
        choice = self._random.choice(("body", "media type", "both"))
        if choice != "media type":
            request.body = self._random.choice(values.BODIES)
        if choice != "body":
            request.headers["Content-Type"] = self._random.choice(values.MEDIA_TYPES)

    def _in_method(self, request: "_Request", _: str) -> None:
        request.method = self._random.choice(values.METHODS)


class _Request:
    """A valid request, to be changed in one place."""

    def __init__(self, operation: Operation, ids: dict[str, str]) -> None:
        self.method, self.path, self.media_type = operation.method, operation.path, operation.media_type
        self.ids = dict.fromkeys(ids, "99999999") if operation.method == "DELETE" else dict(ids)
        self.query = "&".join(f"{name}={FIELDS[name]}" for name in operation.query if name in FIELDS)
        self.headers: dict[str, str] = {}
        self.members = self._valid_members(operation)
        self.file = values.PART_HEADS[0], values.PART_TYPES[0], values.IMAGE
        self.body: bytes | None = None

    def _valid_members(self, operation: Operation) -> dict[str, str]:
        if operation.media_type == JSON and operation.method == "PATCH":
            return {}
        if operation.media_type != JSON:
            return {name: FIELDS[name] for name in operation.members if name in FIELDS}
        members = MEMBERS | {"project": int(self.ids["project"]), "business_area": int(self.ids["area"])}
        members["kind"] = KINDS.get(operation.path, MEMBERS["kind"])
        return {name: json.dumps(members[name]) for name in operation.members if name in members}

    def content(self, sign_in: dict[str, str]) -> bytes:
        """Return the bytes to send with these headers."""
        body = self._body() if self.body is None else self.body
        path = re.sub(r"\{(\w+)\}", lambda word: self.ids[word[1]], self.path)
        lines = [f"{self.method} {path}{'?' if self.query else ''}{self.query} HTTP/1.1"]
        media_type = (
            f"{self.media_type}; boundary={BOUNDARY}" if self.media_type == MULTIPART else self.media_type
        )
        usual = {"Host": "127.0.0.1", "Connection": "close", "Content-Length": str(len(body))}
        usual |= {"Content-Type": media_type} if media_type else {}
        headers = usual | sign_in | self.headers
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    def _body(self) -> bytes:
        if self.media_type == JSON:
            pairs = (f"{as_json(name)}: {value}" for name, value in self.members.items())
            return f"{{{', '.join(pairs)}}}".encode()
        if self.media_type == FORM:
            pairs = (f"{name}={quote_from_bytes(as_bytes(text))}" for name, text in self.members.items())
            return "&".join(pairs).encode()
        if self.media_type == MULTIPART:
            fields = {name: as_bytes(text) for name, text in self.members.items()}
            return values.multipart(fields, *self.file)
        return b""


def send(port: int, content: bytes) -> Answer | None:
    """Send bytes and return the answer, or None if the connection was closed without one."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        with contextlib.suppress(OSError):  # it was refused before it was sent whole
            connection.sendall(content)
        return _parse(_received(connection))


def _received(connection: socket.socket) -> bytes:
    received = bytearray()
    with contextlib.suppress(ConnectionError):  # reset, as not all that was sent was read
        while len(received) < MAX_RECEIVED_BYTES and (part := connection.recv(262_144)):
            received += part
    return bytes(received)


def _parse(received: bytes) -> Answer | None:
    head, _, body = received.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    match = re.match(r"HTTP/1\.1 (\d{3}) ", lines[0])
    if match is None:
        return None
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    return Answer(int(match[1]), headers, body)
