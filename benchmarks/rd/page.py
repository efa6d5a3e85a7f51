"""The HTML of the rate-distortion report: templates filled in, to a page that needs nothing but itself.

Templates, style and script are the files of the folder `templates`; Jinja escapes all text that is put into them.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dinp.benchmarks.environment import library
from dinp.benchmarks.rd.tables import Table

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

ZOOMS = (("fit", "fit"), ("1", "100 %"), ("2", "200 %"), ("4", "400 %"))


@dataclass(frozen=True)
class Shot:
    """A picture to compare: uint8, (H, W) or (H, W, 3), its name, and lines of text below it."""

    name: str
    pixels: np.ndarray
    lines: tuple[str, ...]


@cache
def _templates() -> "Environment":
    jinja = library("jinja2")
    loader = jinja.PackageLoader("dinp.benchmarks.rd", "templates")
    return jinja.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja.StrictUndefined
    )


def _filled(template: str, **content: object) -> "Markup":
    """A template with its content; as HTML it is not escaped again in another."""
    return library("markupsafe").Markup(_templates().get_template(f"{template}.html").render(content))


def page(title: str, parts: Sequence["Markup"]) -> str:
    """The whole page of its parts, which are HTML; the title is text. The page may load nothing from anywhere."""
    return str(_filled("report", title=title, parts=parts))


def heading(text: str) -> "Markup":
    """A heading of a part of the page."""
    return library("markupsafe").Markup("<h2>{}</h2>").format(text)


def paragraph(text: str, *, small: bool = True) -> "Markup":
    """A paragraph, by default in small print."""
    return _filled("paragraph", text=text, small=small)


def plots(svgs: Sequence[str]) -> "Markup":
    """SVG elements side by side."""
    return _filled("plots", svgs=svgs)


def table(content: Table) -> "Markup":
    """A table with its title as caption; rows of dinp among other codecs stand out."""
    return _filled("table", table=content)


def painted(title: str, files: Mapping[str, bytes], shape: Sequence[int]) -> "Markup":
    """Previews by name, as elements that a script paints (`script_part`), of a picture of that shape."""
    texts = {name: base64.b64encode(data).decode("ascii") for name, data in files.items()}
    return _filled("painted", title=title, texts=texts, height=shape[0], width=shape[1])


def script_part(script: str) -> "Markup":
    """A script of our own, which must not contain the end of its element."""
    return library("markupsafe").Markup(f"<script>\n{script}</script>")


def data_uri(pixels: np.ndarray) -> str:
    """The picture, exactly, as a data URI: lossless WebP, about a third smaller than PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True, quality=60, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def viewer(title: str, shots: Sequence[Shot]) -> "Markup":
    """Pictures of one size: two of them, to choose, under a slider, and all of them in a grid.

    Without scripts the grid remains.
    """
    height, width = shots[0].pixels.shape[:2]
    return _filled("viewer", title=title, shots=shots, width=width, height=height, zooms=ZOOMS, data_uri=data_uri)
