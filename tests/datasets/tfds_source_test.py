# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of TFDS data sets."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tests.datasets import support
from tfp_glow import datasets

SPLITS = ("train", "validation", "test")


class TrainOnly(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """40 images, each of the gray level that is its number, in one split."""

    VERSION = tfds.core.Version("1.0.0")
    SPLITS = ("train",)
    code_path = None

    def _info(self):
        image = tfds.features.Image(shape=(4, 4, 1))
        features = tfds.features.FeaturesDict({"image": image})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        del dl_manager
        return {
            s: self._generate_examples(i) for i, s in enumerate(self.SPLITS)
        }

    def _generate_examples(self, start):
        for i in range(40 * start, 40 * (start + 1)):
            yield i, {"image": np.full((4, 4, 1), i, np.uint8)}


class TrainTest(TrainOnly, skip_registration=True):
    """A `TrainOnly` that also has a test split."""

    SPLITS = ("train", "test")


class TrainValidation(TrainOnly, skip_registration=True):
    """A `TrainOnly` that also has a validation split."""

    SPLITS = ("train", "validation")


@pytest.fixture
def register(monkeypatch, tmp_path):
    """Makes TFDS know a builder by name for the time of a test."""

    def add(builder_class):
        builder_class(data_dir=tmp_path).download_and_prepare()
        find = tfds.builder
        monkeypatch.setattr(tfds, "list_builders", lambda **_: ["mine"])
        monkeypatch.setattr(
            tfds,
            "builder",
            lambda name, **kwargs: (
                builder_class(**kwargs) if name == "mine" else find(name)
            ),
        )

    return add


@pytest.fixture
def mock_tfds(tmp_path):
    """Fake examples of TFDS data sets with real names, features and splits."""

    def mock(name, **split_sizes):
        builder = tfds.builder(name, data_dir=tmp_path)
        builder.info.set_splits(
            tfds.core.splits.SplitDict(
                [
                    tfds.core.SplitInfo(
                        name=split, shard_lengths=[size], num_bytes=size
                    )
                    for split, size in split_sizes.items()
                ]
            )
        )
        builder.info.set_file_format("tfrecord")
        builder.data_path.mkdir(parents=True)
        builder.info.write_to_directory(builder.data_path)
        return tfds.testing.mock_data(num_examples=10, data_dir=str(tmp_path))

    return mock


def test_cifar10_has_validation_carved_out_of_train(mock_tfds):
    with mock_tfds("cifar10", train=50_000, test=10_000):
        info = datasets.info("cifar10")
        batch, labels = next(
            iter(datasets.load("cifar10", "validation", 4, as_supervised=True))
        )
    assert info.image_shape == (32, 32, 3)
    assert (info.bins, info.num_classes) == (256, 10)
    assert info.num_examples == {
        "train": 45_000,
        "validation": 5_000,
        "test": 10_000,
    }
    assert (batch.shape, batch.dtype) == ((4, 32, 32, 3), tf.uint8)
    assert (labels.shape, labels.dtype) == ((4,), tf.int64)


def test_mnist_trains_on_shuffled_enlarged_images(mock_tfds):
    with mock_tfds("mnist", train=60_000, test=10_000):
        dataset = datasets.load("mnist", "train", 5, bins=32, image_size=32)
        batch = next(iter(dataset)).numpy()
    assert batch.shape == (5, 32, 32, 1)
    assert 16 < batch.max() < 32


def test_celeb_a_is_reduced_and_has_no_labels(mock_tfds):
    with mock_tfds("celeb_a", train=162_770, validation=19_867, test=19_962):
        info = datasets.info("celeb_a", image_size=64)
        images = datasets.load("celeb_a", "test", image_size=64)
        source = support.stack(datasets.load("celeb_a", "test"))
        squares = tf.image.resize(source[:, 20:-20], [64, 64], antialias=True)
        np.testing.assert_allclose(support.stack(images), squares, atol=60)
        with pytest.raises(
            ValueError, match="False for 'celeb_a', which has no"
        ):
            datasets.load("celeb_a", as_supervised=True)
    assert info.num_examples["validation"] == 19_867
    assert info.num_classes is None


def test_downsampled_imagenet_is_cropped_and_tests_on_validation(mock_tfds):
    name = "downsampled_imagenet/64x64"
    with mock_tfds(name, train=1_000, validation=200):
        info = datasets.info(name, image_size=64)
        for crop in ("center", "random", "none"):
            dataset = datasets.load(name, "train", 5, image_size=64, crop=crop)
            assert next(iter(dataset)).shape == (5, 64, 64, 3)
    assert info.num_examples == {"train": 900, "validation": 100, "test": 200}


@pytest.mark.parametrize(
    ("builder", "sizes"),
    [
        (TrainOnly, [32, 4, 4]),
        (TrainTest, [36, 4, 40]),
        (TrainValidation, [36, 4, 40]),
    ],
)
def test_carved_splits_are_disjoint(register, tmp_path, builder, sizes):
    register(builder)
    parts = [
        support.values(datasets.load("mine", split, data_dir=tmp_path))
        for split in SPLITS
    ]
    assert [len(part) for part in parts] == sizes
    expected = range(40 * len(builder.SPLITS))
    assert sorted(i for part in parts for i in part) == list(expected)
    if builder is not TrainOnly:
        assert min(parts[2]) == 40


def test_preparation_leaves_the_progress_bar_as_it_was(tmp_path, capfd):
    datasets.info("digits", data_dir=tmp_path / "ours")
    TrainOnly(data_dir=tmp_path / "theirs").download_and_prepare()
    assert "Generating" in capfd.readouterr().err
