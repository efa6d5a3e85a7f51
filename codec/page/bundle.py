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


_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<text>"[^"\n]*"|`[^`]*`)|(?P<space>\s+)|(?P<other>[\w$]+|.)""", re.DOTALL
)


def minified(script: str) -> str:
    """A script without comments and needless blanks: enough, as it is compressed on its way.

    It knows the modules' habits: no regular expressions, no quotes within texts, semicolons where statements end.
    """
    out, blank = [""], ""
    for token in _TOKEN.finditer(script):
        if token.lastgroup in ("comment", "space"):
            blank = "\n" if "\n" in token[0] or blank == "\n" else " "
            continue
        before, after = out[-1][-1:], token[0][0]
        words = (before.isalnum() or before in "_$") and (after.isalnum() or after in "_$")
        if blank and (words or before + after in ("++", "--") or (blank == "\n" and before not in ";{}(,[=&|?:>")):
            out.append(blank if words or blank == "\n" else " ")
        out.append(token[0])
        blank = ""
    return "".join(out) + "\n"
