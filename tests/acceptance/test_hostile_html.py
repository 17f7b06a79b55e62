"""The rendering room alone, without the sanitiser before it: it fetches nothing and survives everything."""

import base64
import contextlib
import http.server
import io
import itertools
import threading
import time
import urllib.request
from collections.abc import Callable

import pikepdf
import psutil
import pypdfium2
import pytest
from PIL import Image

from documents import exceptions
from documents.rendering import pool
from documents.rendering.protocol import RenderJob
from tests.waiting import promised

LIMITS = pool.ChildLimits(memory_bytes=400 * 1024**2, renders=100)
DEADLINE_SECONDS = 1.0
PATIENCE_SECONDS = 120  # for what is no test of the deadline: a process may have to start on a busy machine
PLAIN = "<title>Plain</title><p>A plain page."
SECRET = "MARKER-of-the-secret-file"
REFUSALS = (
    exceptions.RenderTimeout,
    exceptions.RenderCpuLimit,
    exceptions.RenderOutOfMemory,
    exceptions.DocumentUnrenderable,
)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A pool with one child, and the folder it works in."""
    folder = tmp_path_factory.mktemp("room")
    rooms = pool.Pool(folder, slot_count=1, limits=LIMITS)
    rooms.warm()
    yield rooms, folder
    rooms.close()


@pytest.fixture(scope="module")
def server():
    """A real HTTP server on the loopback, and the list of requests that reached it."""
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            self.send_response(302 if self.path.startswith("/redirect") else 200)
            self.send_header("Location", "/secret")
            self.end_headers()
            self.wfile.write(SECRET.encode())

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{serving.server_port}"
        with urllib.request.urlopen(f"{address}/redirect") as answer:
            assert answer.read() == SECRET.encode()
        assert requests == ["/redirect", "/secret"]  # so it would have been seen
        requests.clear()
        yield address, requests
        serving.shutdown()


def render(room, html, *, seconds=DEADLINE_SECONDS, cpu_seconds=20):
    """Return the PDF's bytes and what the render said of it."""
    rooms, folder = room
    page, target = folder / "page.html", folder / "page.pdf"
    page.write_bytes(html if isinstance(html, bytes) else html.encode("utf-8", "surrogatepass"))
    target.unlink(missing_ok=True)
    job = RenderJob(html_path=str(page), pdf_path=str(target), cpu_seconds=cpu_seconds)
    rendered = rooms.render(job, deadline=time.monotonic() + seconds, report=lambda phase, pages: None)
    return target.read_bytes(), rendered


def assert_the_next_render_works(room):
    pdf, rendered = render(room, PLAIN, seconds=PATIENCE_SECONDS)
    assert (rendered.pages, text_of(pdf).splitlines()) == (1, ["A plain page.", "Page 1 of 1"])


def text_of(pdf):
    with contextlib.closing(pypdfium2.PdfDocument(pdf)) as document:
        return "\n".join(
            document[number].get_textpage().get_text_bounded() for number in range(len(document))
        )


def everything_in(pdf):
    """Yield all that a reader could find in a PDF: text, attachments, and each stream as it is decoded."""
    yield text_of(pdf).encode()
    yield pdf
    with pikepdf.open(io.BytesIO(pdf)) as document:
        assert not list(document.attachments)
        for item in document.objects:
            if isinstance(item, pikepdf.Stream):
                with contextlib.suppress(pikepdf.PdfError):
                    yield item.read_bytes()
                yield item.read_raw_bytes()


@contextlib.contextmanager
def peak_memory(folder):
    """Collect the resident memory of the one child that works in ``folder``, 200 times a second."""
    [child] = [child for child in psutil.Process().children() if child.cwd().startswith(str(folder))]
    memory_bytes, over = [0], threading.Event()

    def watch():
        while not over.wait(0.005):
            with contextlib.suppress(psutil.Error):
                memory_bytes.append(child.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield memory_bytes
    finally:
        over.set()
        watcher.join()


FETCHES = {
    "image": "<img src='{0}'>",
    "srcset": "<img srcset='{0} 2x' src='{0}'>",
    "stylesheet": "<link rel=stylesheet href='{0}'>",
    "icon": "<link rel='icon stylesheet' href='{0}'>",
    "frame": "<iframe src='{0}'></iframe><frame src='{0}'>",
    "object": "<object data='{0}'></object><object data='{0}' type='image/svg+xml'></object>",
    "embed": "<embed src='{0}' type='image/svg+xml'><embed src='{0}' type='image/png'>",
    "media": "<video poster='{0}' src='{0}'></video><audio src='{0}'></audio><input type=image src='{0}'>",
    "import": "<style>@import '{0}'; @import url({0}) print;</style>",
    "import in a data URI": "<link rel=stylesheet href='data:text/css,@import%20%22{0}%22;'>",
    "style element in svg": "<svg xmlns='http://www.w3.org/2000/svg'><style>@import '{0}';</style></svg>",
    "background": "<p style='background:url({0})'>x</p><body background='{0}'>",
    "page background": "<style>@page {{ background: url({0}) }}</style>",
    "list, border and content": (
        "<style>li {{ list-style-image: url({0}); border-image: url({0}) 1; mask-image: url({0}) }}"
        "li::before {{ content: url({0}) }} @page {{ @top-left {{ content: url({0}) }} }}</style>"
        "<ul><li>x</ul>"
    ),
    "font": "<style>@font-face {{ font-family: f; src: url({0}) }} p {{ font-family: f }}</style><p>x</p>",
    "attachment link": "<a rel=attachment href='{0}'>x</a>",
    "attachment of the file": "<link rel=attachment href='{0}'>",
    "image in svg": (
        "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'>"
        "<image width='9' height='9' xlink:href='{0}'/><image width='9' height='9' href='{0}'/>"
        "<use href='{0}#a'/><rect fill='url({0}#a)' width='9' height='9'/></svg>"
    ),
    "refresh": "<meta http-equiv=refresh content='0;url={0}'>",
    "script": "<script src='{0}'></script><script>fetch('{0}')</script>",
    "content attribute": "<style>p::after {{ content: target-text(url({0})) }}</style><p>x",
}


@pytest.mark.parametrize("way", FETCHES)
def test_no_file_is_read(room, way, tmp_path):
    secret = tmp_path / "secret.css"
    secret.write_text(f"p::after {{ content: '{SECRET}' }} {SECRET}")
    relative = "../" * 30 + str(secret).lstrip("/")
    addresses = (
        secret.as_uri(),
        f"FILE://localhost{secret}",
        f"file:{secret}",
        str(secret),
        relative,
        relative.replace("..", "%2e%2e"),
        "file:///etc/passwd",
        "file:///proc/self/environ",
    )
    html = "<p>x</p>" + "".join(FETCHES[way].format(address) for address in addresses)
    pdf, _ = render(room, html, seconds=PATIENCE_SECONDS)
    for content in everything_in(pdf):
        assert SECRET.encode() not in content
        assert b"root:x:0:0" not in content
        assert b"FONTCONFIG_FILE" not in content


@pytest.mark.parametrize(
    "way", ["image", "stylesheet", "attachment link", "attachment of the file", "object"]
)
def test_a_base_element_opens_no_folder(room, way, tmp_path):
    (tmp_path / "secret.css").write_text(f"p::after {{ content: '{SECRET}' }}")
    (tmp_path / "secret.png").write_text(svg(f"<text>{SECRET}</text>"))
    names = ("secret.png", "./secret.png", "/secret.png", f"//localhost{tmp_path}/secret.png", "secret.css")
    html = "".join(FETCHES[way].format(name) for name in names)
    pdf, _ = render(room, f"<base href='{tmp_path.as_uri()}/'><p>x</p>{html}", seconds=PATIENCE_SECONDS)
    for content in everything_in(pdf):
        assert SECRET.encode() not in content


@pytest.mark.parametrize("way", FETCHES)
def test_nobody_is_asked_over_the_network(room, way, server):
    address, requests = server
    port = address.rpartition(":")[2]
    addresses = (
        f"{address}/direct",
        f"{address}/redirect",
        f"//127.0.0.1:{port}/scheme-relative",
        f"http://localhost:{port}/name",
        f"http://user@0x7f.1:{port}/hexadecimal",
        f"HTTP://0.0.0.0:{port}/zero",
        f"ftp://127.0.0.1:{port}/file",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://metadata.google.internal/computeMetadata/v1/",
    )
    html = "<p>x</p>" + "".join(FETCHES[way].format(address) for address in addresses)
    pdf, _ = render(room, f"<base href='{address}/'>{html}", seconds=PATIENCE_SECONDS)
    assert requests == []
    for content in everything_in(pdf):
        assert SECRET.encode() not in content


def data_uri(content, media_type="image/png"):
    data = content if isinstance(content, bytes) else content.encode()
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def svg(body, head=""):
    return (
        f"{head}<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' "
        f"width='100' height='100'>{body}</svg>"
    )


def png(width, height):
    stream = io.BytesIO()
    Image.new("1", (width, height)).save(stream, "PNG")
    return stream.getvalue()


SVG_TYPE = "image/svg+xml"
LAUGHS = (
    "<!DOCTYPE svg [<!ENTITY a0 'ha'>"
    + "".join(f"<!ENTITY a{n + 1} '{f'&a{n};' * 10}'>" for n in range(9))
    + "]>"
)
DOUBLINGS = "".join(
    f"<use id='u{n + 1}' xlink:href='#g{n}'/><g id='g{n + 1}'><use href='#g{n}'/><use href='#g{n}'/></g>"
    for n in range(25)
)
USES = f"<g id='g0'><rect width='1' height='1'/></g>{DOUBLINGS}<use href='#g25'/>"
SELF_USE = "<g id='a'><use xlink:href='#a' href='#a'/></g><use xlink:href='#a' href='#a'/>"
DECIMALS = " ".join(f"{n} 'x{n}'" for n in range(1, 6000))
FLEX = "<div style='display:flex;flex-wrap:wrap'>"

# What takes time to make is made by the test that needs it.
HOSTILE: dict[str, str | bytes | Callable[[], str]] = {
    "a script": "<p>x<script>while(true){}</script><a href='javascript:alert(1)' onclick='x()'>y</a>",
    "a page that is covered": "<p>x<div style='position:fixed;inset:0;background:#fff;z-index:9'></div>",
    "NUL bytes": b"<p>a\0b<img src='\0'>\0</p\0><\0p>",
    "half-closed tags": "<p><b>x<table><td><i>y</p></b><<a href='<img src=\"<div",
    "half of everything": "<" * 100_000 + "<!--" + "<![CDATA[" + "&#" + "&#xFFFFFFFF;",
    "200 nested divs": "<div>" * 200 + "x",
    "5,000 nested divs": "<div>" * 5_000 + "x",
    "50,000 nested divs": "<div>" * 50_000 + "x",
    "100 nested lists": "<ul><li>" * 100 + "x",
    "200 nested tables": "<table><tr><td>" * 200 + "x",
    "12 nested flex boxes": FLEX * 12 + "<p>x y z</p>" * 3,
    "12 nested grids": "<div style='display:grid'>" * 12 + "<p>x y z</p>" * 3,
    "a table of 20,000 rows": "<table>" + "<tr><td>x<td>y" * 20_000 + "</table>",
    "a cell of a million columns": "<table><tr><td colspan=1000000>x<tr><td>y</table>",
    "a cell of a million rows": "<table><tr><td rowspan=1000000>x<td>y</table>",
    "100,000 columns": "<table><col span=100000><tr><td>x</table>",
    "5 MB of text": "<p>" + "word " * 1_000_000,
    "100,000 lines": "<pre>" + "x\n" * 100_000,
    "a million breaks": "<p>" + "<br>" * 1_000_000,
    "a symbolic counter": (
        "<style>@counter-style s { system: symbolic; symbols: 'x' } p { counter-reset: c 999999999 }"
        "p::before { content: counter(c, s) }</style><p>x"
    ),
    "a long list of a symbolic counter": (
        "<style>@counter-style s { system: symbolic; symbols: 'x' }</style>"
        "<ol style='list-style:s' start=50000000><li>x<li>y</ol>"
    ),
    "content that doubles": (
        "<style>html{--a0:'xxxxxxxxxx'}"
        + "".join(f"html{{--a{n + 1}:var(--a{n}) var(--a{n})}}" for n in range(30))
        + "p::before{content:var(--a30)}</style><p>x"
    ),
    "strings that double": (
        "<style>p { string-set: s string(s) string(s) content() } @page { @top-left { content: string(s) } }"
        "</style>" + "<p>x</p>" * 40
    ),
    "quotes and counters without end": (
        "<style>p::before { content: " + "counters(c,'.') open-quote " * 2000 + "}"
        "p { counter-reset: c }</style>" + "<p>" * 50
    ),
    "a gradient of tiny stops": (
        "<div style='height:200mm;background:repeating-linear-gradient(red 0, blue 0.0001px)'></div>"
        "<div style='height:200mm;background:repeating-radial-gradient(red 0, blue 0.00001px)'></div>"
    ),
    "a background of tiny tiles": (
        f"<style>p {{ height: 200mm; background: url('{data_uri(png(1, 1))}') 0 0 / .01px .01px }}</style><p>"
    ),
    "chains of :not(*)": f"<style>{':not(*)' * 5000} {{}} {'* ' * 3000}{{}}</style>" + "<div>" * 40,
    ":has() and siblings": (
        f"<style>{'*:has(* ~ * ~ * ~ *) ~ * ~ * ~ * {color:red}' * 50}</style>" + "<p>x</p>" * 400
    ),
    "10,000 selectors": (
        f"<style>{''.join(f'.a{n} .b{n} * ~ p {{color:red}}' for n in range(10_000))}</style>"
        + "<p class=a1>x" * 200
    ),
    "brackets without end": f"<style>p{{width:{'calc(' * 50_000}</style><style>{'{[(' * 50_000}</style><p>x",
    "an svg that uses itself": svg(SELF_USE),
    "an svg that doubles itself": svg(USES),
    "an svg of 5,000 nested groups": svg("<g>" * 5_000 + "</g>" * 5_000),
    "an svg image that doubles itself": f"<img src='{data_uri(svg(USES), SVG_TYPE)}'>",
    "an svg image that laughs": f"<img src='{data_uri(svg('<text>&a9;</text>', LAUGHS), SVG_TYPE)}'>",
    "an svg filter of a large radius": svg(
        "<filter id='f'><feGaussianBlur stdDeviation='1e9'/></filter>"
        "<rect width='1e9' height='1e9' filter='url(#f)'/><path d='M0 0" + " A 1 1 0 0 0 9 9" * 20_000 + "'/>"
    ),
    "a pattern of tiny tiles": svg(
        "<pattern id='p' width='1e-9' height='1e-9' patternUnits='userSpaceOnUse'>"
        "<rect width='1' height='1'/></pattern><rect width='100' height='100' fill='url(#p)'/>"
    ),
    "a data URI of 20 MB": lambda: f"<img src='{data_uri(b'x' * 15_000_000)}'>",
    "2,000 data URIs": lambda: f"<img src='{data_uri(png(1000, 1000))}'>" * 2000,
    "an svg that calls itself png": f"<img src='{data_uri(svg(SELF_USE))}'><img src='{data_uri(svg(USES))}'>",
    "a broken data URI": "<img src='data:image/png;base64,%%%'><img src='data:'><img src='data:,'>",
    "a png of 13,000 x 13,000": lambda: f"<img src='{data_uri(png(13_000, 13_000))}'>",
    "a png of 6,000 x 6,000, ten times": lambda: "".join(
        f"<img src='{data_uri(png(6_000, 6_000 + n))}'>" for n in range(10)
    ),
    "font sizes that divide by zero": (
        "".join(
            f"<p style='font-size:{size}'>x<b>y</b></p>" for size in ("0", "1e-30px", "1e30px", "1e999em")
        )
        + "<p style='font-size:1e9px;line-height:1e-9'>x</p><p style='letter-spacing:1e9px'>xy</p>"
    ),
    "pages without room": "<style>@page { size: 1px 1px; margin: 5px }</style><p>x y z" * 20,
    "pages larger than any paper": "<style>@page { size: 1e9px 1e9px }</style><p>x",
    "tabs of any width": "<pre style='tab-size:1000000000'>\tx</pre>",
    "a transformation out of numbers": "<p style='transform:scale(1e308) rotate(1e308deg) skew(90deg)'>x",
    "negative margins": "<p style='margin:-1e9px;text-indent:-1e9px;padding:1e9px'>x</p>" * 20,
    "a box that is never full": "<div style='height:1e7mm'>x</div>",
    "a lone surrogate": "<p>a \ud800 b &#xD800; <a href='#\udfff'>c</a><h1>\ud800</h1>",
    "nothing": "",
    "bytes that are no text": bytes(range(256)) * 200,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_html_ends_in_a_harmless_pdf_or_a_plain_error_and_the_next_render_works(room, name):
    html = make() if callable(make := HOSTILE[name]) else make
    started = time.monotonic()
    with peak_memory(room[1]) as resident:
        try:
            pdf, rendered = render(room, html)
        except REFUSALS as error:
            print(f"{type(error).__name__}: {error}")  # noqa: T201 (shown when the test fails)
        else:
            print(f"{rendered.pages} pages, {rendered.size_bytes} bytes")  # noqa: T201
            assert rendered.pages >= 1
            assert pdf.startswith(b"%PDF-")
    took = time.monotonic() - started
    print(f"{took:.2f} s, {max(resident) / 1024**2:.0f} MiB")  # noqa: T201
    assert took < DEADLINE_SECONDS + promised(1)
    assert max(resident) < LIMITS.memory_bytes * 1.5
    assert_the_next_render_works(room)


def test_a_loop_without_end_is_stopped_by_the_limit_on_computing_time(room):
    with pytest.raises(exceptions.RenderCpuLimit):
        render(room, FLEX * 14 + "<p>x y z</p>" * 3, seconds=PATIENCE_SECONDS, cpu_seconds=1)
    assert_the_next_render_works(room)


def test_a_colour_profile_from_elsewhere_is_refused_as_a_fault_of_the_document(room, server):
    address, requests = server
    html = f"<style>@color-profile --x {{ src: url({address}) }} p {{ color: color(--x 0 0 0) }}</style><p>x"
    with pytest.raises(exceptions.DocumentUnrenderable):
        render(room, html, seconds=PATIENCE_SECONDS)
    assert requests == []
    assert_the_next_render_works(room)


def test_scripts_and_forms_do_not_reach_the_pdf(room):
    html = (
        "<p>x<script>app.alert(1)</script><a href='javascript:app.alert(2)'>y</a><form><input name=n></form>"
    )
    pdf, _ = render(room, html, seconds=PATIENCE_SECONDS)
    with pikepdf.open(io.BytesIO(pdf)) as document:
        dictionaries = [item for item in document.objects if isinstance(item, pikepdf.Dictionary)]
        keys = set(itertools.chain.from_iterable(item.keys() for item in dictionaries))
        assert not keys & {"/JS", "/JavaScript", "/OpenAction", "/AA", "/EmbeddedFiles", "/AcroForm"}
    assert b"app.alert(1)" not in b"".join(everything_in(pdf))
