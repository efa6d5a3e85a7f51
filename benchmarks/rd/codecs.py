"""The codecs to compare, by name.

A *setting* is the number that a codec is steered with. The defaults reach from below 0.05 to above 0.5 bits per pixel
on photographs, where the codec can, and to 60 dB on drawings.

========= ============================= ======================================================================
codec     setting                       encoder
========= ============================= ======================================================================
dinp      quality, 0-100                `dinp.encode`, default effort; dinp1, dinp3: effort 1, 3;
                                        dinp-plain, dinp1-plain, dinp3-plain: unrestored
jpeg      quality, 1-95                 libjpeg-turbo, baseline, optimised Huffman tables; colour 4:2:0
jpeg2000  wanted bits per pixel         OpenJPEG, irreversible 9/7 wavelet, one layer, JP2 file; colour transform on
webp      quality, 0-100                libwebp, method 6; colour 4:2:0, the only one it has; grey as R = G = B
avif      quality, 0-100                libavif, speed 4, Pillow's default tuning (for looks); colour 4:2:0
avif-psnr quality, 0-100                the same, tuned for PSNR; colour 4:4:4
jpegxl    quality, 0-100, of cjxl       libjxl, effort 7; needs imagecodecs
heic      quality, 0-100                x265, preset veryslow, tuned for PSNR; colour 4:4:4; needs pillow-heif
========= ============================= ======================================================================

imagecodecs comes with `dinp[bench]`: it and what its wheels bundle have permissive licences. pillow-heif does not: its
wheels hold x265, which makes them GPL 2. Install it yourself if you want HEIC in the comparison.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

from dinp.benchmarks.rd.codec import Codec
from dinp.benchmarks.rd.others import Avif, AvifPsnr, Heic, Jpeg, Jpeg2000, JpegXl, WebP
from dinp.benchmarks.rd.own import Dinp, DinpBest, DinpBestPlain, DinpNetwork, DinpNetworkPlain, DinpPlain
from dinp.errors import DinpError

_OURS = (Dinp(), DinpNetwork(), DinpBest(), DinpPlain(), DinpNetworkPlain(), DinpBestPlain())
_OTHERS = (Jpeg(), Jpeg2000(), WebP(), Avif(), AvifPsnr(), JpegXl(), Heic())
CODECS: dict[str, Codec] = {codec.name: codec for codec in (*_OURS, *_OTHERS)}
COMPARED = ("dinp", "dinp-plain", "jpeg", "jpeg2000", "webp", "avif", "avif-psnr", "jpegxl")


@cache
def prepared_codec(name: str) -> Codec:
    """A codec that has coded a small picture in this process: no other is charged for imports and loading weights."""
    codec = CODECS[name]
    picture = np.zeros((32, 32), np.uint8)
    for one in (picture, np.dstack([picture] * 3)):
        codec.run(one, codec.settings[-1])
    return codec


def codecs_named(names: Sequence[str]) -> list[Codec]:
    """The codecs of these names.

    Raises
    ------
    DinpError
        There is no codec of a name, or it is missing here.
    """
    for name in names:
        if name not in CODECS:
            raise DinpError(f"there is no codec {name}: choose among {', '.join(CODECS)}")
        CODECS[name].check()
    return [CODECS[name] for name in names]
