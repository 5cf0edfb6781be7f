# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the embedded data sets."""

import random

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tests.datasets import support
from tfp_glow import datasets
from tfp_glow.datasets import digits
from tfp_glow.datasets import photos
from tfp_glow.datasets import sources

SPLITS = ("train", "validation", "test")


@pytest.fixture
def few_crops(monkeypatch):
    """Makes `photos` small; returns the number of crops in each split."""
    num_crops = {"train": 400, "validation": 60, "test": 60}
    monkeypatch.setattr(photos, "_NUM_CROPS", num_crops)
    return num_crops


def test_digits_are_the_scans_of_scikit_learn(data_dir):
    import sklearn.datasets

    received = []
    for split in SPLITS:
        dataset = datasets.load(
            "digits", split, data_dir=data_dir, as_supervised=True
        )
        for image, label in dataset.as_numpy_iterator():
            assert image.dtype == np.uint8
            assert label.dtype == np.int64
            received.append((image.tobytes(), int(label)))
    scans = sklearn.datasets.load_digits()
    expected = zip(scans.images.astype(np.uint8), scans.target)
    assert sorted(received) == sorted(
        (x.tobytes(), int(y)) for x, y in expected
    )


def test_every_digit_is_divided_70_15_15(data_dir):
    counts = []
    for split in SPLITS:
        dataset = datasets.load(
            "digits", split, data_dir=data_dir, as_supervised=True
        )
        labels = [int(label) for _, label in dataset]
        counts.append(np.bincount(labels, minlength=10))
    expected = np.outer([0.7, 0.15, 0.15], np.sum(counts, axis=0))
    np.testing.assert_allclose(counts, expected, atol=3)


def test_info_describes_digits(data_dir):
    assert datasets.info("digits", data_dir=data_dir) == datasets.DatasetInfo(
        name="digits",
        image_shape=(8, 8, 1),
        bins=17,
        num_classes=10,
        num_examples={"train": 1260, "validation": 270, "test": 267},
    )


def test_photographs_are_never_shared_between_splits(data_dir):
    names = tfds.builder("photos/16x16").info.features["photograph"].int2str
    seen = {}
    for split in SPLITS:
        dataset = datasets.load(
            "photos",
            split,
            image_size=16,
            data_dir=data_dir,
            as_supervised=True,
            shuffle=False,
        ).batch(1000)
        labels = np.concatenate([y for _, y in dataset.as_numpy_iterator()])
        seen[split] = {names(y) for y in set(labels.tolist())}
    assert seen == {s: set(n) for s, n in photos.PHOTOGRAPHS.items()}
    assert not seen["train"] & (seen["validation"] | seen["test"])
    assert not seen["validation"] & seen["test"]


def test_crops_are_parts_of_the_photograph_that_the_label_names(data_dir):
    names = tfds.builder("photos/16x16").info.features["photograph"].int2str
    dataset = datasets.load(
        "photos", "test", image_size=16, data_dir=data_dir, as_supervised=True
    )
    for image, label in dataset.take(20).as_numpy_iterator():
        photograph = photos.photograph(names(label))
        windows = np.lib.stride_tricks.sliding_window_view(
            photograph[..., 0], (16, 16)
        )
        rows, columns = np.nonzero(windows[..., 0, 0] == image[0, 0, 0])
        assert any(
            np.array_equal(photograph[r : r + 16, c : c + 16], image)
            for r, c in zip(rows, columns)
            if r <= photograph.shape[0] - 16 and c <= photograph.shape[1] - 16
        )


def test_held_out_photographs_have_equal_shares(data_dir):
    dataset = datasets.load(
        "photos", "test", image_size=16, data_dir=data_dir, as_supervised=True
    )
    labels = [int(label) for _, label in dataset]
    assert sorted(np.bincount(labels)[-2:].tolist()) == [500, 500]


def test_training_photographs_have_shares_proportional_to_area(data_dir):
    dataset = datasets.load(
        "photos", image_size=16, data_dir=data_dir, as_supervised=True
    ).batch(1000)
    labels = np.concatenate([y for _, y in dataset.as_numpy_iterator()])
    areas = [
        photos.photograph(n)[..., 0].size for n in photos.PHOTOGRAPHS["train"]
    ]
    expected = 20_000 * np.array(areas) / sum(areas)
    np.testing.assert_allclose(np.bincount(labels), expected, atol=1)


def test_photos_are_identical_when_generated_again(tmp_path, few_crops):
    for split in SPLITS:
        first, second = (
            support.stack(
                datasets.load(
                    "photos", split, data_dir=tmp_path / d, shuffle=False
                )
            )
            for d in ("first", "second")
        )
        assert len(first) == few_crops[split]
        np.testing.assert_array_equal(first, second)


def test_photos_of_any_size_come_from_a_config_of_that_size(
    tmp_path, few_crops
):
    for size, shape in ((48, (48, 48, 3)), ((8, 12), (8, 12, 3))):
        info = datasets.info("photos", image_size=size, data_dir=tmp_path)
        assert info.image_shape == shape
        assert info.num_classes == 7
        assert info.num_examples == few_crops
    assert (tmp_path / "photos" / "48x48").is_dir()
    assert (tmp_path / "photos" / "12x12").is_dir()


def test_photos_are_32x32x3_by_default(tmp_path, few_crops):
    batch = next(iter(datasets.load("photos", "test", 4, data_dir=tmp_path)))
    assert batch.shape == (4, 32, 32, 3)
    assert batch.dtype == tf.uint8


def test_gray_crops_are_the_luminance_of_the_color_crops(tmp_path, few_crops):
    rgb, gray = (
        support.stack(
            datasets.load(
                name, "test", image_size=8, data_dir=tmp_path, shuffle=False
            )
        )
        for name in ("photos", "photos_grey")
    )
    assert gray.shape == (few_crops["test"], 8, 8, 1)
    # The weights of Rec. 709, of gamma-encoded values.
    expected = rgb @ [0.2126, 0.7152, 0.0722]
    np.testing.assert_allclose(gray[..., 0], expected, atol=0.6)


def test_gray_photographs_for_training_include_camera(tmp_path, few_crops):
    dataset = datasets.load(
        "photos_grey", image_size=8, data_dir=tmp_path, as_supervised=True
    )
    info = tfds.builder("photos_grey/8x8", data_dir=tmp_path).info
    names = info.features["photograph"].int2str
    seen = {names(int(label)) for _, label in dataset}
    assert seen == {*photos.PHOTOGRAPHS["train"], "camera"}


def test_preparation_prints_nothing(tmp_path, capfd):
    datasets.info("digits", data_dir=tmp_path)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_preparation_leaves_one_finished_folder(tmp_path):
    datasets.info("digits", data_dir=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["digits"]
    assert (tmp_path / "digits/1.0.0/dataset_info.json").is_file()


def test_another_process_may_finish_first(tmp_path, monkeypatch):
    generate = digits.Digits._split_generators

    def race(self, dl_manager):
        monkeypatch.setattr(digits.Digits, "_split_generators", generate)
        random.seed(0)
        datasets.info("digits", data_dir=tmp_path)
        random.seed(0)
        return generate(self, dl_manager)

    monkeypatch.setattr(digits.Digits, "_split_generators", race)
    info = datasets.info("digits", data_dir=tmp_path)
    assert info.num_examples["train"] == 1260
    assert digits.Digits._split_generators is generate
    assert [p.name for p in tmp_path.iterdir()] == ["digits"]
    assert (
        len(support.stack(datasets.load("digits", "test", data_dir=tmp_path)))
        == 267
    )


def test_another_process_may_prepare_an_opened_data_set(tmp_path):
    source = sources.open_source("digits", data_dir=tmp_path)
    datasets.info("digits", data_dir=tmp_path)
    assert source.num_examples["test"] == 267
