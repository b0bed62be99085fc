"""Fast decoders of JPEG files, both around libjpeg-turbo. Each gives None, or raises whatever it likes, for a file that
it cannot decode for certain as Pillow does."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from cnnbench.data.decode.jpeg_structure import has_end, is_plain, read_header
from cnnbench.data.decode.picture import Picture
from cnnbench.data.decode.silence import silence

NARROWEST = 4  # columns: of fewer, libjpeg-turbo interpolates the colours of a region in another way than of the whole

Opener = Callable[[bytes], Picture | None]


def simplejpeg(loose: bool) -> Opener:
    """libjpeg-turbo; whole images, and an exception for whatever it warns of."""
    from simplejpeg import decode_jpeg, decode_jpeg_header

    def open_jpeg(content: bytes) -> Picture | None:
        if read_header(content) is None or not has_end(content):
            return None
        height, width, colours, _ = decode_jpeg_header(content)
        if colours not in ("YCbCr", "RGB", "Gray"):
            return None

        def region(left: int, top: int, wide: int, high: int) -> np.ndarray:
            kind = "Gray" if colours == "Gray" else "RGB"
            pixels = decode_jpeg(content, kind, fastdct=loose, fastupsample=loose)
            return pixels[top : top + high, left : left + wide]

        return Picture(width, height, region)

    return open_jpeg


def nvimgcodec(loose: bool) -> Opener:
    """NVIDIA's nvImageCodec on the CPU: libjpeg-turbo that decodes no more than the region asked for.

    It keeps silent about errors below the region, and smooths a progressive file that lost its end otherwise than the
    whole is smoothed: so it gets only files in which neither can be.
    """
    os.environ.setdefault("PYNVIMGCODEC_VERBOSITY", "0")
    with silence():  # notes on decoders that need CUDA, which are not used here
        from nvidia import nvimgcodec as codec
    decoders = threading.local()  # one per thread, and made after a fork
    options = ":fast_idct=1 :fancy_upsampling=0" if loose else ""
    colours = codec.DecodeParams(apply_exif_orientation=False, color_spec=codec.ColorSpec.SRGB)
    grey = codec.DecodeParams(apply_exif_orientation=False, color_spec=codec.ColorSpec.GRAY)

    def decoder() -> Any:
        if not hasattr(decoders, "own"):
            with silence():
                decoders.own = codec.Decoder(
                    device_id=codec.NVIMGCODEC_DEVICE_CPU_ONLY,
                    backends=[codec.Backend(codec.BackendKind.CPU_ONLY)],
                    max_num_cpu_threads=1,
                    options=options,
                )
        return decoders.own

    def open_jpeg(content: bytes) -> Picture | None:
        if not is_plain(content):
            return None
        stream = codec.CodeStream(content)
        width, height = stream.width, stream.height
        params = {1: grey, 3: colours}[stream.num_channels]

        def region(left: int, top: int, wide: int, high: int) -> np.ndarray:
            right = min(width, left + max(wide, NARROWEST))
            part = stream.get_sub_code_stream(0, codec.Region(top, left, top + high, right))
            return np.asarray(decoder().decode(part, params=params))[:, :wide]

        return Picture(width, height, region)

    return open_jpeg
