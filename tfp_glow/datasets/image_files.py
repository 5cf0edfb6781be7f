# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Reads image files of many kinds as upright images of 8 bits, gray or RGB."""

import dataclasses
import functools
import os
import stat
import warnings

import numpy as np
import PIL.ExifTags
import PIL.Image
import PIL.ImageOps

from tfp_glow import _checks
from tfp_glow.datasets import resizing

CROPS = ("center", "random", "none")
# Formats that need another program, or hold other things than pictures.
_NOT_PICTURES = {"BUFR", "EPS", "FITS", "GRIB", "HDF5", "MPEG", "WMF"}
# Pillow cannot read these, but people would miss them.
_UNREADABLE = {".heic", ".heif", ".jxl", ".svg"}
_UNREADABLE |= {".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2"}
_WIDE = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # These hold 16 bits.
_GRAY = ("1", "L", "LA", *_WIDE)
_COLOR = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV")


@dataclasses.dataclass(frozen=True)
class Header:
    """The facts about an image that are known before it is decoded.

    Attributes:
        shape: `(H, W, C)` of the upright image, `C` one or three.
        notes: tuple of `str`, the conversions that the image needs.
    """

    shape: tuple
    notes: tuple


@functools.cache
def suffixes():
    """Returns the suffixes of files that count as images, in lower case."""
    PIL.Image.init()
    return _UNREADABLE | {
        suffix
        for suffix, kind in PIL.Image.registered_extensions().items()
        if kind in PIL.Image.OPEN and kind not in _NOT_PICTURES
    }


def open_image(path, argument="name", side=None):
    """Returns a file's image, as Pillow decodes it, and if it has 16 bits.

    With `side`, a JPEG may be decoded at a fraction of its size, at least so
    many pixels high and wide, which takes less time.

    Raises `ValueError`, which names the argument, if it cannot be read.
    """
    try:
        with PIL.Image.open(path) as image:
            has_16_bits = ";16" in str(image.tile)
            if side is not None:
                image.draft(None, (side, side))
            image.load()
            return image, has_16_bits
    # Damaged files make Pillow raise errors of any kind.
    except Exception as error:
        expected = f"a readable image; reading it failed with: {error}"
        raise _checks.invalid_value(argument, path, expected) from error


def inspect(path, formats=None):
    """Returns the `Header` of a file, or why it cannot be used, as `str`.

    `formats` are the names of Pillow's formats that it may have. Pixels are decoded only if a damaged file could not be told otherwise. Call
    this within `strict_limits`.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        reason = error.strerror.lower()
        return f"broken link: {reason}" if os.path.islink(path) else reason
    if not stat.S_ISREG(status.st_mode):  # Opening a pipe would wait for ever.
        return "not a regular file"
    return _inspect(path, status.st_size, status.st_mtime_ns, formats)


def strict_limits():
    """Makes Pillow refuse images of more than `PIL.Image.MAX_IMAGE_PIXELS`."""
    return warnings.catch_warnings(
        action="error", category=PIL.Image.DecompressionBombWarning
    )


@functools.lru_cache(maxsize=2**17)
def _inspect(path, num_bytes, modified, formats):
    """Does the work of `inspect`, once for every version of a file."""
    del modified
    suffix = os.path.splitext(path)[1].lower()
    if num_bytes == 0:
        return "empty file"
    try:
        with PIL.Image.open(path, formats=formats) as image:
            header = _header(image)
            if isinstance(header, Header):
                _check_complete(image)
            return header
    except PIL.UnidentifiedImageError:
        if suffix in _UNREADABLE:
            return f"Pillow cannot read {suffix[1:].upper()}; convert it"
        return "not an image"
    except (
        PIL.Image.DecompressionBombWarning,
        PIL.Image.DecompressionBombError,
    ):
        return f"more than {PIL.Image.MAX_IMAGE_PIXELS:,} pixels"
    # Damaged files make Pillow raise errors of any kind.
    except Exception as error:
        if getattr(error, "errno", None):  # The system refuses to read it.
            return error.strerror.lower()
        return f"damaged: {' '.join(str(error).split())[:60]}"


def _header(image):
    """Returns the `Header` of an image that Pillow has opened, or a `str`."""
    is_tiff = image.format == "TIFF"
    if image.mode not in _GRAY + _COLOR or (is_tiff and image.mode == "I"):
        return f"mode {image.mode} instead of 8 or 16 bits a channel"
    height, width = image.height, image.width
    turn = 1
    # Pillow decodes all of a PNG to look for EXIF after the pixels.
    if image.format != "PNG" or "exif" in image.info:
        turn = image.getexif().get(PIL.ExifTags.Base.Orientation, 1)
    if turn in (5, 6, 7, 8):
        height, width = width, height
    is_sequence = getattr(image, "is_animated", False)
    found = {
        "turned upright by EXIF": turn in range(2, 9),
        "composited on white (alpha)": image.has_transparency_data,
        "scaled from 16 bits": ";16" in str(image.tile) or image.mode in _WIDE,
        f"made RGB from {image.mode}": image.mode in ("CMYK", "YCbCr", "HSV"),
        # Cameras store previews as further frames of an MPO file.
        "reduced to the first frame": is_sequence and image.format != "MPO",
    }
    num_channels = 1 if image.mode in _GRAY else 3
    notes = tuple(note for note, is_found in found.items() if is_found)
    return Header((height, width, num_channels), notes)


def _check_complete(image):
    """Raises an error if the file of an open image is damaged."""
    if image.format == "PNG":
        image.verify()  # Checksums tell without decoding.
        return
    if image.format in ("JPEG", "MPO"):
        image.fp.seek(-2, os.SEEK_END)
        if image.fp.read() == b"\xff\xd9":  # The end is there.
            return
    image.load()


def read(path, size, crop, num_channels):
    """Returns the image of a file that `inspect` accepts, resized.

    Args:
        path: of the file.
        size: height and width.
        crop: one of `CROPS`. For `"random"`, the image is cropped to at most
            `resizing.MAX_RATIO` times `size` in one dimension.
        num_channels: 1 or 3.

    Returns:
        uint8 array `[H, W, num_channels]`.

    Raises:
        ValueError: if the file cannot be decoded.
    """
    image, _ = open_image(path, side=2 * max(size))
    try:
        image = PIL.ImageOps.exif_transpose(image)
        if image.mode in _WIDE:
            pixels = np.clip(np.asarray(image, np.int32), 0, 2**16 - 1)
            image = PIL.Image.fromarray(np.uint8((pixels + 128) // 257))
        if image.has_transparency_data:
            white = PIL.Image.new("RGBA", image.size, "white")
            image = PIL.Image.alpha_composite(white, image.convert("RGBA"))
        image = image.convert("L" if num_channels == 1 else "RGB")
    except ValueError as error:
        expected = f"an image that Pillow can convert; {error}"
        raise _checks.invalid_value("name", path, expected) from error
    if crop == "none":
        image = image.resize(size[::-1])  # Bicubic is the default.
    else:
        old = (image.height, image.width)
        if crop == "random":
            scale = max(new / n for new, n in zip(size, old))
            size = [
                min(max(new, round(scale * n)), resizing.MAX_RATIO * new)
                for new, n in zip(size, old)
            ]
        image = PIL.ImageOps.fit(image, size[::-1])
    return np.asarray(image).reshape(*image.size[::-1], num_channels)
