"""The inpainting operator: homogeneous diffusion from known data, with or without barriers; its solver; tonal
optimisation.

May import `dinp.bitstream.structure` (what known data is), `dinp.errors` and `dinp.threads`; knows nothing of the
encoder.
"""

from dinp.diffusion.startup import import_pyamg, import_scipy

import_scipy()
import_pyamg()
