"""The HTML of the rate-distortion report: style, script, and the pieces of a page that needs nothing but itself."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL import Image

from dinp.benchmarks.rd.tables import Table

STYLE = """
:root { color-scheme: light dark; --ink: #1b1c1e; --soft: #62666d; --paper: #fbfbfa; --card: #fff; --line: #dcdedf;
  --accent: #d9480f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e6; --soft: #a0a4aa; --paper: #16171a; --card: #1f2125;
  --line: #383b41; --accent: #ff8a4c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 3rem) 4rem; max-width: 84rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; margin: 3rem 0 1rem; padding-bottom: .3rem; border-bottom: 2px solid var(--accent); }
h3 { font-size: 1.05rem; margin: 2rem 0 .6rem; }
p { max-width: 60rem; } .soft, figcaption, caption { color: var(--soft); }
.soft { font-size: .875rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); gap: 1rem;
  margin-bottom: 2rem; }
.plots > div, .viewer { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; }
.plots svg { display: block; width: 100%; height: auto; } svg text { font-family: system-ui, sans-serif !important; }
.scroll { overflow-x: auto; margin: 1rem 0 1.5rem; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
caption { text-align: left; padding-bottom: .4rem; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; } thead th { font-weight: 600; }
tr.own td { color: var(--accent); font-weight: 600; }
.viewer { margin: 1rem 0 2rem; } .viewer h3 { margin-top: 0; }
.tools { display: none; flex-wrap: wrap; gap: .4rem 1.2rem; align-items: center; margin-bottom: .7rem;
  font-size: .9rem; }
.ready .tools { display: flex; } .ready .stage { display: block; }
select { font: inherit; padding: .1rem .3rem; }
.stage { display: none; overflow: auto; max-height: 90vh; }
.layers { position: relative; margin: 0 auto; touch-action: pan-y; cursor: ew-resize; line-height: 0; --at: 50%; }
.layers img { width: 100%; height: auto; image-rendering: pixelated; user-select: none;
  pointer-events: none; }
.layers .right { position: absolute; inset: 0; clip-path: inset(0 0 0 var(--at)); }
.layers::after { content: ""; position: absolute; top: 0; bottom: 0; left: var(--at); width: 2px; margin-left: -1px;
  background: #fff; box-shadow: 0 0 0 1px #0008; pointer-events: none; }
.at { display: block; width: 100%; margin: .5rem auto; accent-color: var(--accent); }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: 1rem; margin-top: 1rem; }
.grid figure { margin: 0; font-size: .85rem; } .grid img { width: 100%; height: auto; display: block;
  border-radius: .25rem; }
.ready .grid img { cursor: pointer; } .grid img:focus-visible { outline: 3px solid var(--accent); }
.grid strong { color: var(--ink); }
"""

SCRIPT = """
for (const viewer of document.querySelectorAll('.viewer')) {
  const find = (query) => viewer.querySelector(query);
  const shots = [...viewer.querySelectorAll('.grid img')];
  const layers = find('.layers'), at = find('.at'), zoom = find('.zoom');
  const sides = { left: find('select.left'), right: find('select.right') };
  const show = () => {
    for (const side in sides) {
      find('.layers .' + side).src = shots[sides[side].value].src;
      find('.layers .' + side).alt = shots[sides[side].value].alt;
    }
  };
  const move = () => layers.style.setProperty('--at', at.value + '%');
  for (const side in sides) {
    shots.forEach((shot, index) => sides[side].add(new Option(shot.alt, index)));
    sides[side].onchange = show;
  }
  sides.left.value = 0;
  sides.right.value = Math.min(1, shots.length - 1);
  shots.forEach((shot, index) => {
    const choose = () => { sides.right.value = index; show(); };
    shot.tabIndex = 0;
    shot.onclick = choose;
    shot.onkeydown = (event) => { if (event.key === 'Enter') choose(); };
  });
  at.oninput = move;
  const drag = (event) => {
    if (event.type === 'pointermove' && !event.buttons) return;
    const box = layers.getBoundingClientRect();
    at.value = Math.max(0, Math.min(100, 100 * (event.clientX - box.left) / box.width));
    move();
  };
  layers.onpointerdown = (event) => { layers.setPointerCapture(event.pointerId); drag(event); };
  layers.onpointermove = drag;
  zoom.onchange = () => {
    at.style.maxWidth = layers.dataset.width + 'px';
    layers.style.width = zoom.value === 'fit' ? '' : layers.dataset.width * zoom.value + 'px';
    layers.style.maxWidth = zoom.value === 'fit' ? layers.dataset.width + 'px' : 'none';
  };
  zoom.onchange();
  show();
  move();
  viewer.classList.add('ready');
}
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{body}
<script>{script}</script>
</body>
</html>
"""

ZOOMS = (("fit", "fit"), ("1", "100 %"), ("2", "200 %"), ("4", "400 %"))


@dataclass(frozen=True)
class Shot:
    """A picture to compare: uint8, (H, W) or (H, W, 3), its name, and lines of text below it."""

    name: str
    pixels: np.ndarray
    lines: tuple[str, ...]


def page(title: str, parts: Sequence[str]) -> str:
    """The whole page of its parts, which are HTML; the title is text. The page may load nothing from anywhere."""
    return PAGE.format(title=escape(title), style=STYLE, body="\n".join(parts), script=SCRIPT)


def paragraph(text: str) -> str:
    """Small print, of text."""
    return f'<p class="soft">{escape(text)}</p>'


def plots(svgs: Sequence[str]) -> str:
    """SVG elements side by side."""
    return f'<div class="plots">{"".join(f"<div>{one}</div>" for one in svgs)}</div>'


def table(content: Table) -> str:
    """A table with its title as caption; rows of dinp among other codecs stand out."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in content.head)
    rows = []
    for row in content.rows:
        own = ' class="own"' if row[0] == "dinp" else ""
        rows.append(f"<tr{own}>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>")
    caption = f"<caption>{escape(content.title)}</caption>"
    body = f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f'<div class="scroll"><table>{caption}{body}</table></div>'


def data_uri(pixels: np.ndarray) -> str:
    """The picture, exactly, as a data URI: lossless WebP, about a third smaller than PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True, quality=60, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def viewer(title: str, shots: Sequence[Shot]) -> str:
    """Pictures of one size: two of them, to choose, under a slider, and all of them in a grid.

    Without scripts the grid remains.
    """
    height, width = shots[0].pixels.shape[:2]
    figures = []
    for shot in shots:
        caption = "<br>".join([f"<strong>{escape(shot.name)}</strong>", *map(escape, shot.lines)])
        image = f'<img src="{data_uri(shot.pixels)}" alt="{escape(shot.name)}" width="{width}" height="{height}">'
        figures.append(f"<figure>{image}<figcaption>{caption}</figcaption></figure>")
    zooms = "".join(f"<option value='{value}'>{text}</option>" for value, text in ZOOMS)
    return f"""<section class="viewer">
<h3>{escape(title)}</h3>
<div class="tools"><label>Left <select class="left"></select></label>
<label>Right <select class="right"></select></label><label>Zoom <select class="zoom">{zooms}</select></label></div>
<div class="stage"><div class="layers" data-width="{width}">
<img class="left" alt=""><img class="right" alt=""></div></div>
<div class="tools"><input class="at" type="range" min="0" max="100" step="0.1" value="50" aria-label="Slider"></div>
<div class="grid">{"".join(figures)}</div>
</section>"""
