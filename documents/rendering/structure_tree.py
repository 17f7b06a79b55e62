"""Merge the structure trees of tagged PDFs, which pikepdf does not do."""

from collections.abc import Sequence
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


def _renumber(page: pikepdf.Object, offset: int) -> None:
    page.StructParents = int(page.StructParents) + offset
    for annotation in page.get(Name.Annots, ()):
        if Name.StructParent in annotation:
            annotation.StructParent = int(annotation.StructParent) + offset
