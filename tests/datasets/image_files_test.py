# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of how image files of all kinds are decoded and resized."""

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from tests.datasets import support
from tfp_glow import datasets
from tfp_glow.datasets import sources

PIXELS = np.random.default_rng(0).integers(0, 256, [4, 6, 3], np.uint8)
RGB = PIL.Image.fromarray(PIXELS)
GRAY = PIL.Image.fromarray(PIXELS[..., 0])
BINARY = GRAY.convert("1")
PALETTE = RGB.quantize(16)
ROTATED = PIL.Image.Exif()
ROTATED[0x0112] = 6  # The tag Orientation: a quarter turn clockwise.
WIDE = PIL.Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257)
ALPHA = RGB.copy()
ALPHA.putalpha(PIL.Image.fromarray(np.uint8([[0, 51, 255] * 2] * 4)))
_SHARE = np.array([0.0, 0.2, 1.0] * 2)[:, None]
ON_WHITE = _SHARE * PIXELS + 255.0 * (1.0 - _SHARE)


@pytest.mark.parametrize(
    ("image", "suffix", "options", "expected"),
    [
        (RGB, "PNG", {}, PIXELS),
        (RGB, "tif", {}, PIXELS),
        (RGB, "webp", {"lossless": True}, PIXELS),
        (RGB, "ppm", {}, PIXELS),
        (PALETTE, "png", {}, PALETTE.convert("RGB")),
        (PALETTE, "bmp", {}, PALETTE.convert("RGB")),
        (BINARY, "png", {}, 255 * np.uint8(BINARY)[..., None]),
        (BINARY, "bmp", {}, 255 * np.uint8(BINARY)[..., None]),
        (GRAY, "png", {"exif": ROTATED}, np.rot90(PIXELS[..., :1], -1)),
        (WIDE, "png", {}, PIXELS[..., :1]),
        (WIDE, "tif", {}, PIXELS[..., :1]),
        (WIDE, "png", {"exif": ROTATED}, np.rot90(PIXELS[..., :1], -1)),
        (ALPHA, "png", {}, ON_WHITE),
        (ALPHA, "png", {"exif": ROTATED}, np.rot90(ON_WHITE, -1)),
        (
            PALETTE,
            "gif",
            {"save_all": True, "append_images": [PALETTE.rotate(180)]},
            PALETTE.convert("RGB"),
        ),
    ],
)
def test_images_of_all_kinds_are_read(
    tmp_path, image, suffix, options, expected
):
    folder = tmp_path / "ä b"
    folder.mkdir()
    (folder / ".DS_Store").write_bytes(b"hidden")
    (folder / "._0.png").write_bytes(b"hidden")
    for i in range(2):
        image.save(folder / f"{i}.{suffix}", **options)
    (folder / f"2.{suffix}").symlink_to(folder / f"0.{suffix}")
    found = support.stack(datasets.load(folder, "test"))
    np.testing.assert_allclose(found[0], expected, atol=0.6)


def test_a_cmyk_photograph_becomes_rgb(tmp_path):
    for i in range(3):
        RGB.resize([64, 64]).convert("CMYK").save(tmp_path / f"{i}.jpg")
    (found,) = support.stack(datasets.load(tmp_path, "test"))
    error = found.astype(int) - np.asarray(RGB.resize([64, 64]))
    assert np.abs(error).mean() < 8


def test_colors_of_16_bits_are_scaled(tmp_path):
    png = tf.io.encode_png(257 * tf.cast(PIXELS, tf.uint16)).numpy()
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(png)
    (found,) = support.stack(datasets.load(tmp_path, "test"))
    np.testing.assert_array_equal(found, PIXELS)


def test_gray_images_among_colored_ones_become_rgb(tmp_path):
    support.save_images(tmp_path, [(4, 4, 1)] * 10 + [(4, 4, 3)] * 10)
    found = support.stack(datasets.load(tmp_path))
    assert found.shape == (16, 4, 4, 3)
    assert np.all(found == found[..., :1])
    assert len(set(found[:, 0, 0, 0])) == 16


def _save_ramp(folder, shape, suffix="png"):
    """Saves images whose gray levels are 0, 1, 2, ... from left to right."""
    x = np.broadcast_to(np.arange(shape[1], dtype=np.uint8), shape)
    for i in range(20):
        PIL.Image.fromarray(x).save(folder / f"{i}.{suffix}")
    return x


@pytest.mark.parametrize("kind", ["folder", "array"])
@pytest.mark.parametrize("shape", [(64, 80), (32, 64)])
def test_the_center_is_cropped_and_reduced(tmp_path, kind, shape):
    x = _save_ramp(tmp_path, shape)
    path = tmp_path
    if kind == "array":
        path = tmp_path / "x.npy"
        np.save(path, np.broadcast_to(x, [20, *shape]))
    (found, _) = support.stack(datasets.load(path, "test", image_size=8))
    side = shape[0]
    left = (shape[1] - side) / 2
    expected = left + (np.arange(8) + 0.5) * side / 8 - 0.5
    # The edges differ, because Pillow does not look beyond the crop.
    np.testing.assert_allclose(found[:, 1:-1, 0], [expected[1:-1]] * 8, atol=1)
    np.testing.assert_allclose(found[..., 0], [expected] * 8, atol=4)


@pytest.mark.parametrize("kind", ["folder", "array"])
def test_reducing_averages(tmp_path, kind):
    x = np.uint8(255 * (np.indices([64, 64]).sum(axis=0) % 2))
    for i in range(10):
        PIL.Image.fromarray(x).save(tmp_path / f"{i}.png")
    path = tmp_path
    if kind == "array":
        path = tmp_path / "x.npy"
        np.save(path, np.broadcast_to(x, [10, 64, 64]))
    (found,) = support.stack(datasets.load(path, "test", image_size=8))
    np.testing.assert_allclose(found, 128, atol=8)


@pytest.mark.parametrize("kind", ["folder", "array"])
def test_without_a_crop_all_of_the_image_is_squeezed(tmp_path, kind):
    x = _save_ramp(tmp_path, (16, 64))
    path = tmp_path
    if kind == "array":
        path = tmp_path / "x.npy"
        np.save(path, np.broadcast_to(x, [20, *x.shape]))
    dataset = datasets.load(path, "test", image_size=8, crop="none")
    found = support.stack(dataset)[0, ..., 0]
    np.testing.assert_allclose(found, [8 * np.arange(8) + 3.5] * 8, atol=1.5)


def test_small_images_are_enlarged(tmp_path):
    _save_ramp(tmp_path, (8, 8))
    found = support.stack(datasets.load(tmp_path, "test", image_size=16))
    expected = (np.arange(16) - 0.5) / 2
    np.testing.assert_allclose(found[0, ..., 0], [expected] * 16, atol=1)


def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size(tmp_path):
    _save_ramp(tmp_path, (256, 256), "jpg")
    found = support.stack(datasets.load(tmp_path, "test", image_size=8))
    expected = 32 * np.arange(8) + 15.5
    np.testing.assert_allclose(found[0, ..., 0], [expected] * 8, atol=4)


@pytest.mark.parametrize("kind", ["folder", "array"])
def test_random_crops_are_new_in_every_epoch(tmp_path, kind):
    x = _save_ramp(tmp_path, (8, 40))
    path = tmp_path
    if kind == "array":
        path = tmp_path / "x.npy"
        np.save(path, np.broadcast_to(x, [20, *x.shape]))
    dataset = datasets.load(path, image_size=8, crop="random", seed=0)
    assert dataset.element_spec.shape == (8, 8, 1)
    first, second = (support.stack(dataset) for _ in range(2))
    np.testing.assert_array_equal(np.diff(first[..., 0], axis=2), 1)
    assert len(set(first[:, 0, 0, 0])) > 8
    assert not np.array_equal(first, second)
    # Other splits are cropped at the center.
    held_out = datasets.load(path, "test", image_size=8, crop="random")
    assert support.values(held_out) == [16, 16]


@pytest.mark.parametrize(
    ("kind", "crop"),
    [
        ("folder", "random"),
        ("array", "center"),
        pytest.param("folder", "center", marks=pytest.mark.slow),
        pytest.param("folder", "none", marks=pytest.mark.slow),
        pytest.param("array", "random", marks=pytest.mark.slow),
        pytest.param("array", "none", marks=pytest.mark.slow),
    ],
)
def test_long_images_take_little_memory(tmp_path, kind, crop):
    x = _save_ramp(tmp_path, (1, 60_000))
    path = tmp_path
    if kind == "array":
        path = tmp_path / "x.npy"
        np.save(path, np.broadcast_to(x, [20, *x.shape]))
    source = sources.open_source(path)
    dataset = source.read("train", (64, 64), crop, keep=False)
    image = next(iter(dataset))["image"]
    assert image.shape == (64, 256 if crop == "random" else 64, 1)
    images = datasets.load(path, image_size=64, crop=crop)
    assert next(iter(images)).shape == (64, 64, 1)
