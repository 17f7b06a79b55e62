"""Additions to the OpenAPI schema: the problems of every operation, and links from responses to operations."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension

from spms import problems

PROBLEM = {problems.CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}

# From (operation, status) by links: the next operation, and where its parameters and its body come from.
type Link = tuple[str, dict[str, Any]]
DOCUMENT = {"id": "$response.body#/id"}
SAME = {"id": "$request.path.id"}
TASK = {"id": "$response.body#/task_id"}
OF_DOCUMENT = (
    "documents_retrieve",
    "documents_partial_update",
    "documents_destroy",
    "documents_changes_list",
    "documents_images_list",
    "documents_images_create",
    "documents_pdf_create",
    "documents_pdf_retrieve",
)
OF_TASK = ("tasks_retrieve", "tasks_file_retrieve", "tasks_cancel_create", "tasks_retry_create")


def _to(operations: tuple[str, ...], parameters: dict[str, str]) -> list[Link]:
    return [(operation, {"parameters": parameters}) for operation in operations]


AFTER_TASK: list[Link] = [
    *_to(OF_TASK, TASK),
    ("tasks_notices_list", {"parameters": {"task_id": "$response.body#/task_id"}}),
    ("feedback_create", {"requestBody": {"kind": "praise", "task": "$response.body#/task_id"}}),
]
AFTER_MAKING: list[Link] = [
    *AFTER_TASK,
    ("documents_pdf_retrieve", {"parameters": SAME | {"task": "$response.body#/task_id"}}),
    ("documents_pdf_create", {"parameters": SAME}),
]
LINKS: dict[tuple[str, int], list[Link]] = {
    ("projects_list", 200): _to(
        ("projects_retrieve", "projects_partial_update"), {"id": "$response.body#/results/0/id"}
    ),
    ("projects_retrieve", 200): [
        (
            "documents_create",
            {"requestBody": {"kind": "project_plan", "year": 2030, "project": "$response.body#/id"}},
        ),
        ("documents_list", {"parameters": {"project": "$response.body#/id"}}),
    ],
    ("projects_create", 201): _to(
        ("projects_retrieve", "projects_partial_update", "projects_destroy"), DOCUMENT
    ),
    ("documents_list", 200): _to(OF_DOCUMENT[:2] + OF_DOCUMENT[3:], {"id": "$response.body#/results/0/id"}),
    ("documents_create", 201): _to(OF_DOCUMENT, DOCUMENT),
    ("documents_partial_update", 200): _to(("documents_pdf_create", "documents_pdf_retrieve"), DOCUMENT),
    ("documents_pdf_create", 200): AFTER_MAKING,
    ("documents_pdf_create", 201): AFTER_MAKING,
    ("documents_pdf_create", 202): AFTER_MAKING,
    ("exports_create", 200): AFTER_TASK,
    ("exports_create", 201): AFTER_TASK,
    ("exports_create", 202): AFTER_TASK,
    ("documents_images_create", 201): [
        ("images_retrieve", {"parameters": DOCUMENT}),
        ("documents_images_list", {"parameters": SAME}),
        (
            "documents_partial_update",
            {"parameters": SAME, "requestBody": {"cover_image": "$response.body#/id"}},
        ),
    ],
    ("imports_create", 201): AFTER_TASK + _to(("imports_apply",), {"task_id": "$response.body#/task_id"}),
    ("imports_apply", 201): AFTER_TASK,
    ("tasks_list", 200): _to(OF_TASK, {"id": "$response.body#/results/0/task_id"}),
    ("tasks_retrieve", 200): AFTER_TASK,
    ("tasks_cancel_create", 200): AFTER_TASK,
    ("tasks_retry_create", 200): AFTER_TASK,
    ("tasks_retry_create", 202): AFTER_TASK,
    ("tasks_notices_list", 200): [
        (
            "tasks_notices_resend_create",
            {"parameters": {"task_id": "$request.path.task_id", "notice_id": "$response.body#/0/notice_id"}},
        )
    ],
}


class Strict(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Declares that a StrictSerializer accepts no further members."""

    target_class = "documents.api.strict.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        """Return the schema of a serializer."""
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return schema | ({"additionalProperties": False} if direction == "request" else {})


def complete(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """Add problems and links to every operation (POSTPROCESSING_HOOKS)."""
    for path, methods in result["paths"].items():
        for method, operation in methods.items():
            _add_problems(path, method, operation)
            _add_links(operation)
    return result


def _add_problems(path: str, method: str, operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    if "If-None-Match" in _parameter_names(operation):
        answers.setdefault("304", {"description": HTTPStatus.NOT_MODIFIED.phrase})
    for status in sorted(_usual(path, method, operation) | _named(answers)):
        answers[str(status)] = {"description": HTTPStatus(status).phrase, "content": PROBLEM}


def _usual(path: str, method: str, operation: dict[str, Any]) -> set[int]:
    """Return the statuses of problems that an operation can have whatever its view declares."""
    names = _parameter_names(operation)
    has_pages = "page" in names
    statuses = {400, 401, 429, 503}
    statuses |= {404} if "{" in path or has_pages else set()
    statuses |= {403} if method != "get" else set()
    statuses |= {412} if "If-Match" in names else set()
    statuses |= {409} if "If-Match" in names and method == "patch" else set()
    return statuses | ({411, 413, 415} if method != "get" else set())


def _parameter_names(operation: dict[str, Any]) -> set[str]:
    return {parameter["name"] for parameter in operation.get("parameters", ())}


def _named(answers: dict[str, Any]) -> set[int]:
    """Return the statuses of problems that a view declares; a response without a body is none."""
    return {int(status) for status, answer in answers.items() if int(status) >= 400 and "content" in answer}


def _add_links(operation: dict[str, Any]) -> None:
    for status, answer in operation["responses"].items():
        links = LINKS.get((operation["operationId"], int(status)), [])
        if links:
            answer["links"] = {
                f"{target}_{number}": {"operationId": target, **rest}
                for number, (target, rest) in enumerate(links)
            }
