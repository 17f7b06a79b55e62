"""Make one PDF that is both accessible (PDF/UA-1) and for the archive (PDF/A-3a).

WeasyPrint makes either. Here it makes a PDF/A-3a; this adds that it is a PDF/UA-1 as well, and mends what validators
find in either.
"""

import zlib
from pathlib import Path
from typing import Any

import pikepdf
import pydyf

MAX_SAVES = 8
WRITTEN = "written"
OBJECT_STREAMS = pikepdf.ObjectStreamMode.generate
BEGIN_OF_MAP, MAX_PLACE_OF_MAP, INVISIBLE = b"endcodespacerange", 20, b"<200b>"
# sRGB of LittleCMS: its curves are formulas, not tables.
COLOUR_PROFILE = Path(__file__).with_name("srgb.icc").read_bytes()
DOUBTFUL_END = b"\r\nendstream"


PDF_UA = b"""<rdf:Description xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/" rdf:about="" pdfuaid:part="1"/>\
<rdf:Description xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/" \
xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#" \
rdf:about=""><pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource"><pdfaSchema:schema>PDF/UA identification\
</pdfaSchema:schema><pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>\
<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix><pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">\
<pdfaProperty:name>part</pdfaProperty:name><pdfaProperty:valueType>Integer</pdfaProperty:valueType>\
<pdfaProperty:category>internal</pdfaProperty:category><pdfaProperty:description>Part of ISO 14289\
</pdfaProperty:description></rdf:li></rdf:Seq></pdfaSchema:property></rdf:li></rdf:Bag></pdfaExtension:schemas>\
</rdf:Description>"""


def declare(pdf: pydyf.PDF) -> None:
    """Have the metadata of a PDF/A that is not written yet say that it is a PDF/UA-1 too."""
    number = int(pdf.catalog["Metadata"].split()[0])
    metadata = pdf.objects[number]
    metadata.compress = False
    [content] = metadata.stream
    end = content.rindex(b"</rdf:RDF>")
    metadata.stream = [content[:end] + PDF_UA + content[end:]]


def use_small_profile(pdf: pydyf.PDF) -> None:
    """Describe the colours, which are those of sRGB, by a profile of 0.6 kB in the place of one of 3 kB."""
    [intent] = pdf.catalog["OutputIntents"]
    pdf.objects[int(intent["DestOutputProfile"].split()[0])].stream = [COLOUR_PROFILE]


def map_all_glyphs(pdf: pydyf.PDF) -> None:
    """Give glyphs that stand for no character of their own, such as dotted circles, an invisible one."""
    for stream in pdf.objects:
        if isinstance(stream, pydyf.Stream) and BEGIN_OF_MAP in stream.stream[:MAX_PLACE_OF_MAP]:
            stream.stream = [_with_character(line) for line in stream.stream]


def _with_character(line: bytes) -> bytes:
    return line.removesuffix(b"<>") + INVISIBLE if line.endswith(b"> <>") else line


def keep_stream_lengths() -> None:
    """Have pydyf write streams whose length strict readers agree with, and serialise each object once.

    It does so a second time for the identifier that PDF/A asks for, and compresses all streams again.
    """
    pydyf.Stream.data = property(_stream_data)
    pydyf.Dictionary.data = property(_dictionary_data)


def _dictionary_data(dictionary: Any) -> bytes:
    """Return a dictionary as it is written, which is the first use of it."""
    if dictionary.number is None:
        return bytes(_plain_dictionary_data(dictionary))
    if (data := dictionary.__dict__.get(WRITTEN)) is None:
        data = dictionary.__dict__[WRITTEN] = _plain_dictionary_data(dictionary)
    return bytes(data)


def _stream_data(stream: Any) -> bytes:
    """Return a stream as it is written; a line feed alone would make a carriage return at its end seem a part of it."""
    if (data := stream.__dict__.get(WRITTEN)) is None:
        data = _plain_data(stream)
        if data.endswith(DOUBTFUL_END):
            data = data.removesuffix(b"\nendstream") + b"\r\nendstream"
        stream.__dict__[WRITTEN] = data
    return bytes(data)


def save(pdf: pikepdf.Pdf, path: Path) -> None:
    """Write an assembled PDF, again if the length of a stream in it is in doubt (see ``_stream_data``).

    One stream in 256 ends so. Raises OSError.
    """
    for attempt in range(1, MAX_SAVES + 1):
        pdf.save(path, min_version="1.7", object_stream_mode=OBJECT_STREAMS, deterministic_id=True)
        if DOUBTFUL_END not in path.read_bytes():
            return
        # More objects: each stream that holds objects begins with their numbers, which all change.
        pdf.Root.SPMSSaves = pikepdf.Array(pdf.make_indirect(pikepdf.Dictionary()) for _ in range(attempt))
        for stream in pdf.objects:
            if isinstance(stream, pikepdf.Stream) and stream.read_raw_bytes().endswith(b"\r"):
                _recode(stream)


def _recode(stream: pikepdf.Stream) -> None:
    """Give a compressed stream another end: line feeds after its content, which no reader minds."""
    content = stream.read_bytes(decode_level=pikepdf.StreamDecodeLevel.generalized)
    while (coded := zlib.compress(content, 9)).endswith(b"\r"):
        content += b"\n"
    stream.write(coded, filter=pikepdf.Name.FlateDecode)


_plain_data: Any = pydyf.Stream.data.fget
_plain_dictionary_data: Any = pydyf.Dictionary.data.fget
