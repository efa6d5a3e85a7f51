"""One self-contained HTML file that decodes dinp files in the browser."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template

from dinp import restoration
from dinp.errors import DinpError
from dinp.page import packing
from dinp.page.bundle import bundle, minified

FOLDER = Path(__file__).parent
VERSIONS = tuple(restoration.VERSIONS)


def assets(versions: Iterable[int]) -> dict:
    """What the decoder needs beside files: {"models", "kernels", "weights"}, in base64, with layouts."""
    data, layout = packing.models()
    weights = {}
    for version in versions:
        halves, shapes = packing.restoration(version)
        weights[version] = [packing.text(halves), json.loads(shapes)]
    kernels = (FOLDER / "kernels" / "kernels.wasm").read_bytes()
    return {"models": [packing.text(data), json.loads(layout)], "kernels": packing.text(kernels), "weights": weights}


def needed_versions(files: Mapping[str, bytes]) -> tuple[int, ...]:
    """Versions of restoration that the files ask for and the page can have; damaged files need none."""
    from dinp.bitstream.container import unpack
    from dinp.bitstream.section import restoration_of

    found = set()
    for data in files.values():
        try:
            found |= {restoration_of(section) for section in unpack(data).sections}
        except DinpError:
            continue
    return tuple(sorted(found & set(VERSIONS)))


def page(files: Mapping[str, bytes], *, versions: Iterable[int] | None = None) -> str:
    """The page that shows dinp files, which need not be sound: what is wrong with one is told there.

    Parameters
    ----------
    files : mapping of names to bytes
    versions : iterable of int, optional
        Of restoration, whose networks the page has; by default those that the files need.
    """
    chosen = needed_versions(files) if versions is None else versions
    listed = [{"name": name, "data": packing.text(data)} for name, data in files.items()]
    template = Template((FOLDER / "templates" / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=html.escape(", ".join(files) or "dinp files").encode(errors="replace").decode(),
        style=(FOLDER / "templates" / "page.css").read_text(encoding="utf-8"),
        assets=_embedded(assets(chosen)),
        files=_embedded(listed),
        worker=minified(bundle("worker.js")),
        script=minified(bundle("page.js")),
    )


def _embedded(content: object) -> str:
    """JSON in which nothing can end the element that it stands in."""
    return json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
