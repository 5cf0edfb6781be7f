# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures that a browser sends, made images of a model's size."""

import base64
import binascii
import io
import tempfile

import numpy as np
import PIL.Image

from tfp_glow.datasets import image_files

MAX_BYTES = 8 * 2**20
# Pillow would decode other formats by programs of their own, or rarely used code.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
# Loads the decoders, for which the first picture would wait.
PIL.Image.init()
_EXPECTED = "Expected a picture, PNG, JPEG, WebP, GIF, BMP or TIFF. Received: "


def read(text, image_shape):
    """Reads a picture, crops it to a model's proportions and resizes it.

    Args:
        text: `str`, the bytes of the file in base64.
        image_shape: `(H, W, C)`, with `C` one or three.

    Returns:
        uint8 array `[H, W, C]`, and notes: a list of `str` that say what was
        converted.

    Raises:
        ValueError: unless the file is a picture of at most `MAX_BYTES` and
            `PIL.Image.MAX_IMAGE_PIXELS`.
    """
    height, width, num_channels = image_shape
    data = from_base64("picture", text)
    if len(data) > MAX_BYTES:
        raise ValueError(
            f"Expected a picture of at most {MAX_BYTES / 2**20:.0f} MiB. "
            f"Received: a file of {len(data) / 2**20:.1f} MiB. Make it smaller "
            "first"
        )
    with image_files.strict_limits(), tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        header = image_files.inspect(file.name, _FORMATS)
        if isinstance(header, str):
            raise ValueError(_EXPECTED + header)
        pixels = image_files.read(
            file.name, (height, width), "center", num_channels
        )
    notes = [f"The picture was {note}." for note in header.notes]
    if header.shape[:2] != (height, width):
        notes.append(
            f"The middle of {header.shape[1]}x{header.shape[0]} pixels was "
            f"resized to {width}x{height}."
        )
    if header.shape[2] != num_channels:
        wanted = "gray" if num_channels == 1 else "RGB"
        notes.append(f"The picture was made {wanted}, as the model's data are.")
    return pixels, notes


def from_base64(name, text):
    """Returns the bytes of a text in base64, or raises `ValueError`."""
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise ValueError(
            f"Expected base64 for {name!r}. Received: {type(text).__name__} "
            "that is not"
        ) from error


def to_data_url(levels, bins):
    """Returns gray levels `[H, W, C]` as a PNG file in a `data:` address."""
    pixels = np.clip(np.round(np.nan_to_num(levels)), 0, bins - 1)
    pixels = np.round(pixels * (255.0 / (bins - 1))).astype(np.uint8)
    pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
