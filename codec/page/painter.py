"""The script that paints previews (`dinp.preview`) in a page: `<img data-dinp="base64">`."""

from __future__ import annotations

import gzip
from functools import cache

from dinp.page import packing
from dinp.page.bundle import bundle, minified

NETWORKS = ("tree", "values")  # of previews: no free masks


@cache
def painter() -> str:
    """The script, which needs nothing else; `dinp.decodePreview(bytes)` is there for other uses than `img`."""
    data, layout = packing.models(NETWORKS)
    script = minified(bundle("painter.js"))
    return f'(() => {{\nconst TABLES = "{packing.text(data)}", LAYOUT = {layout};\n{script}}})();\n'


def gzipped_size() -> int:
    """Bytes of the script as servers send it."""
    return len(gzip.compress(painter().encode(), 9, mtime=0))
