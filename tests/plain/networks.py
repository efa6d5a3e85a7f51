"""The integer networks (section 7), and the tables they come with (section 16)."""

import functools
import hashlib
import io
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
FORMAT = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")


def named_by_document(path: str) -> dict[str, np.ndarray]:
    """The arrays of a file that section 16 names, which must have the SHA-256 told there."""
    content = (ROOT / path).read_bytes()
    assert f"| `{path}` | `{hashlib.sha256(content).hexdigest()}` |" in FORMAT
    with np.load(io.BytesIO(content)) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _step_table() -> list[int]:
    """STEP, from the listing in the document."""
    lines = FORMAT.split("\nSTEP:\n")[1].split("\n## ")[0]
    table = [int(word) for word in lines.split()]
    digest = hashlib.sha256(np.array(table, dtype="<i4").tobytes()).hexdigest()
    assert f"| STEP, 256 integers of 32 bits, least significant byte first | `{digest}` |" in FORMAT
    return table


STEP = _step_table()


class Network:
    """Three layers of whole numbers. The products are exact, whoever computes them: here numpy does."""

    def __init__(self, path: str) -> None:
        arrays = named_by_document(path)
        self.layers = [(arrays[f"w{i}"].astype(np.int64), arrays[f"b{i}"]) for i in range(3)]
        self.logistic = arrays["logistic"].tolist()
        self.exp2_table = arrays["exp2"].tolist() if "exp2" in arrays else []

    def outputs(self, inputs: list[list[int]]) -> list[list[int]]:
        """Outputs, one list for each list of inputs."""
        x = np.clip(np.array(inputs, dtype=np.int64), 1 - 2**15, 2**15 - 1)
        for number, (weights, biases) in enumerate(self.layers):
            x = x @ weights + biases >> 12
            x = np.clip(x, 0, 2**15 - 1) if number < 2 else np.clip(x, -(2**20), 2**20)
        return x.tolist()

    def exp2(self, x: int) -> int:
        """2^(x / 1024) in the units of the table."""
        whole, entry = x >> 10, self.exp2_table[x & 1023]
        return entry << whole if whole >= 0 else entry >> -whole


@functools.cache
def network(name: str) -> Network:
    """The network of `tree`, `mask` or `values`."""
    return Network(f"entropy/tables/{name}.npz")
