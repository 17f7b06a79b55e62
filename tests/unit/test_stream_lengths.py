"""No stream of a PDF ends so that a strict reader takes its last byte for a part of the line end behind it."""

import io
import re
from random import Random

import pikepdf

from documents.rendering import conformance

OBJECTS = 450  # several streams of objects, a hundred in each
OBJECT_STREAM = re.compile(rb"/Type /ObjStm.*?endstream", re.DOTALL)


def pdf_of(seed):
    random, pdf = Random(seed), pikepdf.new()
    pdf.Root.Numbers = pikepdf.Array(
        pdf.make_indirect(pikepdf.Array([random.randrange(10**6) for _ in range(3)])) for _ in range(OBJECTS)
    )
    return pdf


def object_streams(pdf):
    written = io.BytesIO()
    pdf.save(written, object_stream_mode=conformance.OBJECT_STREAMS, deterministic_id=True)
    return OBJECT_STREAM.findall(written.getvalue())


def is_doubtful(stream):
    return stream.endswith(conformance.DOUBTFUL_END)


def test_whichever_stream_of_objects_ends_in_doubt_is_written_in_another_way(tmp_path):
    mended = set()
    for seed in range(600):
        doubtful = [
            number for number, stream in enumerate(object_streams(pdf_of(seed))) if is_doubtful(stream)
        ]
        if not doubtful:
            continue
        conformance.save(pdf_of(seed), tmp_path / "saved.pdf")
        assert conformance.DOUBTFUL_END not in (tmp_path / "saved.pdf").read_bytes(), (seed, doubtful)
        mended.update(doubtful)
    assert len(mended) > 1, "one stream alone proves too little"
