# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of folders of images and of NumPy files."""

import os
import pathlib

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from tests.datasets import support
from tfp_glow import datasets

SPLITS = ("train", "validation", "test")


def test_a_flat_folder_is_divided(tmp_path):
    support.save_images(tmp_path, [(4, 4, 3)] * 40)
    (tmp_path / "notes.txt").write_text("not an image")
    parts = [support.values(datasets.load(tmp_path, split)) for split in SPLITS]
    assert [len(part) for part in parts] == [32, 4, 4]
    assert sorted(i for part in parts for i in part) == list(range(40))
    again = [
        support.values(datasets.load(str(tmp_path), split)) for split in SPLITS
    ]
    assert again[1:] == parts[1:]
    info = datasets.info(tmp_path)
    assert info.image_shape == (4, 4, 3)
    assert info.num_examples == {"train": 32, "validation": 4, "test": 4}


def test_a_folder_may_have_a_folder_per_split(tmp_path):
    for split, size in zip(SPLITS, (5, 2, 1)):
        support.save_images(tmp_path / split, [(4, 4, 1)] * size)
    info = datasets.info(str(tmp_path))
    assert info.num_examples == {"train": 5, "validation": 2, "test": 1}
    assert support.values(datasets.load(tmp_path, "validation")) == [0, 1]


def test_a_folder_of_mixed_sizes_needs_image_size(tmp_path):
    support.save_images(tmp_path, [(4, 4, 3), (6, 5, 3), (4, 4, 3)])
    message = (
        r"000.png has shape \(4, 4, 3\) and .*001.png has shape \(6, 5, 3\)"
    )
    with pytest.raises(ValueError, match=message):
        datasets.load(tmp_path)
    dataset = datasets.load(tmp_path, image_size=5)
    assert dataset.element_spec.shape == (5, 5, 3)
    assert support.stack(dataset).shape == (1, 5, 5, 3)


def test_a_folder_of_gray_and_color_images_is_an_error(tmp_path):
    support.save_images(tmp_path, [(4, 4, 3), (4, 4, 1), (4, 4, 3)])
    with pytest.raises(
        ValueError, match=r"equal numbers of channels.*001\.png"
    ):
        datasets.load(tmp_path, image_size=4)


def test_a_folder_without_images_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="there is no image in it"):
        datasets.load(tmp_path)
    (tmp_path / "train").mkdir()
    with pytest.raises(ValueError, match="there is no image in it"):
        datasets.load(tmp_path)


def test_a_folder_of_two_images_is_an_error(tmp_path):
    support.save_images(tmp_path, [(4, 4, 3)] * 2)
    with pytest.raises(ValueError, match=r"at least 3 images .*there are 2"):
        datasets.load(tmp_path)


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "link"])
def test_a_broken_image_is_named(tmp_path, kind):
    support.save_images(tmp_path, [(4, 4, 3)] * 5)
    broken = tmp_path / "broken.png"
    if kind == "link":
        broken.symlink_to(tmp_path / "missing")
    else:
        whole = (tmp_path / "000.png").read_bytes()
        contents = {
            "empty": b"",
            "text": b"text",
            "truncated": whole[: len(whole) // 2],
        }
        broken.write_bytes(contents[kind])
    with pytest.raises(ValueError, match=r"a readable image.*broken\.png"):
        datasets.load(tmp_path)


PIXELS = np.random.default_rng(0).integers(0, 256, [4, 6, 3], np.uint8)
RGB = PIL.Image.fromarray(PIXELS)
GRAY = PIL.Image.fromarray(PIXELS[..., 0])
BINARY = GRAY.convert("1")
PALETTE = RGB.quantize(16)
ROTATED = PIL.Image.Exif()
ROTATED[0x0112] = 6  # The tag Orientation: a quarter turn clockwise.


@pytest.mark.parametrize(
    ("image", "suffix", "options", "expected"),
    [
        (RGB, "PNG", {}, PIXELS),
        (PALETTE, "png", {}, PALETTE.convert("RGB")),
        (PALETTE, "bmp", {}, PALETTE.convert("RGB")),
        (BINARY, "png", {}, 255 * np.uint8(BINARY)[..., None]),
        (BINARY, "bmp", {}, 255 * np.uint8(BINARY)[..., None]),
        (GRAY, "png", {"exif": ROTATED}, np.rot90(PIXELS[..., :1], -1)),
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
    np.testing.assert_array_equal(found[0], expected)


def test_a_cmyk_photograph_becomes_rgb(tmp_path):
    for i in range(3):
        RGB.resize([64, 64]).convert("CMYK").save(tmp_path / f"{i}.jpg")
    (found,) = support.stack(datasets.load(tmp_path, "test"))
    error = found.astype(int) - np.asarray(RGB.resize([64, 64]))
    assert np.abs(error).mean() < 8


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (RGB.convert("RGBA"), {}, "'RGBA' and an alpha channel"),
        (GRAY.convert("LA"), {}, "'LA' and an alpha channel"),
        (PALETTE, {"transparency": 0}, "'P' and an alpha channel"),
        (PIL.Image.new("I;16", [4, 4]), {}, "16 bits"),
    ],
)
def test_an_image_that_would_lose_information_is_named(
    tmp_path, image, options, message
):
    support.save_images(tmp_path, [(4, 4, 3)] * 3)
    image.save(tmp_path / "other.png", **options)
    with pytest.raises(ValueError, match=rf"{message}.*other\.png"):
        datasets.load(tmp_path)


def test_an_image_of_16_bits_in_each_color_is_named(tmp_path):
    png = tf.io.encode_png(tf.zeros([4, 4, 3], tf.uint16))
    (tmp_path / "wide.png").write_bytes(png.numpy())
    support.save_images(tmp_path, [(4, 4, 3)] * 3)
    with pytest.raises(ValueError, match=r"has 16 bits.*wide\.png"):
        datasets.load(tmp_path)


def test_only_the_folders_of_splits_are_read(tmp_path):
    support.save_images(tmp_path, [(4, 4, 3)] * 3)
    support.save_images(tmp_path / "test", [(4, 4, 3)] * 2)
    assert datasets.info(tmp_path).num_examples == {"test": 2}


def test_a_path_may_begin_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    np.save(tmp_path / "x.NPY", np.zeros([5, 2, 2], int))
    os.rename(tmp_path / "x.NPY.npy", tmp_path / "x.NPY")
    for path in ("~/x.NPY", pathlib.Path("~/x.NPY")):
        assert datasets.info(path).image_shape == (2, 2, 1)


def test_npy_is_divided_into_disjoint_splits(numbered):
    parts = [support.values(datasets.load(numbered, split)) for split in SPLITS]
    assert [len(part) for part in parts] == [80, 10, 10]
    assert sorted(i for part in parts for i in part) == list(range(100))
    assert datasets.info(numbered) == datasets.DatasetInfo(
        name=str(numbered),
        image_shape=(6, 4, 1),
        bins=256,
        num_classes=None,
        num_examples={"train": 80, "validation": 10, "test": 10},
    )


def test_npz_images_keep_their_labels(tmp_path):
    x = np.arange(20).reshape(20, 1, 1, 1)
    np.savez(tmp_path / "x.npz", images=x, labels=np.arange(20) % 7)
    for split in SPLITS:
        dataset = datasets.load(tmp_path / "x.npz", split, as_supervised=True)
        pairs = [(int(x[0, 0, 0]), int(y)) for x, y in dataset]
        assert pairs
        assert all(x % 7 == y for x, y in pairs)
    assert datasets.info(tmp_path / "x.npz").num_classes == 7


def test_npz_may_hold_the_splits(tmp_path):
    x = np.arange(12, dtype=np.int64).reshape(6, 2, 1)
    np.savez(
        tmp_path / "x.npz",
        train=x,
        test=x[:2],
        train_labels=np.arange(6),
        test_labels=np.array([4, 5], np.uint8),
    )
    info = datasets.info(tmp_path / "x.npz")
    assert info.num_examples == {"train": 6, "test": 2}
    assert info.num_classes == 6
    dataset = datasets.load(tmp_path / "x.npz", "test", as_supervised=True)
    assert [int(y) for _, y in dataset] == [4, 5]
    with pytest.raises(ValueError, match=r"one of \['train', 'test'\]"):
        datasets.load(tmp_path / "x.npz", "validation")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros([9, 2, 2]), r"integers in \[0, bins\).*dtype float64\."),
        (np.full([9, 2, 2], np.nan, np.float32), "float32 and contains NaN"),
        (np.zeros([9, 2, 2], bool), "dtype bool"),
        (np.full([9, 2, 2], 256), "minimum 256 and maximum 256"),
        (np.full([9, 2, 2], -1), "minimum -1 and maximum -1"),
        (np.zeros([9, 2], int), r"\[N, H, W\].*shape \(9, 2\)"),
        (np.zeros([9, 2, 2, 1, 1], int), r"shape \(9, 2, 2, 1, 1\)"),
        (np.zeros([0, 2, 2], int), r"at least 3 images.*shape \(0, 2, 2\)"),
        (np.zeros([9, 0, 2], int), r"not empty.*shape \(9, 0, 2\)"),
        (np.array([{}]), "reading it failed"),
        (np.array(3), r"shape \(\)"),
        (np.array(["a"] * 9), "dtype <U1"),
    ],
)
def test_invalid_arrays_are_errors(tmp_path, array, message):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(ValueError, match=message):
        datasets.load(tmp_path / "x.npy")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": 0}, r"either an array `images` or .* there are \['x'\]"),
        ({"images": 0, "train": 0}, "either an array `images` or"),
        (
            {"images": 0, "labels": np.zeros(8, int)},
            r"9 integers.*shape \(8,\)",
        ),
        ({"images": 0, "labels": np.zeros(9)}, "9 integers.*dtype float64"),
        ({"images": 0, "labels": np.full(9, -1)}, "9 integers from 0"),
        (
            {"train": 0, "test": 0, "train_labels": np.zeros(9, int)},
            "`test_labels`.*missing",
        ),
        ({"train": 0, "test": np.zeros([9, 3, 2], int)}, "equal image shape"),
    ],
)
def test_invalid_archives_are_errors(tmp_path, arrays, message):
    images = np.zeros([9, 2, 2], int)
    arrays = {
        k: v if isinstance(v, np.ndarray) else images for k, v in arrays.items()
    }
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        datasets.load(tmp_path / "x.npz")


def test_a_damaged_archive_is_an_error(tmp_path):
    path = tmp_path / "x.npz"
    images = np.random.default_rng(0).integers(0, 256, [9, 9, 9])
    np.savez_compressed(path, images=images)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a NumPy file.*reading it failed"):
        datasets.load(path)
