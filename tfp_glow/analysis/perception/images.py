# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Photographs and masks in files, read with notes of what was converted."""

import numpy as np
import PIL.ExifTags
import PIL.Image
import PIL.ImageOps
import skimage.color
import skimage.util

from tfp_glow import _checks
from tfp_glow import _files
from tfp_glow.analysis.perception import patches
from tfp_glow.datasets import image_files

# Pillow's modes of one channel, with and without alpha.
_GRAY = ("1", "L", "LA", "La", "F")
_WIDE = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # These hold 16 bits.


def read_image(path):
    """Reads a photograph.

    An alpha channel is composited on white, and all but gray becomes RGB.

    Args:
        path: of a file in a format that Pillow reads.

    Returns:
        Array `[H, W, C]` in `[0, 1]`, with `C` one or three, and the notes: a
        list of `str` that say what was converted.

    Raises:
        ValueError: if the file cannot be read, or has values outside `[0, 1]`,
            which is possible for floats only.
    """
    return _read(path, background=1.0)


def read_mask(path, image):
    """Reads a mask from a picture, in which the region is white.

    Pixels above half brightness are inside. Transparent ones are outside.

    Returns:
        `bool` array `[H, W]`, and the notes, see `read_image`.

    Raises:
        ValueError: if the file cannot be read, the picture is not of the size of
            `image`, or no pixels or all of them are inside.
    """
    pixels, notes = _read(path, background=0.0)
    mask = np.mean(pixels, axis=-1) > 0.5
    expected = ""
    if mask.shape != image.shape[:2]:
        expected = (
            f"a mask of the image's size, {_size(image)} pixels (width x "
            f"height); this one has {_size(mask)}"
        )
    elif not mask.any():
        expected = (
            "a mask with pixels above half brightness, which are inside; the "
            f"brightest of this one has {np.max(np.mean(pixels, -1)):.2f}"
        )
    elif mask.all():
        expected = (
            "a mask with dark pixels, which are outside; all of this one are "
            "above half brightness"
        )
    if expected:
        raise _checks.invalid_value("path", path, expected)
    return mask, notes


def check_masks(a, b):
    """Raises `ValueError` if two masks have pixels in common."""
    if common := np.sum(a & b):
        raise ValueError(
            "Expected two masks without common pixels. Received: masks that "
            f"share {common} pixels, of {np.sum(a)} and {np.sum(b)}"
        )


def for_model(image, num_channels):
    """Returns an image with the channels of a model's images, and notes.

    Gray becomes three equal channels. RGB becomes gray by
    `skimage.color.rgb2gray`, as in the data set `photos_grey`.

    Raises:
        TypeError, ValueError: unless image and model have one channel or three,
            and the values are floats in `[0, 1]`.
    """
    image = patches.check_image(image)
    if image.shape[2] == num_channels:
        return image, []
    if num_channels == 3:
        note = "shown to the RGB model with three equal channels"
        return np.repeat(image, 3, axis=-1), [note]
    if num_channels == 1:
        return skimage.color.rgb2gray(image)[..., np.newaxis], [
            "converted to gray for the gray model"
        ]
    raise ValueError(
        "Expected a model of images with one channel or three. Received: "
        f"{num_channels} channels"
    )


def write_image(path, image):
    """Writes an image `[H, W, C]` in `[0, 1]` as a file of 8 bits."""
    pixels = skimage.util.img_as_ubyte(image)
    pixels = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    with _files.replacing(path) as temporary:
        PIL.Image.fromarray(pixels).save(temporary)


def _read(path, background):
    """Returns pixels `[H, W, C]` in `[0, 1]`, and notes."""
    image, has_16_bits = image_files.open_image(path, "path")
    mode, notes = image.mode, []
    if image.getexif().get(PIL.ExifTags.Base.Orientation, 1) != 1:
        notes.append("turned upright by its EXIF orientation")
    image = PIL.ImageOps.exif_transpose(image)
    is_gray = mode in _GRAY + _WIDE
    try:
        if image.has_transparency_data:
            pixels = np.asarray(image.convert("RGBA")) / 255.0
            alpha = pixels[..., 3:]
            pixels = alpha * pixels[..., :3] + (1.0 - alpha) * background
            pixels = pixels[..., :1] if is_gray else pixels
            color = "white" if background else "black"
            notes.append(f"alpha channel composited on {color}")
        elif mode == "F" or mode in _WIDE:
            pixels = np.asarray(image, float)[..., np.newaxis]
            pixels = pixels if mode == "F" else pixels / 65535.0
        else:
            pixels = np.asarray(image.convert("L" if is_gray else "RGB"))
            pixels = pixels.reshape(*image.size[::-1], -1) / 255.0
    except ValueError as error:
        expected = f"an image that Pillow can convert to RGB; {error}"
        raise _checks.invalid_value("path", path, expected) from error
    if mode in _WIDE:
        notes.append("16 bits scaled to [0, 1]")
    elif has_16_bits:
        notes.append("16 bits reduced to 8")
    if is_gray:
        notes.append("one channel, kept as gray")
    elif mode not in ("RGB", "RGBA"):
        notes.append(f"converted from {_name(mode)} to RGB")
    low, high = np.min(pixels), np.max(pixels)
    if not (low >= 0.0 and high <= 1.0):  # NaN fails too.
        expected = (
            f"an image of values in [0, 1]; this one has values from {low:.6g} "
            f"to {high:.6g}"
        )
        raise _checks.invalid_value("path", path, expected)
    return pixels, notes


def _name(mode):
    return {"P": "a palette", "PA": "a palette"}.get(mode, mode)


def _size(pixels):
    return f"{pixels.shape[1]}x{pixels.shape[0]}"
