"""Put lists in order: nested lists into the item before them, tasks into lists of tasks, numbers as written."""

from documents.content.normalising.list_items import STYLE_TYPES
from documents.content.normalising.tasks import DONE, OPEN
from documents.content.normalising.tree import LISTS, Element, Node, elements_in, has_target, is_blank
from documents.whole_numbers import read_whole_number

TASKS = "tasks"
TYPES = frozenset("1aAiI")
LIST_CLASSES = {"ol": ("outline",), "ul": ("unmarked", TASKS)}
MAX_NUMBER = 999_999


def tidy(root: Element) -> None:
    """Repair the lists in ``root``, from the inside out."""
    tags = {child.tag for child in root.children if isinstance(child, Element)}
    if "li" in tags and root.tag not in LISTS:
        _wrap_orphans(root)
        tags.add("ul")
    for child in root.children:
        if isinstance(child, Element):
            tidy(child)
    if not tags.isdisjoint(LISTS):
        _split_task_lists(root)
        root.children = [child for child in root.children if not _is_empty_list(child)]
    if root.tag in LISTS:
        _adopt(root)
        _number(root)


def _is_empty_list(node: Node) -> bool:
    return isinstance(node, Element) and node.tag in LISTS and not elements_in(node)


def _wrap_orphans(parent: Element) -> None:
    """Put items that are in no list into one."""
    children: list[Node] = []
    container: Element | None = None
    for child in parent.children:
        if isinstance(child, Element) and child.tag == "li":
            if container is None:
                container = Element("ul")
                children.append(container)
            container.children.append(child)
        else:
            container = None
            children.append(child)
    parent.children = children


def _adopt(container: Element) -> None:
    """Make each child an item, and put a list without an item of its own into the item before it."""
    items: list[Node] = []
    for child in container.children:
        previous = next((item for item in reversed(items) if isinstance(item, Element)), None)
        if isinstance(child, str):
            _keep_text(child, items)
        elif child.tag in LISTS:
            _nest(child, previous, items)
        elif child.tag != "li":
            if not is_blank(child) or has_target(child):
                items.append(Element("li", children=[child]))
        elif (inner := _only_lists(child)) and not _is_task(child):
            for nested in inner:
                _nest(nested, previous, items)
                previous = next((item for item in reversed(items) if isinstance(item, Element)), None)
        else:
            items.append(child)
    container.children = items


def _keep_text(text: str, items: list[Node]) -> None:
    if text.strip():
        items.append(Element("li", children=[text]))
    elif "\n" in text and (not items or isinstance(items[-1], Element)):
        items.append("\n")


def _nest(nested: Element, previous: Element | None, items: list[Node]) -> None:
    """Put a list into the item before it; without one, or after an empty one, its items move up."""
    if previous is None or is_blank(previous):
        for child in nested.children:
            if isinstance(child, str):
                _keep_text(child, items)
            else:
                items.append(child)
        return
    last = previous.children[-1] if previous.children else ""
    if isinstance(last, Element) and last.tag == nested.tag and _kind(last) == _kind(nested):
        last.children.extend(nested.children)
    else:
        previous.children.append(nested)


def _kind(container: Element) -> tuple[str, str]:
    return container.attributes.get("type", ""), container.attributes.get("class", "")


def _only_lists(item: Element) -> list[Element]:
    """Return the lists of an item that has nothing else, as Lexical writes nested lists."""
    inner = []
    for child in item.children:
        if isinstance(child, Element) and child.tag in LISTS:
            inner.append(child)
        elif not is_blank(child):
            return []
    return inner


def _is_task(item: Element) -> bool:
    return item.has_class(DONE, OPEN)


def _split_task_lists(parent: Element) -> None:
    """Make lists of tasks, apart from the items of the same list that are none."""
    children: list[Node] = []
    for child in parent.children:
        if isinstance(child, Element) and child.tag in LISTS and any(map(_is_task, elements_in(child))):
            for run in _runs(child):
                _append_run(run, children)
        else:
            children.append(child)
    parent.children = children


def _append_run(run: Element, children: list[Node]) -> None:
    """Add a list, or its tasks to those right before it: Quill writes a list for each state."""
    last = children[-1] if children else ""
    if isinstance(last, Element) and last.has_class(TASKS) and run.has_class(TASKS):
        last.children.extend(run.children)
    else:
        children.append(run)


def _runs(container: Element) -> list[Element]:
    """Return the tasks of a list and its other items as lists of their own."""
    runs: list[Element] = []
    for child in elements_in(container):
        is_task = _is_task(child)
        if not runs or runs[-1].has_class(TASKS) != is_task:
            runs.append(_task_list(container) if is_task else _other_list(container))
        if is_task:
            child.attributes.pop("value", None)
        runs[-1].children.append(child)
    return runs


def _task_list(container: Element) -> Element:
    kept = {name: value for name, value in container.attributes.items() if name in {"dir", "lang"}}
    return Element("ul", {"class": TASKS, **kept})


def _other_list(container: Element) -> Element:
    kept = {name: value for name, value in container.attributes.items() if name != "class"}
    return Element(container.tag, kept, container.style)


def _number(container: Element) -> None:
    """Write type, start and values as far as they change what is printed."""
    attributes = container.attributes
    items = [child for child in elements_in(container) if child.tag == "li"]
    names = [name for name in LIST_CLASSES[container.tag] if container.has_class(name)]
    kept = {"class": names[0]} if names and (names[0] != TASKS or any(map(_is_task, items))) else {}
    kept |= {name: attributes[name] for name in ("id", "dir", "lang") if name in attributes}
    if container.tag == "ul":
        for item in items:
            item.attributes.pop("value", None)
    else:
        kept |= _ordered_attributes(container, items)
    container.attributes = kept


def _ordered_attributes(container: Element, items: list[Element]) -> dict[str, str]:
    attributes = container.attributes
    style = container.style.get("list-style-type") or (items[0].style.get("list-style-type") if items else "")
    written = attributes.get("type") or STYLE_TYPES.get(style or "", "")
    kept = {"type": written} if written in TYPES - {"1"} else {}
    is_reversed = "reversed" in attributes
    start = _to_number(attributes.get("start", ""))
    if start is None:
        start = len(items) if is_reversed else 1
    if start != 1:
        kept["start"] = str(start)
    _keep_values(items, start, step=-1 if is_reversed else 1)
    return kept


def _keep_values(items: list[Element], start: int, step: int) -> None:
    """Keep the values that the printer would not count by itself; it only counts up."""
    number, counted = start - step, start - 1
    for item in items:
        value = _to_number(item.attributes.pop("value", ""))
        number = number + step if value is None else value
        counted += 1
        if number != counted:
            item.attributes["value"] = str(number)
            counted = number


def _to_number(text: str) -> int | None:
    digits = text.strip().removeprefix("-")
    if read_whole_number(digits, MAX_NUMBER + 1) > MAX_NUMBER:
        return None
    return int(text.strip())
