"""Merge the structure trees of tagged PDFs, which pikepdf does not do."""

from collections.abc import Callable, Sequence
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf


def merge_structure_trees(target: Pdf, sources: Sequence[Pdf], first_pages: Sequence[int]) -> None:
    """Append the structure trees of ``sources`` to that of ``target``, which already contains their pages.

    ``first_pages`` are the numbers, from 0, of each source's first page in ``target``. The children of each
    source's Document element move under that of the target. The numbers by which pages and annotations refer to
    their elements continue those of the target.
    """
    root = target.Root.StructTreeRoot
    [document] = root.K
    numbers: list[Any] = list(root.ParentTree.Nums)
    elements = list(document.K)
    for source, first_page in zip(sources, first_pages, strict=True):
        tree = target.copy_foreign(source.Root.StructTreeRoot)  # its pages are there already
        offset = len(numbers) // 2
        for page in target.pages[first_page : first_page + len(source.pages)]:
            _renumber(page.obj, offset)
        for key, value in enumerate(list(tree.ParentTree.Nums)[1::2], start=offset):
            numbers += (key, value)
        for element in tree.K[0].K:
            element.P = document
            elements.append(element)
    document.K = Array(elements)
    root.ParentTree = target.make_indirect(Dictionary(Nums=Array(numbers)))
    root.ParentTreeNextKey = len(numbers) // 2


def remove_links(pdf: Pdf, is_dead: Callable[[Any], bool]) -> None:
    """Remove the annotations of links that lead nowhere from the pages of a tagged PDF, and keep their texts."""
    for page in pdf.pages:
        annotations = page.obj.get(Name.Annots, ())
        if not (dead := {annotation.objgen for annotation in annotations if is_dead(annotation)}):
            continue
        numbers = {int(annotation.StructParent) for annotation in annotations if annotation.objgen in dead}
        page.obj.Annots = Array([annotation for annotation in annotations if annotation.objgen not in dead])
        for element in _elements(pdf, numbers):
            _remove_references(element, dead)


def _elements(pdf: Pdf, numbers: set[int]) -> list[Any]:
    """Return the elements with these numbers in the parent tree, and take their annotations out of it."""
    flat = list(pdf.Root.StructTreeRoot.ParentTree.Nums)
    pairs = list(zip(flat[::2], flat[1::2], strict=True))
    # The numbers stay without a gap, as the merging counts them.
    kept = [(number, Array([]) if number in numbers else value) for number, value in pairs]
    pdf.Root.StructTreeRoot.ParentTree.Nums = Array([item for pair in kept for item in pair])
    return [value for number, value in pairs if number in numbers]


def _remove_references(element: Any, dead: set[tuple[int, int]]) -> None:
    """Remove references to dead annotations; an element without any other is no link any more."""
    kids = [kid for kid in element.K if not (_is_reference(kid) and kid.Obj.objgen in dead)]
    element.K = Array(kids)
    if not any(map(_is_reference, kids)):
        element.S = Name.Span


def _is_reference(kid: Any) -> bool:
    return isinstance(kid, Dictionary) and kid.get(Name.Type) == Name.OBJR


def _renumber(page: pikepdf.Object, offset: int) -> None:
    page.StructParents = int(page.StructParents) + offset
    for annotation in page.get(Name.Annots, ()):
        if Name.StructParent in annotation:
            annotation.StructParent = int(annotation.StructParent) + offset
