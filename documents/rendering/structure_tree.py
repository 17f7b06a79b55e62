"""Join the structure trees of tagged PDFs, which pikepdf does not do by itself."""

from collections.abc import Sequence
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf


def merge_structure_trees(target: Pdf, sources: Sequence[Pdf], first_pages: Sequence[int]) -> None:
    """Append the structure of the sources to that of ``target``, which has their pages from ``first_pages`` on.

    Each source has one Document element; their children follow each other under the one of the target. The
    numbers by which pages and annotations find their elements are counted on.
    """
    root = target.Root.StructTreeRoot
    [document] = root.K
    numbers: list[Any] = list(root.ParentTree.Nums)
    elements = list(document.K)
    for source, first_page in zip(sources, first_pages, strict=True):
        tree = target.copy_foreign(source.Root.StructTreeRoot)  # its pages are known already
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
