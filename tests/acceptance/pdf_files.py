"""Read out of a PDF what people do not see: outline, places, links, structure."""

import io

import pikepdf
import pypdfium2

from documents.infrastructure import storage


def opened(output):
    with storage.open_file(output.file.name) as stream:
        return pikepdf.open(io.BytesIO(stream.read()))


def shown(output):
    with storage.open_file(output.file.name) as stream:
        return pypdfium2.PdfDocument(stream.read())


def texts(output):
    """Return the words of each page."""
    return [page.get_textpage().get_text_range().split() for page in shown(output)]


def title_and_page(output):
    return [(title, page) for _, title, page, _ in outline(opened(output))]


def page_numbers(pdf_file):
    return {page.objgen: number for number, page in enumerate(pdf_file.pages)}


def boxes(pdf_file):
    """Return the boxes that any page has, in whole points: the sheet, and what is printed and cut of it."""
    names = ("/MediaBox", "/BleedBox", "/TrimBox")
    return {tuple(round(float(side)) for side in page.obj[name]) for page in pdf_file.pages for name in names}


def outline(pdf_file):
    """Return level, title, page and height of each bookmark."""
    pages, entries = page_numbers(pdf_file), []

    def walk(items, level):
        for item in items:
            page, _, _, y, _ = item.destination
            entries.append((level, item.title, pages[page.objgen], round(float(y))))
            walk(item.children, level + 1)

    with pdf_file.open_outline() as root:
        walk(root.root, 1)
    return entries


def places(pdf_file):
    """Return page and height of each named place."""
    pages, names = page_numbers(pdf_file), list(pdf_file.Root.Names.Dests.Names)
    return {
        str(name): (pages[place[0].objgen], round(float(place[3])))
        for name, place in zip(names[::2], names[1::2], strict=True)
    }


def links(pdf_file):
    """Return the page and the target of each link."""
    return [
        (number, str(annotation.Dest))
        for number, page in enumerate(pdf_file.pages)
        for annotation in page.obj.get("/Annots", ())
    ]


def elements(pdf_file):
    """Return kind, page and element of the whole structure in reading order."""
    pages, tagged = page_numbers(pdf_file), []

    def walk(element):
        for kid in element.K:
            if isinstance(kid, pikepdf.Dictionary) and kid.get("/Type") == "/StructElem":
                assert kid.P.objgen == element.objgen
                tagged.append((str(kid.S), pages[_first_page(kid).objgen], kid))
                walk(kid)

    [document] = pdf_file.Root.StructTreeRoot.K
    walk(document)
    return tagged


def _first_page(element):
    if "/Pg" in element:
        return element.Pg
    kids = [kid for kid in element.K if isinstance(kid, pikepdf.Dictionary)]
    return next(filter(None, map(_first_page, kids)), None)


def marks_of(element):
    """Return the page and the number of each piece of content that an element has itself."""
    direct = [(element.Pg, int(kid)) for kid in element.K if isinstance(kid, int)]
    others = [
        (kid.get("/Pg", element.get("/Pg")), int(kid.MCID))
        for kid in element.K
        if isinstance(kid, pikepdf.Dictionary) and kid.get("/Type") == "/MCR"
    ]
    return [(page.objgen, mark) for page, mark in (*direct, *others)]


def numbers(pdf_file):
    """Return the parent tree: the number of a page or an annotation, and its elements."""
    flat = list(pdf_file.Root.StructTreeRoot.ParentTree.Nums)
    return {int(key): value for key, value in zip(flat[::2], flat[1::2], strict=True)}
