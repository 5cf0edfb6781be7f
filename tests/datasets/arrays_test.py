# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the images in NumPy files."""

import os
import pathlib
import zipfile

import numpy as np
import pytest

from tests.datasets import support
from tfp_glow import datasets

SPLITS = ("train", "validation", "test")


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
    assert info.num_examples == {"train": 5, "validation": 1, "test": 2}
    assert info.num_classes == 6
    dataset = datasets.load(tmp_path / "x.npz", "test", as_supervised=True)
    assert [int(y) for _, y in dataset] == [4, 5]
    (pair,) = datasets.load(
        tmp_path / "x.npz", "validation", as_supervised=True
    )
    assert int(pair[0][0, 0, 0]) // 2 == int(pair[1])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            np.full([9, 2, 2], 0.5),
            r"save `np.round\(255 \* x\).astype\(np.uint8\)`, or .*FlowModel.*"
            "dtype float64 and values from 0.5 to 0.5",
        ),
        (np.full([9, 2, 2], 2.5), r"save `np.round\(x\).astype\(np.uint8\)`"),
        (np.full([9, 2, 2], -1.0), r"\[0, bins\), bins at most 256; .*float64"),
        (np.full([9, 2, 2], np.nan, np.float32), "float32 and contains NaN"),
        (np.zeros([9, 2, 2], bool), "dtype bool"),
        (np.full([9, 2, 2], 256), "minimum 256 and maximum 256"),
        (np.full([9, 2, 2], -1), "minimum -1 and maximum -1"),
        (np.zeros([9, 2], int), r"\[N, H, W\].*shape \(9, 2\)"),
        (np.zeros([9, 2, 2, 1, 1], int), r"shape \(9, 2, 2, 1, 1\)"),
        (np.zeros([0, 2, 2], int), r"at least one image.*shape \(0, 2, 2\)"),
        (np.zeros([9, 0, 2], int), r"none that is empty.*shape \(9, 0, 2\)"),
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
        ({"images": 0, "labels": np.full(9, -1)}, "values from -1 to -1"),
        (
            {"images": 0, "labels": np.full(9, 10**9)},
            r"return_inverse=True\)\[1",
        ),
        ({"images": 0, "labels": np.full(9, 2**64 - 1, np.uint64)}, "65536"),
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


_TERABYTES = {"shape": (10**9, 64, 64), "fortran_order": False, "descr": "|u1"}


def _promise_terabytes(path):
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, _TERABYTES)
        file.write(bytes(100))


@pytest.mark.parametrize("kind", ["array", "sparse array", "archive"])
def test_a_header_that_promises_terabytes_is_an_error(tmp_path, kind):
    path = tmp_path / "images.npy"
    _promise_terabytes(path)
    if kind == "sparse array":
        try:
            os.truncate(path, 5 * 10**12)
        except OSError:
            pytest.skip("this file system has no sparse files of this size")
    elif kind == "archive":
        with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
            archive.write(path, "images.npy")
        path = tmp_path / "x.npz"
    with pytest.raises(ValueError, match="header promises 4,096,000,000,000"):
        datasets.info(path)


def test_other_members_of_an_archive_are_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        np.save(tmp_path / "images.npy", np.zeros([9, 2, 2], int))
        archive.write(tmp_path / "images.npy", "images.npy")
        _promise_terabytes(tmp_path / "other.npy")
        archive.write(tmp_path / "other.npy", "other.npy")
    assert datasets.info(tmp_path / "x.npz").image_shape == (2, 2, 1)
