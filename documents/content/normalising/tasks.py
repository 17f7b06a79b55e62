"""Task lists of every editor become one kind of list, and single check boxes become signs."""

from documents.content.normalising.tree import (
    LISTS,
    Element,
    Node,
    elements_in,
    is_blank,
    iter_elements,
    replace_text,
    text_of,
    wrapped,
)

DONE, OPEN = "done", "open"
# Only these have check boxes.
TAGS = LISTS | {"input"}
STATES = frozenset({DONE, OPEN})
CHECKED, UNCHECKED = "\u2611", "\u2610"  # ☑ ☐
TASK_LIST_CLASSES = (
    "inline-task-list",
    "tox-checklist",
    "todo-list",
    "contains-task-list",
    "to-do-list",
    "task-list",
    "tasks",
)
DONE_CLASSES = ("tox-checklist--checked", "checkbox-on", "is-checked", "checked", DONE)


def mark(root: Element) -> None:
    """Give the items of task lists the class ``done`` or ``open``, and draw other check boxes as signs."""
    for element in list(iter_elements(root)):
        if element.tag in LISTS:
            _mark_list(element)
    _draw_boxes(root)


def _mark_list(container: Element) -> None:
    is_task_list = _is_task_list(container)
    for item in elements_in(container):
        if item.tag != "li":
            continue
        if state := _state(item, container, is_task_list=is_task_list):
            item.attributes["class"] = f"{item.attributes.get('class', '')} {state}".strip()
            if _box(item) is not None:
                _remove_box(item)


def _is_task_list(container: Element) -> bool:
    kind = container.attributes.get("data-type") or container.attributes.get("__lexicallisttype", "")
    return (
        container.has_class(*TASK_LIST_CLASSES)
        or kind in {"taskList", "check"}
        or "data-checked" in container.attributes
    )


def _state(item: Element, container: Element, *, is_task_list: bool) -> str:
    """Return whether a task is done or open, or an empty text for an item that is no task."""
    attributes = item.attributes
    if attributes.get("data-list") in {"checked", "unchecked"}:
        return DONE if attributes["data-list"] == "checked" else OPEN
    if attributes.get("role") == "checkbox" or "aria-checked" in attributes:
        return DONE if attributes.get("aria-checked") == "true" else OPEN
    checked = attributes.get("data-checked", container.attributes.get("data-checked"))
    if checked is not None:
        return DONE if checked == "true" else OPEN
    if "--en-checked" in item.style:  # Evernote
        return DONE if item.style["--en-checked"] == "true" else OPEN
    if (box := _box(item)) is not None:
        return DONE if "checked" in box.attributes or box.has_class(*DONE_CLASSES) else OPEN
    if is_task_list and not _holds_lists_only(item):
        return DONE if item.has_class(*DONE_CLASSES) else OPEN
    return ""


def _holds_lists_only(item: Element) -> bool:
    """Return True for an item around a nested list, as Lexical writes it."""
    parts = [child for child in item.children if not is_blank(child)]
    return bool(parts) and all(isinstance(part, Element) and part.tag in LISTS for part in parts)


def _is_box(element: Element) -> bool:
    is_input = element.tag == "input" and element.attributes.get("type", "").lower() == "checkbox"
    is_picture = element.tag == "img" and element.attributes.get("aria-roledescription") == "checkbox"
    return is_input or is_picture or (element.has_class("checkbox") and not text_of(element).strip())


def _box(parent: Element) -> Element | None:
    """Return the check box at the head of an item."""
    for child in parent.children:
        if isinstance(child, str):
            if child.strip():
                return None
            continue
        if _is_box(child):
            return child
        if child.tag not in {"label", "p", "div", "span", "input"}:
            return None
        return _box(child)
    return None


def _remove_box(item: Element) -> None:
    """Remove the check box, and the label of an editor that only holds it."""
    item.children = [child for child in item.children if isinstance(child, str) or not _is_box(child)]
    for child in elements_in(item):
        if child.tag in {"label", "p", "div", "span"} and _box(child) is not None:
            _remove_box(child)
    for index, node in enumerate(item.children):
        if isinstance(node, str):
            item.children[index] = replace_text(node, node.lstrip())
        if not _is_space(node):
            break
    item.children = [child for child in item.children if not _is_empty_label(child)]
    boxes = elements_in(item)
    if len(boxes) == 1 and boxes[0].tag == "div" and len(item.children) == 1:
        item.children = [wrapped(child, boxes[0].wraps) for child in boxes[0].children]


def _is_space(node: Node) -> bool:
    return isinstance(node, str) and not node.strip()


def _is_empty_label(node: Node) -> bool:
    return isinstance(node, Element) and node.tag == "label" and not text_of(node).strip()


def _draw_boxes(parent: Element) -> None:
    for index, child in enumerate(parent.children):
        if isinstance(child, str):
            continue
        if child.tag == "input" and child.attributes.get("type", "").lower() in {"checkbox", "radio"}:
            sign = CHECKED if "checked" in child.attributes else UNCHECKED
            parent.children[index] = wrapped(sign, child.wraps)
        else:
            _draw_boxes(child)
