"""Networks, tables and weights as the page's decoder reads them: packed integers and 16-bit floats in base64."""

from __future__ import annotations

import base64
import io
import json
from functools import cache
from typing import TYPE_CHECKING

from dinp.entropy.mixing import BitEncoder
from dinp.errors import DinpError

if TYPE_CHECKING:
    import numpy as np

RATE = 5  # of the adaptive bits
LAYERS = ("0", "1", "2")
TABLES = {"tree": ("logistic",), "mask": ("logistic",), "values": ("logistic", "exp2")}
NETWORKS = tuple(TABLES)


class _Packer:
    """Codes integers as `js/tables.js` reads them, by the bit coder of docs/format.md, section 10.1."""

    def __init__(self) -> None:
        self._encoder = BitEncoder()
        self.probabilities: dict[int, int] = {}

    def _adaptive(self, bit: int, context: int) -> None:
        p = self.probabilities.get(context, 32768)
        self._encoder.code(bit, p)
        p = p + (65536 - p >> RATE) if bit else p - (p >> RATE)
        self.probabilities[context] = min(max(p, 64), 65472)

    def array(self, values: list[int]) -> None:
        """An array, with probabilities of its own."""
        self.probabilities = {}
        for value in values:
            self._adaptive(value != 0, 0)
            if not value:
                continue
            self._adaptive(value < 0, 1)
            size = abs(value)
            z = size.bit_length() - 1
            for k in range(z):
                self._adaptive(1, 2 + k)
            self._adaptive(0, 2 + z)
            for k in range(z):
                known, bit = size >> (z - k), size >> (z - 1 - k) & 1
                if k < 2:
                    self._adaptive(bit, 64 + 4 * z + known)
                else:
                    self._encoder.code(bit, 32768)

    def finish(self) -> bytes:
        """All that was packed."""
        return self._encoder.finish()


@cache
def models(names: tuple[str, ...] = NETWORKS) -> tuple[bytes, str]:
    """The networks and tables of `entropy/tables/`, packed, and their layout in JSON, as `js/tables.js` takes them.

    Tables are packed as differences of differences; one that equals an earlier network's is named by it.
    """
    from importlib import resources

    import numpy as np

    packer, layout, seen = _Packer(), {}, {}
    for name in names:
        path = resources.files("dinp.entropy").joinpath(f"tables/{name}.npz")
        with path.open("rb") as opened, np.load(opened) as file:
            weights = [(file[f"w{layer}"], file[f"b{layer}"]) for layer in LAYERS]
            tables: dict[str, int | str] = {}
            for w, b in weights:
                packer.array(w.ravel().tolist())
                packer.array(b.ravel().tolist())
            for table in TABLES[name]:
                content = file[table].astype(np.int64)
                same = next((other for other, held in seen.items() if np.array_equal(held, content)), None)
                tables[table] = same[0] if same and same[1] == table else len(content)
                if isinstance(tables[table], int):
                    seen[name, table] = content
                    packer.array(_second_differences(content))
            layout[name] = {"sizes": [weights[0][0].shape[0], *(w.shape[1] for w, _ in weights)], "tables": tables}
    return packer.finish(), json.dumps(layout)


def _second_differences(values: np.ndarray) -> list[int]:
    import numpy as np

    for _ in range(2):
        values = np.diff(values, prepend=0)
    return values.tolist()


@cache
def restoration(version: int) -> tuple[bytes, str]:
    """The weights of a version of restoration, 16-bit floats one after the other, and their names and shapes in JSON.

    Raises
    ------
    DinpError
        There is no such version.
    """
    import numpy as np

    from dinp.models.weights.files import shipped
    from dinp.models.weights.restoration import FILES

    if version not in FILES:
        raise DinpError(f"the page has no restoration of version {version}")
    out, shapes = io.BytesIO(), {}
    with shipped(f"{FILES[version]}.npz").open("rb") as opened, np.load(opened) as file:
        for name in file.files:
            if name.endswith(".weight"):
                weight, bias = file[name], file[name.replace(".weight", ".bias")]
                shapes[name.removesuffix(".weight")] = list(weight.shape)
                out.write(weight.astype("<f2").tobytes())
                out.write(bias.astype("<f2").tobytes())
    return out.getvalue(), json.dumps(shapes)


def text(data: bytes) -> str:
    """Base64."""
    return base64.b64encode(data).decode("ascii")
