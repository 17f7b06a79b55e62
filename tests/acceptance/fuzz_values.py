"""Hostile values for test_fuzz.py: texts, JSON values, headers, multipart bodies and other whole bodies."""

import gzip
import io
import json
import zlib

from PIL import Image

_stream = io.BytesIO()
Image.new("RGB", (8, 8), "teal").save(_stream, "PNG")
IMAGE = _stream.getvalue()
DIGITS = "9" * 4_301  # Python refuses to read more than 4,300
BOUNDARY = "fuzz"

SHORT_TEXTS = (
    *(
        "",
        " ",
        "\0",
        "a\0b",
        "\x01\x1f\x7f\x85",
        "\u202e\u2028\ufeff",
        "\ud800",
        "\udfff\ud800",
        "\U0010ffff",
    ),
    *("\n", "a\r\nX-Injected: yes", "\t", "é" * 50, "e" + "\u0301" * 300, "\u0130\u0131ßﬃ", "中" * 90),
    *(
        "0",
        "-0",
        "-1",
        "1.0",
        "1e3",
        "1e400",
        "NaN",
        "Infinity",
        "-Infinity",
        "0x10",
        "1_000",
        " 1",
        "+1",
        "007",
    ),
    *("2147483648", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "9" * 40, DIGITS),
    *("٣", "１２３", "²", "½", "Ⅷ", "๓", "𝟜"),
    *(
        "true",
        "null",
        "None",
        "undefined",
        "[]",
        "{}",
        "[object Object]",
        "%s%n",
        "%00",
        "%",
        "{0.__class__}",
    ),
    *(
        "../../../../etc/passwd",
        "..%2f..%2fsecret_key",
        "..\\..\\x",
        "/etc/passwd",
        "file:///etc/passwd",
        "CON",
    ),
    *(
        "'",
        "' OR '1'='1",
        "1; DROP TABLE documents_document; --",
        '"',
        "\\",
        "%' AND 1=1 --",
        "_%_%",
        "*" * 50,
    ),
    *("(a+)+$", "(" * 200, "[" * 200, "^(a|a)*$", "a" * 60 + "!", ".*" * 100),
    *(
        "<script>alert(1)</script>",
        "{{ 7 * 7 }}",
        "{% debug %}",
        "${7*7}",
        "=cmd|'/c calc'!A1",
        "javascript:x",
    ),
    *("* * * * *", "*/0 * * * *", "60 24 32 13 8", "0 7 31 2 *", "*/1-5/9999999999 * * * *", "@reboot"),
    *("0-99999999999 * * * *", "1," * 40 + "1 * * * *", "0 7 * * mon#9", "L W ? # *", "٣ * * * *"),
    *(
        "0000-00-00",
        "2026-02-30",
        "9999-12-31T23:59:59+23:59",
        "10000-01-01",
        "2026-W60",
        "0001-01-01T00:00:00+14:00",
    ),
    *("00000000-0000-0000-0000-000000000000", "urn:uuid:x", "{" + "0" * 32 + "}", "0" * 32, "g" * 32),
    *("a@b", "a@" + "b." * 100, '"\r\n"@example.org', "a@[127.0.0.1]", "ü@exämple.org"),
    *("http://127.0.0.1/", "https://[::1", "https://a:99999/", "https://\u2100/", "https://" + "a" * 480),
    *("deleted", "pdf", "queue", "inline", "zip", "projects", "failed", "annual_report"),
)
LONG_TEXTS = (
    *("a" * 100_000, "&" * 400_000, "<" * 100_000, "<b>" * 100_000, "<b id=x" * 30_000, "</x>" * 100_000),
    *(
        "<table>" * 3_000,
        "<table><tr>" + "<td>" * 60_000,
        "<!--" * 50_000,
        '<p title="' * 40_000,
        "&a" * 200_000,
    ),
    *("<img src=data:image/png;base64," + "A" * 200_000, "<td colspan=" + DIGITS + ">x", "<ul>" * 20_000),
    *(
        "<svg><style>" * 20_000,
        "中" * 100_000,
        "\U0001f600" * 50_000,
        "\u0301" * 50_000,
        "<pre>" + "\n" * 60_000,
    ),
    *(
        " " * 200_000,
        "\n" * 200_000,
        "a," * 100_000,
        "(" * 100_000,
        "{" * 10_000,
        "{name}" * 2_000,
        "@" * 100_000,
    ),
    *("9" * 200_000, "x" * 4_000_001, "\0" * 100_000, "\ud800" * 20_000, "." * 100_000, "a@" * 50_000),
)
# Texts, not objects: some are no JSON, and some are more than Python writes.
JSON_VALUES = (
    *("null", "true", "false", "0", "-1", "1.5", "1e400", "-1e400", "1e-400", "NaN", "-Infinity", DIGITS),
    *("9223372036854775808", "1.0", '"1"', '""', '"\\u0000"', '"\\ud800"', '"\\udfff\\ud800"', '"\\uFFFF"'),
    *(
        "[]",
        "{}",
        "[null]",
        "[[]]",
        '{"": ""}',
        '{"a": 1, "a": 2}',
        '{"\\ud800": "\\ud800"}',
        '{"\\u0000": 0}',
    ),
    *('{"__proto__": {}}', '{"id": 1, "pk": 1}', '["a@example.org", 5]', "[" * 19 + "]" * 19),
    *("[" * 100_000, "[" * 30 + "]" * 30, '{"a":' * 30 + "1" + "}" * 30),
    *("[" + "0," * 9_000 + "0]", "[" + "0," * 700_000 + "0]", "[" + '"a@example.org",' * 9_000 + '"a"]'),
    *("{" + ",".join(f'"m{n}": 0' for n in range(4_000)) + "}", '{"' + "k" * 100_000 + '": 0}'),
    *("{" + ",".join(f'"m{n}": 0' for n in range(100_000)) + "}", '["' + "a" * 100_000 + '"]'),
    *('{"background": "' + "&" * 400_000 + '"}', '{"year": ' + DIGITS + "}", '{"year": "' + DIGITS + '"}'),
    *('{"what": "projects", "format": "csv", "filters": {"year": "\\ud800"}}', '{"variant": ["a"]}'),
)
BODIES = (
    *(
        b"",
        b"\0",
        b"{",
        b"nul",
        b"\xff\xfe{\0}\0",
        b"\xef\xbb\xbf{}",
        b'{"a": "\xed\xa0\x80"}',
        b"\xff" * 1_000,
    ),
    *(b"[]", b'"text"', b"5", b"[" * 500_000, b'"' + b"\\" * 500_000, b"," * 500_000, b" " * 2_000_000),
    *(
        b'{"a":' * 200_000,
        b"{" + b'"a": 0, ' * 900_000 + b"}",
        gzip.compress(b"{}"),
        zlib.compress(b" " * 10**7),
    ),
    *(b"a=1&" * 1_001, b"&" * 500_000, b"=" * 100_000, b"%" * 300_000, b"%00=%00", b"a" * 8_300_000),
)
MEDIA_TYPES = (
    *("", "application/json", "application/json; charset=utf-7", "application/json; charset=\xff", "json"),
    *(
        "application/json; charset=utf-16",
        "application/json; charset=idna",
        "application/json; charset=zlib_codec",
    ),
    *(
        "application/JSON ;;;",
        "application/json; " + "a=b; " * 1_000,
        "text/plain",
        "application/xml",
        "*/*",
        "/",
    ),
    *("application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=punycode"),
    *(
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "b" * 3_000,
    ),
    *(
        "multipart/form-data; boundary=\xff",
        "multipart/form-data; charset=idna; boundary=fuzz",
        "multipart/mixed",
    ),
)
HEADERS = {
    "Accept": ("*/*;q=NaN", "a/b," * 1_000, "text/html", "\xff", ";" * 4_000, "application/json; version=9"),
    "Accept-Encoding": ("gzip;q=x", "gzip", "identity;q=0, *;q=0", "," * 4_000),
    "Accept-Language": ("zz-" * 500, "\xff", "en;q=9e999", "-" * 4_000, "../../x"),
    "Authorization": (
        "Token",
        "Token  ",
        "Token \xff\xfe",
        "Token a b",
        "Basic " + "A" * 4_000,
        "Token " + "0" * 4_000,
    ),
    "Cookie": (
        "sessionid=" + "x" * 4_000,
        "sessionid=\0",
        "=;" * 2_000,
        'a="\\777"',
        "csrftoken=\xff; sessionid=../x",
    ),
    "Content-Encoding": ("gzip", "deflate, gzip", "\xff"),
    "Content-Length": ("-1", "0x10", "٣".encode().decode("latin-1"), DIGITS, "1, 2", "+5"),
    "Expect": ("100-continue", "nonsense"),
    "HX-Request": ("true", "\xff"),
    "If-Modified-Since": ("Thu, 99 Foo 99999 99:99:99 GMT", DIGITS, "Mon, 01 Jan 0000 00:00:00 GMT", "-"),
    "If-None-Match": ('"' * 4_000, "*", 'W/"\xff"', "," * 4_000, '"a", ' * 1_000),
    "If-Range": ('"x"', "yesterday", DIGITS[:3_000]),
    "Origin": ("null", "http://evil.example.org", "http://[", "\xff"),
    "Prefer": (
        "wait=\xb2",
        "wait=-1",
        "wait=1e9",
        "wait=" + DIGITS[:3_000],
        "wait=NaN",
        "respond-async, wait=1",
    ),
    "Range": (
        *(
            "bytes=0-0",
            "bytes=-0",
            "bytes=-1",
            "bytes=5-1",
            "bytes=0-0,2-2," + "4-4," * 1_000,
            "bytes=\xb2-\xb3",
        ),
        *(
            f"bytes={'9' * 18}-",
            f"bytes={'9' * 400}-",
            "bytes=0-" + "9" * 400,
            "lines=1-2",
            "bytes=",
            "bytes=--1",
        ),
    ),
    "Referer": ("http://[", "\xff" * 100, "https://evil.example.org/" + "a" * 3_000),
    "Transfer-Encoding": ("identity", "gzip", "chunked"),
    "User-Agent": ("", "\xff" * 2_000, "a" * 8_000, "\x01"),
    "X-CSRFToken": ("", "\xff", "x" * 4_000),
    "X-Forwarded-For": ("\xff", "::1%eth0", "1.2.3.4," * 500, "999.999.999.999", "a" * 4_000),
    "X-Forwarded-Host": ("evil.example.org", "\xff"),
    "X-Forwarded-Proto": ("https", "\xff", "gopher"),
    "X-HTTP-Method-Override": ("DELETE", "\xff"),
    "X-Request-ID": ("\xff" * 20, "a" * 8_000, "../../../x", "{{ 7 }}"),
}
METHODS = ("OPTIONS", "HEAD", "TRACE", "PUT", "PATCH", "PROPFIND", "FOO-BAR", "get", "X" * 20)
FILES = (
    *(
        b"",
        b"\0" * 1_000,
        IMAGE[:40],
        IMAGE + b"\0" * 100_000,
        b"GIF89a" + b"\xff" * 1_000,
        b"<svg/>" * 1_000,
    ),
    *(
        b"%PDF-1.7",
        b"PK\x03\x04" + b"\xff" * 500,
        b"tag,title\n",
        b"tag\n" + b'"' * 100_001,
        b"tag,title\n" * 30_000,
    ),
    *(
        b"," * 200_000,
        b"\n" * 500_000,
        b"tag;title\n\xff\xfe;\xff\n",
        b"tag,title,tag\n" + b"=1+1,\0,x\n" * 50,
    ),
    *(
        b"tag,title,year,kind,status,business_area,members\nSP-2026-001,"
        + DIGITS.encode()
        + b","
        + DIGITS.encode(),
    ),
    *(("tag,kind,year\n" + "٣,²,１\n" * 900).encode(), b"\xff\xfet\0a\0g\0\n\0", b"tag," * 50_000 + b"\nx"),
)
PART_HEADS = (
    *('name="file"; filename="a.png"', 'name="file"', 'name="file"; filename=""', 'name=""; filename="x"'),
    *('name="file"; filename="../../../../etc/cron.d/x"', 'name="file"; filename="a\\"; x=\\".png"', "name"),
    *(
        'name="file"; filename="' + "f" * 3_000 + '.csv"',
        "name=\"file\"; filename*=UTF-8''%00%ff%ED%A0%80.png",
    ),
    *("name=\"file\"; filename*=idna''x", 'name="file"; filename="\0.png"', 'name="file"; filename="."'),
    *('name="file"; filename="a.xlsx"', 'name="file"; filename="a.csv"', 'name="file"; filename=".."'),
)
PART_TYPES = (
    *(
        "Content-Type: image/png",
        "Content-Type: image/png\r\nContent-Transfer-Encoding: base64",
        "X: " + "y" * 2_000,
    ),
    *("Content-Type: \xff", "Content-Transfer-Encoding: quoted-printable", "Content-Length: -5"),
    *("Content-Type: text/csv; charset=idna", "Content-Type: text/plain; " + "a=b; " * 400),
)


def multipart(fields: dict[str, bytes], head: str, kind: str, file: bytes) -> bytes:
    """Return a multipart body of fields and one file, whose head may be broken."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"
        for name, value in fields.items()
    ]
    opening = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n{kind}\r\n\r\n".encode("latin-1")
    return b"".join(parts) + opening + file + f"\r\n--{BOUNDARY}--\r\n".encode()


def as_json(text: str) -> str:
    """Return the JSON of a text; a lone surrogate is written as an escape."""
    return json.dumps(text)


def as_bytes(text: str) -> bytes:
    """Return a text as bytes; a lone surrogate makes them no UTF-8."""
    return text.encode("utf-8", "surrogatepass")
