# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of pictures that a browser sends."""

import base64

import numpy as np
import PIL.Image
import pytest

from tests.explorer import support
from tfp_glow.explorer import uploads


def _gray(height, width, value=100):
    return PIL.Image.fromarray(np.full([height, width], value, np.uint8))


def test_a_picture_of_another_size_is_cropped_with_a_note():
    image = np.zeros([40, 80, 3], np.uint8)
    image[:, 10:70] = [10, 200, 30]  # The middle, and more than is kept.
    data = support.file(PIL.Image.fromarray(image))
    pixels, notes = uploads.read(data, (8, 8, 3))
    assert pixels.shape == (8, 8, 3)
    np.testing.assert_array_equal(pixels, np.full([8, 8, 3], [10, 200, 30]))
    assert notes == ["The middle of 80x40 pixels was resized to 8x8."]


def test_sixteen_bits_are_scaled():
    image = PIL.Image.fromarray(np.full([8, 8], 40_000, np.uint16))
    pixels, notes = uploads.read(support.file(image), (8, 8, 1))
    np.testing.assert_array_equal(pixels, round(40_000 / 257))
    assert notes == ["The picture was scaled from 16 bits."]


def test_alpha_is_composited_on_white():
    image = PIL.Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    pixels, notes = uploads.read(support.file(image), (8, 8, 3))
    np.testing.assert_array_equal(pixels, 255)
    assert notes == ["The picture was composited on white (alpha)."]


def test_gray_and_color_are_converted_with_a_note():
    pixels, notes = uploads.read(support.file(_gray(8, 8)), (8, 8, 3))
    np.testing.assert_array_equal(pixels, 100)
    assert "made RGB" in notes[0]
    image = PIL.Image.new("RGB", (8, 8), "white")
    pixels, notes = uploads.read(support.file(image, "JPEG"), (8, 8, 1))
    assert pixels.shape == (8, 8, 1)
    assert "made gray" in notes[0]


def test_what_is_not_a_picture_raises():
    text = base64.b64encode(b"hello, this is text").decode()
    with pytest.raises(ValueError, match="not an image"):
        uploads.read(text, (8, 8, 1))
    # A format of Pillow that needs another program.
    eps = base64.b64encode(b"%!PS-Adobe-3.0 EPSF-3.0\n").decode()
    with pytest.raises(ValueError, match="not an image"):
        uploads.read(eps, (8, 8, 1))
    damaged = support.file(_gray(64, 64))[:80]
    with pytest.raises(ValueError, match="damaged"):
        uploads.read(damaged, (8, 8, 1))
    for data in (None, 3, "no base64!"):
        with pytest.raises(ValueError, match="base64"):
            uploads.read(data, (8, 8, 1))


def test_too_many_bytes_or_pixels_raise(monkeypatch):
    data = support.file(_gray(20, 20))
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 300)
    with pytest.raises(ValueError, match="more than 300 pixels"):
        uploads.read(data, (8, 8, 1))
    monkeypatch.setattr(uploads, "MAX_BYTES", 50)
    with pytest.raises(ValueError, match="Make it smaller"):
        uploads.read(data, (8, 8, 1))
