"""Build nested lists from flat items; numbers go on counting where a list is interrupted."""

from dataclasses import dataclass, field, replace

from documents.content.normalising import list_items
from documents.content.normalising.css import Stylesheet
from documents.content.normalising.list_items import Item
from documents.content.normalising.markers import Marker, Number
from documents.content.normalising.tree import LISTS, Element, Node, has_blocks, is_blank

MARGIN_TOLERANCE_PIXELS = 1.5


@dataclass(slots=True)
class OpenList:
    """A list that the next item may go into; ``value`` is the number of its last item."""

    level: int
    key: str
    type: str
    element: Element
    margin: float | None
    value: int = 0


@dataclass(slots=True)
class ListBuilder:
    """Puts blocks and items in their place; ``counts`` are the numbers reached, by list and level."""

    output: list[Node] = field(default_factory=list)
    open_lists: list[OpenList] = field(default_factory=list)
    counts: dict[tuple[str, int], int] = field(default_factory=dict)

    def add_block(self, node: Node) -> None:
        """Add what is no item: between two of the same list if it is blank, into the item that it belongs to."""
        if isinstance(node, str) and not node.strip() and self.open_lists:
            return
        if isinstance(node, Element) and (item := self._item_continued_by(node)) is not None:
            node.style = {name: value for name, value in node.style.items() if "margin" not in name}
            item.children.append(node)
            return
        if self.open_lists and isinstance(node, Element) and node.tag == "span" and is_blank(node):
            return  # a bookmark that goes on across paragraphs
        self.open_lists.clear()
        self.output.append(node)

    def _item_continued_by(self, block: Element) -> Element | None:
        if block.tag != "p" or (margin := list_items.margin_of(block)) is None or margin <= 0:
            return None
        for number, opened in reversed(list(enumerate(self.open_lists))):
            if opened.margin is not None and abs(opened.margin - margin) <= MARGIN_TOLERANCE_PIXELS:
                del self.open_lists[number + 1 :]
                return _last_item(opened.element)
        return None

    def add_item(self, item: Item) -> None:
        """Add an item to the list of its level, which is opened if need be."""
        item = self._with_literal_marker(self._with_level_by_margin(item))
        number = self._number_of(item)
        while self.open_lists and not self._continues(item, number):
            self.open_lists.pop()
        if not self.open_lists or self.open_lists[-1].level < item.level:
            self._open(item, number)
        opened = self.open_lists[-1]
        if number is not None:
            if number.value != opened.value + 1:
                item.element.attributes["value"] = str(number.value)
            opened.value = self.counts[item.key, item.level] = number.value
        opened.element.children.append(item.element)

    def _with_level_by_margin(self, item: Item) -> Item:
        """Return an item whose list was lost one level below those that are less far in."""
        if item.key != list_items.LOST or item.margin is None:
            return item
        outer = [
            opened
            for opened in self.open_lists
            if opened.margin is not None and opened.margin <= item.margin + MARGIN_TOLERANCE_PIXELS
        ]
        if not outer:
            return replace(item, level=1)
        is_beside = item.margin - (outer[-1].margin or 0.0) <= MARGIN_TOLERANCE_PIXELS
        return replace(item, level=outer[-1].level + (not is_beside))

    def _continues(self, item: Item, number: Number | None) -> bool:
        """Return True if the innermost open list takes the item, or a list inside it would."""
        opened = self.open_lists[-1]
        above = self.open_lists[-2].level if len(self.open_lists) > 1 else 0
        if above < item.level < opened.level and opened.key == item.key and _type(item, number) == "disc":
            opened.level = item.level  # the items before it skipped a level
        if opened.level != item.level:
            return opened.level < item.level
        if _type(item, number) != opened.type:
            return False
        is_next = number is not None and number.value == opened.value + 1
        is_restart = number is not None and number.value <= opened.value
        return is_next or (opened.key == item.key and not is_restart)

    def _open(self, item: Item, number: Number | None) -> None:
        list_type = _type(item, number)
        element = Element("ol" if number else "ul")
        if list_type in {"a", "A", "i", "I"}:
            element.attributes["type"] = list_type
        elif list_type in {"outline", "unmarked"}:
            element.attributes["class"] = list_type
        opened = OpenList(item.level, item.key, list_type, element, item.margin)
        if number is not None and number.value != 1:
            element.attributes["start"] = str(number.value)
            opened.value = number.value - 1
        parent = _last_item(self.open_lists[-1].element).children if self.open_lists else self.output
        parent.append(element)
        self.open_lists.append(opened)

    def _number_of(self, item: Item) -> Number | None:
        """Return an item's number: the reading of its marker that fits, or the next one of its list."""
        marker = item.marker
        if marker.outline:
            return Number("outline", marker.outline[-1])
        if marker.numbers:
            opened = next((opened for opened in self.open_lists if opened.level == item.level), None)
            fitting = (
                reading
                for reading in marker.numbers
                if opened and (reading.type, reading.value) == (opened.type, opened.value + 1)
            )
            return next(fitting, marker.numbers[0])
        if not item.fallback_type:
            return None
        for level in range(item.level + 1, list_items.MAX_LEVEL + 1):
            self.counts.pop((item.key, level), None)  # deeper levels begin again
        return Number(item.fallback_type, self.counts.get((item.key, item.level), item.start - 1) + 1)

    def _with_literal_marker(self, item: Item) -> Item:
        """Write a marker that no list can count into the item's text."""
        text = item.marker.literal
        heading = _heading_in(item.element)
        if item.marker.outline and (heading or not self._counts_up_to(item)):
            text = ".".join(str(number) for number in item.marker.outline) + "."
        if not text:
            return item
        (heading or item.element).children.insert(0, f"{text} ")
        return replace(item, marker=Marker(literal=text))

    def _counts_up_to(self, item: Item) -> bool:
        """Return True if the open lists count to the outline number that the item shows."""
        above = [opened for opened in self.open_lists if opened.level < item.level]
        values = tuple(opened.value for opened in above)
        is_counted = all(opened.type in {"1", "outline"} for opened in above)
        return is_counted and values == item.marker.outline[:-1]


def _type(item: Item, number: Number | None) -> str:
    if number is not None:
        return number.type
    return "unmarked" if item.marker.literal else "disc"


def _heading_in(item: Element) -> Element | None:
    first = item.children[0] if len(item.children) == 1 else ""
    return first if isinstance(first, Element) and first.tag in list_items.PARAGRAPHS else None


def _last_item(container: Element) -> Element:
    child = container.children[-1]
    if not isinstance(child, Element):
        raise TypeError("a list that is being built holds items only")
    return child


def nest(root: Element, sheet: Stylesheet) -> None:
    """Replace the flat items in ``root`` by nested lists."""
    counts: dict[tuple[str, int], int] = {}
    _nest(root, sheet, counts)


def _nest(parent: Element, sheet: Stylesheet, counts: dict[tuple[str, int], int]) -> None:
    builder = ListBuilder(counts=counts)
    for child in parent.children:
        items = _items_of(child, sheet)
        if items is None:
            if isinstance(child, Element):
                _nest(child, sheet, counts)
            builder.add_block(child)
            continue
        for item in items:
            _nest(item.element, sheet, counts)
            builder.add_item(item)
    parent.children = builder.output


def _items_of(node: Node, sheet: Stylesheet) -> list[Item] | None:
    """Return the items that a node is, or None if it is none."""
    if isinstance(node, str):
        return None
    if node.tag in LISTS:
        return list_items.items_of_flat_list(node)
    is_described = (node.style or "class" in node.attributes) and not has_blocks(node)
    if (
        is_described
        and node.tag in list_items.PARAGRAPHS
        and (item := list_items.word_item(node, sheet)) is not None
    ):
        return [item]
    return None
