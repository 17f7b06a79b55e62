"""WeasyPrint as it comes, warm: reads a path of an HTML file a line, writes seconds and pages of its PDF."""

import sys
import time
from pathlib import Path

import pikepdf
from weasyprint import HTML

for line in sys.stdin:
    source = Path(line.strip())
    target = source.with_suffix(".pdf")
    html = source.read_text()
    started = time.perf_counter()
    HTML(string=html, base_url=source.parent.as_uri()).write_pdf(target)
    seconds = time.perf_counter() - started
    with pikepdf.open(target) as pdf:
        print(seconds, len(pdf.pages), flush=True)
