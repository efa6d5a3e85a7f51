"""dinp: an image codec that rebuilds pictures by diffusion inpainting."""

from dinp._version import FORMAT_VERSION, __version__
from dinp.errors import DinpError

__all__ = ["FORMAT_VERSION", "DinpError", "__version__"]
