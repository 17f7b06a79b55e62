"""The sample projects and documents as values, read from the texts beside this file."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TEXTS = Path(__file__).parent / "texts"
ANNUAL_REPORT = TEXTS / "annual-report.toml"


@dataclass(frozen=True, kw_only=True)
class DocumentData:
    """A document; ``cover`` names a picture, and ``sections`` do: ``<img src="picture:NAME" alt="…">``."""

    kind: str
    year: int
    status: str
    sections: dict[str, str]
    approvals: tuple[str, ...] = ()
    cover: str = ""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A person's part in a project."""

    username: str
    role: str


@dataclass(frozen=True, kw_only=True)
class ProjectData:
    """A project with its team, lead first, and its documents."""

    tag: str
    title: str
    year: int
    kind: str
    status: str
    business_area: str
    members: tuple[Member, ...]
    documents: tuple[DocumentData, ...] = field(default=())


def projects() -> Iterator[ProjectData]:
    """Yield the sample projects in the order of their tags; a text's file name is the tag."""
    for path in sorted(TEXTS.glob("*-*-[0-9]*.toml")):
        yield _project(path.stem, _read(path))


def annual_reports() -> Iterator[DocumentData]:
    """Yield the documents that belong to a year and to no project."""
    yield from _documents(_read(ANNUAL_REPORT))


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


def _project(tag: str, table: dict[str, Any]) -> ProjectData:
    return ProjectData(
        tag=tag,
        title=table["title"],
        year=table["year"],
        kind=table["kind"],
        status=table["status"],
        business_area=table["business_area"],
        members=tuple(Member(username=name, role=role) for name, role in table["members"]),
        documents=tuple(_documents(table)),
    )


def _documents(table: dict[str, Any]) -> Iterator[DocumentData]:
    for document in table.get("documents", ()):
        yield DocumentData(
            kind=document["kind"],
            year=document["year"],
            status=document["status"],
            sections={key: html.strip() for key, html in document.get("sections", {}).items()},
            approvals=tuple(document.get("approvals", ())),
            cover=document.get("cover", ""),
        )
