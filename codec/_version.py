"""Version of the package and of the file format."""

__version__ = "0.1.0"
FORMAT_VERSION = "1.0"  # of what is written: `dinp.bitstream.container.VERSION` is its byte
