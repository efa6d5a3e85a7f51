"""Build kernels.wasm of the C files in kernels/.

pip install ziglang==0.17.1
python -m dinp.page.build
"""

import hashlib
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "kernels"
FLAGS = (
    "-target wasm32-freestanding -O3 -msimd128 -nostdlib -fvisibility=hidden -Wall -Wextra -Werror "
    "-Wl,--no-entry -Wl,--export-dynamic -Wl,--export=__heap_base -Wl,--strip-all"
)


def fingerprint() -> str:
    """SHA-256 of the sources and of this file, as `kernels.sha256` holds it of those that kernels.wasm was built of."""
    sources = sorted([*FOLDER.glob("*.c"), *FOLDER.glob("*.h"), Path(__file__)])
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


if __name__ == "__main__":
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS.split(), "-o", str(FOLDER / "kernels.wasm")]
    subprocess.run([*command, *map(str, sorted(FOLDER.glob("*.c")))], check=True)
    (FOLDER / "kernels.sha256").write_text(fingerprint() + "\n")
