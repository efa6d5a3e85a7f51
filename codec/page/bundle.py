"""Several modules of `js/` as one script: the modules that one needs, in order, without their imports and exports."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "js"
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w.]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


def needed(name: str) -> list[str]:
    """The module and all that it imports, each after those that it needs itself."""
    order: list[str] = []

    def visit(module: str) -> None:
        if module in order:
            return
        for other in _IMPORT.findall(source(module)):
            visit(other)
        order.append(module)

    visit(name)
    return order


@cache
def source(name: str) -> str:
    """A module's text."""
    return (FOLDER / name).read_text(encoding="utf-8")


def bundle(name: str) -> str:
    """A module and what it needs as the body of one function: each module in a block, its exports before all."""
    parts = []
    for module in needed(name):
        body = _IMPORT.sub("", source(module))
        exports = re.findall(r"^export (?:async )?(?:const|let|function\*?|class) (\w+)", body, re.MULTILINE)
        body = _EXPORT.sub("", body)
        parts.append((exports, body))
    lines = ['"use strict";']
    for exports, body in parts:
        names = ", ".join(exports)
        if exports:
            lines.append(f"const {{ {names} }} = (() => {{\n{body}return {{ {names} }};\n}})();")
        else:
            lines.append(f"(() => {{\n{body}}})();")
    return "\n".join(lines)


def minified(script: str) -> str:
    """A script without comments on lines of their own, and indentation: enough, as it is compressed on its way."""
    script = re.sub(r"/\*\*.*?\*/", "", script, flags=re.DOTALL)
    lines = (line.strip() for line in script.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//")) + "\n"
