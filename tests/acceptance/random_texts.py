"""Random texts as authors may send them: tables, lists, figures, headings and links, whole and broken."""

WORDS = (
    *("seagrass", "bay", "cover", "meadow", "12", "±", "3", "%", "survey", "of", "the", "coast"),
    *("naïve", "海草", "Ωμέγα", "transects", "😀", "2026"),
)
# No font has two of them.
AWKWARD = ("\ue001", "\U000e01f0", "https://example.org/sea_grass.v2/variables?a=b&amp;c=" + "ACTG" * 12)
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


def text(chosen, pictures, pieces=12):
    """Return the HTML of a text; ``pictures`` are the addresses of images that it may show."""
    makers = (
        *(heading, paragraph, paragraph, a_list, table, table, figure, quote, definitions, empty, loose),
        awkward,
    )
    return "".join(chosen.choice(makers)(chosen, pictures) for _ in range(pieces))


def words(chosen, most=25):
    return " ".join(chosen.choices(WORDS, k=chosen.randint(1, most)))


def inline(chosen):
    content = words(chosen)
    return chosen.choice(
        (
            content,
            f"<b>{content}</b> <i>{words(chosen, 4)}</i>",
            f'<a href="https://example.org/{chosen.randint(1, 9)}">{content}</a>',
            f'<a href="#nowhere">{content}</a>',
            f'<span lang="fr">{content}</span>',
            f'<abbr title="World Health Organization">WHO</abbr> {content}',
            f"{content}<br>{words(chosen)}<sup>2</sup>",
            f'<a href="https://example.org/"><b>{content}</b> <i>{words(chosen, 3)}</i></a>',
            f"<code>{content}</code> <a href='https://example.org'></a>",
        )
    )


def heading(chosen, _pictures):
    name = chosen.choice(HEADINGS)
    return f"<{name}>{chosen.choice((words(chosen, 6), '', words(chosen, 3)))}</{name}>"


def paragraph(chosen, _pictures):
    return "".join(f"<p>{inline(chosen)}</p>" for _ in range(chosen.randint(1, 4)))


def a_list(chosen, pictures, depth=0):
    name = chosen.choice(("ul", "ol", 'ol type="a"', 'ol start="7"'))
    items = []
    for _ in range(chosen.randint(1, 5)):
        content = chosen.choice((inline(chosen), f"<p>{inline(chosen)}</p><p>{inline(chosen)}</p>", ""))
        inner = a_list(chosen, pictures, depth + 1) if depth < 3 and chosen.random() < 0.3 else ""
        items.append(f"<li>{content}{inner}</li>")
    return f"<{name}>{''.join(items)}</{name.split()[0]}>"


def table(chosen, pictures):
    rows, columns = chosen.choice(((1, 1), (1, 4), (4, 1), (3, 3), (6, 4), (30, 3)))
    head = chosen.choice(("none", "row", "column", "thead", "both"))
    lines = [_row(chosen, number, columns, head) for number in range(rows)]
    caption = f"<caption>{words(chosen, 5)}</caption>" if chosen.random() < 0.3 else ""
    if head == "thead":
        lines[0] = f"<thead>{lines[0]}</thead><tbody>"
    return f"<table>{caption}{''.join(lines)}</table>"


def _row(chosen, number, columns, head):
    cells = []
    for column in range(chosen.choice((columns, columns, columns, max(1, columns - 1)))):
        is_head = (number == 0 and head in {"row", "thead", "both"}) or (
            column == 0 and head in {"column", "both"}
        )
        name = "th" if is_head else "td"
        spans = chosen.choices(("", ' colspan="2"', ' rowspan="2"', ' rowspan="9"'), (40, 2, 2, 1))
        [span] = spans
        content = chosen.choice((words(chosen, 5), words(chosen, 5), f"<p>{inline(chosen)}</p>"))
        if is_head:  # outloud takes a repeated row of eight words for lost prose
            content = words(chosen, 2)
        cells.append(f"<{name}{span}>{content}</{name}>")
    return f"<tr>{''.join(cells)}</tr>"


def figure(chosen, pictures):
    if not pictures:
        return paragraph(chosen, pictures)
    alternative = chosen.choice(('alt="A bay"', 'alt=""', ""))
    image = f'<img src="{chosen.choice(pictures)}" {alternative}>'
    caption = chosen.choice(("", f"<figcaption>A bay at low tide, {words(chosen, 2)}</figcaption>"))
    linked = f'<p><a href="https://example.org/">{image}</a></p>'
    return chosen.choice(
        (f"<figure>{image}{caption}</figure>", f"<p>{image} {words(chosen)}</p>", image, linked)
    )


def awkward(chosen, _pictures):
    """Return what is laid out twice: characters without a glyph, or a table that does not fit."""
    cells = "".join(f"<td>{chosen.choice(AWKWARD)}</td>" for _ in range(chosen.randint(1, 12)))
    paragraph_or_table = (
        f"<p>{chosen.choice(AWKWARD)}</p>",
        f"<table><tr>{cells}</tr><tr>{cells}</tr></table>",
    )
    return chosen.choice(paragraph_or_table)


def quote(chosen, _pictures):
    return f"<blockquote>{chosen.choice((inline(chosen), f'<p>{inline(chosen)}</p>'))}</blockquote>"


def definitions(chosen, _pictures):
    term, meaning = f"<dt>{words(chosen, 3)}</dt>", f"<dd>{inline(chosen)}</dd>"
    pairs = "".join(chosen.choices((term + meaning, term, meaning), k=3))
    return f"<dl>{pairs}</dl>"


def empty(chosen, _pictures):
    return chosen.choice(
        ("<p></p>", "<p>&nbsp;</p>", "<p><br></p>", "<hr>", "<ul><li></li></ul>", "<table></table>")
    )


def loose(chosen, _pictures):
    return f"{words(chosen)}<div>{inline(chosen)}</div>"
