# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of reading photographs and masks, and of what is said about it."""

import numpy as np
import PIL.Image
import pytest

from tfp_glow.analysis.perception import images

_RGB = np.random.default_rng(0).integers(0, 256, [5, 7, 3], np.uint8)


def _write(folder, array, mode=None, suffix="png", **options):
    path = str(folder / f"image.{suffix}")
    image = PIL.Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def test_rgb_is_read_without_notes(tmp_path):
    image, notes = images.read_image(_write(tmp_path, _RGB))
    np.testing.assert_array_equal(image, _RGB / 255.0)
    assert notes == []


@pytest.mark.parametrize(
    ("mode", "suffix", "channels", "note"),
    [
        ("L", "png", 1, "one channel, kept as gray"),
        ("1", "png", 1, "one channel, kept as gray"),
        ("P", "png", 3, "converted from a palette to RGB"),
        ("CMYK", "tif", 3, "converted from CMYK to RGB"),
    ],
)
def test_modes_are_converted_with_a_note(
    tmp_path, mode, suffix, channels, note
):
    path = _write(tmp_path, _RGB, mode, suffix)
    image, notes = images.read_image(path)
    assert image.shape == (5, 7, channels)
    assert notes == [note]
    expected = PIL.Image.open(path).convert("L" if channels == 1 else "RGB")
    np.testing.assert_array_equal(
        image, np.asarray(expected).reshape(image.shape) / 255.0
    )


@pytest.mark.parametrize("gray", [False, True])
def test_alpha_is_composited_on_white(tmp_path, gray):
    alpha = np.full([5, 7, 1], 51, np.uint8)
    channels = _RGB[..., :1] if gray else _RGB
    path = _write(tmp_path, np.concatenate([channels, alpha], axis=-1))
    image, notes = images.read_image(path)
    np.testing.assert_allclose(image, 0.2 * channels / 255.0 + 0.8)
    assert notes[0] == "alpha channel composited on white"
    assert notes[1:] == (["one channel, kept as gray"] if gray else [])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_are_scaled(tmp_path, suffix):
    wide = np.array([[0, 257, 65535]], np.uint16)
    image, notes = images.read_image(_write(tmp_path, wide, suffix=suffix))
    np.testing.assert_allclose(image[..., 0], [[0.0, 1 / 255, 1.0]])
    assert notes[0] == "16 bits scaled to [0, 1]"


def test_an_exif_orientation_is_applied(tmp_path):
    exif = PIL.Image.Exif()
    exif[PIL.ExifTags.Base.Orientation] = 6
    image, notes = images.read_image(_write(tmp_path, _RGB, exif=exif))
    np.testing.assert_array_equal(image, np.rot90(_RGB, -1) / 255.0)
    assert notes == ["turned upright by its EXIF orientation"]


@pytest.mark.parametrize("value", [1.5, -0.1, np.nan])
def test_floats_outside_0_and_1_are_refused(tmp_path, value):
    array = np.full([2, 3], 0.5, np.float32)
    path = _write(tmp_path, array, suffix="tif")
    np.testing.assert_array_equal(images.read_image(path)[0], array[..., None])
    array[0, 0] = value
    path = _write(tmp_path, array, suffix="tif")
    with pytest.raises(ValueError, match=r"values in \[0, 1\]; this one has"):
        images.read_image(path)


def test_files_that_are_not_images_are_refused(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    for path in (tmp_path, tmp_path / "missing.png", tmp_path / "text.png"):
        with pytest.raises(ValueError, match="a readable image") as error:
            images.read_image(str(path))
        assert f"path='{path}'" in str(error.value)


# Masks.


def test_a_mask_is_what_is_above_half(tmp_path):
    gray = np.array([[0, 127, 128, 255]], np.uint8)
    mask, notes = images.read_mask(_write(tmp_path, gray), np.zeros([1, 4, 3]))
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, [[False, False, True, True]])
    assert notes == ["one channel, kept as gray"]


def test_transparent_pixels_are_outside_a_mask(tmp_path):
    picture = np.full([1, 2, 4], 255, np.uint8)
    picture[0, 1, 3] = 0
    path = _write(tmp_path, picture)
    mask, notes = images.read_mask(path, np.zeros([1, 2, 3]))
    np.testing.assert_array_equal(mask, [[True, False]])
    assert notes == ["alpha channel composited on black"]


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([[0, 255]], "image's size, 3x1 pixels.*this one has 2x1"),
        ([[0, 100, 0]], "above half brightness.*this one has 0.39"),
        ([[255, 255, 200]], "with dark pixels"),
    ],
)
def test_a_mask_must_fit_and_divide_the_image(tmp_path, levels, message):
    path = _write(tmp_path, np.array(levels, np.uint8))
    with pytest.raises(ValueError, match=message):
        images.read_mask(path, np.zeros([1, 3, 3]))


def test_masks_must_not_overlap():
    a, b = np.array([[True, True, False]]), np.array([[False, True, True]])
    images.check_masks(a, ~a)
    with pytest.raises(ValueError, match="share 1 pixels, of 2 and 2"):
        images.check_masks(a, b)


# Models and files.


def test_channels_are_converted_for_a_model():
    color = _RGB / 255.0
    assert images.for_model(color, 3)[1] == []
    gray, [note] = images.for_model(color, 1)
    np.testing.assert_allclose(
        gray[..., 0], color @ [0.2125, 0.7154, 0.0721], atol=1e-12
    )
    assert "to gray" in note
    image, [note] = images.for_model(gray, 3)
    np.testing.assert_array_equal(image, np.concatenate([gray] * 3, axis=-1))
    assert "three equal channels" in note
    with pytest.raises(ValueError, match="one channel or three"):
        images.for_model(color, 2)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_written_as_8_bits(tmp_path, channels):
    image = _RGB[..., :channels] / 255.0
    images.write_image(tmp_path / "out.png", image)
    np.testing.assert_array_equal(
        images.read_image(tmp_path / "out.png")[0], image
    )
