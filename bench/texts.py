"""The measurements of texts: normalising what editors send, and the fonts for other scripts."""

import time
import tracemalloc
from collections.abc import Iterator

from bench.clients import FONTS, Bench, html_file, render
from bench.memory import MEGABYTE
from bench.report import Row, medians, ratio
from bench.server import bare_weasyprint
from documents.content.normalising import normalise_html
from documents.rendering.pool import FONTS_CONF

MAX_SECONDS, MAX_MEGABYTES = 0.5, 100
WORD_ITEM = (
    "<p class=MsoListParagraphCxSpMiddle style='margin-left:72.0pt;text-indent:-18.0pt;mso-list:l0 level{} lfo1'>"
    "<![if !supportLists]><span style='font-family:Symbol'><span style='mso-list:Ignore'>·<span style='font:7.0pt "
    '"Times New Roman"\'>&nbsp;&nbsp; </span></span></span><![endif]>Item<o:p></o:p></p>\n'
)
TEXTS = {
    "1 MB of nested lists of Word": "".join(WORD_ITEM.format(number % 9 + 1) for number in range(3_300)),
    "80,000 bold words": "<p>" + "<b>word </b>" * 80_000 + "</p>",
    "400 kB of paragraphs": "<p>A line of some text</p>\n" * 14_500,
}
LATIN, CHINESE = "Wang Xiaoming, Li Hua, Zhang Wei, Liu Yang, Chen Jing", "王小明, 李华, 张伟, 刘洋, 陈静"


def texts(bench: Bench) -> Iterator[Row]:
    """Measure normalising large texts, Latin text with the fonts for other scripts, and five Chinese names."""
    for name, html in TEXTS.items():
        yield _normalising(name, html, bench.times(10))
    yield _latin(bench)
    yield _names(bench)


def _normalising(name: str, html: str, times: int) -> Row:
    fastest = min(_computing_seconds(html) for _ in range(times))
    tracemalloc.start()
    normalise_html(html)
    peak = tracemalloc.get_traced_memory()[1] / MEGABYTE
    tracemalloc.stop()
    return Row(
        criterion=f"normalising {name}, computing time and memory",
        goal=f"< {MAX_SECONDS} s, {MAX_MEGABYTES} MB",
        measured=f"{fastest:.2f} s, {peak:.0f} MB",
        is_met=fastest < MAX_SECONDS and peak < MAX_MEGABYTES,
    )


def _computing_seconds(html: str) -> float:
    started = time.process_time()
    normalise_html(html)
    return time.process_time() - started


def _latin(bench: Bench) -> Row:
    """Compare a report in Latin letters with and without the fonts of other scripts, in turns."""
    ours = bench.folder / "ours.conf"
    ours.write_text(
        f"<fontconfig><dir>{FONTS_CONF.parent}</dir><cachedir>{bench.folder}</cachedir></fontconfig>"
    )
    html = html_file(bench.folder, bench.documents.medium[0])
    with bare_weasyprint(FONTS) as more, bare_weasyprint({"FONTCONFIG_FILE": str(ours)}) as fewer:
        for bare in (more, fewer):  # warm
            bare(html)
        pairs = [(more(html)[0], fewer(html)[0]) for _ in range(bench.times(15))]
    return Row(
        criterion="a Latin document with the fonts for other scripts, time compared with ours alone",
        goal="≤ 1.02",
        measured=f"{ratio(pairs):.2f} ({medians(pairs)})",
        is_met=ratio(pairs) <= 1.02,
    )


def _names(bench: Bench) -> Row:
    sizes = [_size_bytes(bench, names) for names in (LATIN, CHINESE)]
    return Row(
        criterion="size of a PDF with five Chinese names, compared with the same in Latin letters",
        measured=f"{(sizes[1] - sizes[0]) / 1000:+.1f} kB on {sizes[0] / 1000:.0f} kB",
    )


def _size_bytes(bench: Bench, names: str) -> int:
    client, address = bench.client(), bench.address(bench.documents.short).removesuffix("pdf/")
    key = next(iter(client.get(address).json()["sections"]))
    client.patch(address, json={"sections": {key: f"<p>{names}</p>"}}).raise_for_status()
    render(client, f"{address}pdf/")
    return len(client.get(f"{address}pdf/").content)
