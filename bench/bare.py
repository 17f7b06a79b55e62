"""WeasyPrint as it comes, warm: reads a path of an HTML file a line, writes the seconds that it took."""

import sys
import time
from pathlib import Path

from weasyprint import HTML

for line in sys.stdin:
    source = Path(line.strip())
    html = source.read_text()
    started = time.perf_counter()
    HTML(string=html).write_pdf(source.with_suffix(".pdf"))
    sys.stdout.write(f"{time.perf_counter() - started}\n")
    sys.stdout.flush()
