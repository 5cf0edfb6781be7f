# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.datasets`."""

import pathlib
import random

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from absl import logging

from tfp_glow import datasets
from tfp_glow.datasets import photos
from tfp_glow.datasets import pipeline
from tfp_glow.datasets import sources

SPLITS = ("train", "validation", "test")

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """A folder of prepared data sets, so that each is made once."""
    return tmp_path_factory.mktemp("tfds")


@pytest.fixture
def few_crops(monkeypatch):
    """Makes `photos` small; returns the number of crops in each split."""
    num_crops = {"train": 400, "validation": 60, "test": 60}
    monkeypatch.setattr(photos, "_NUM_CROPS", num_crops)
    return num_crops


class TrainOnly(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """40 images, each of the grey level that is its number, in one split."""

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
    """As `TrainOnly`, with a test split."""

    SPLITS = ("train", "test")


class TrainValidation(TrainOnly, skip_registration=True):
    """As `TrainOnly`, with a validation split."""

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


def values(dataset):
    """The value of the first pixel of every image, in order."""
    return [int(x.flat[0]) for x in dataset.as_numpy_iterator()]


def stack(dataset):
    return np.stack(list(dataset.as_numpy_iterator()))


def save_images(folder, shapes):
    folder.mkdir(parents=True, exist_ok=True)
    for i, shape in enumerate(shapes):
        png = tf.io.encode_png(tf.fill(shape, tf.constant(i, tf.uint8)))
        (folder / f"{i:03}.png").write_bytes(png.numpy())


@pytest.fixture
def numbered(tmp_path):
    """The path of 100 images, each of the grey level that is its number."""
    path = tmp_path / "numbered.npy"
    x = np.broadcast_to(np.arange(100)[:, None, None], [100, 6, 4])
    np.save(path, x)
    return path


# The embedded data sets.


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
    digits = sklearn.datasets.load_digits()
    expected = zip(digits.images.astype(np.uint8), digits.target)
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
            stack(
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


def test_preparation_prints_nothing(tmp_path, capfd):
    datasets.info("digits", data_dir=tmp_path)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_preparation_leaves_the_progress_bar_as_it_was(tmp_path, capfd):
    datasets.info("digits", data_dir=tmp_path / "ours")
    TrainOnly(data_dir=tmp_path / "theirs").download_and_prepare()
    assert "Generating" in capfd.readouterr().err


def test_preparation_leaves_one_finished_folder(tmp_path):
    datasets.info("digits", data_dir=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["digits"]
    assert (tmp_path / "digits/1.0.0/dataset_info.json").is_file()


def test_another_process_may_finish_first(tmp_path, monkeypatch):
    from tfp_glow.datasets import digits

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
    assert len(stack(datasets.load("digits", "test", data_dir=tmp_path))) == 267


def test_another_process_may_prepare_what_is_already_opened(tmp_path):
    source = sources.open_source("digits", data_dir=tmp_path)
    datasets.info("digits", data_dir=tmp_path)
    assert source.num_examples["test"] == 267


# Splits, order and augmentation.


@pytest.mark.parametrize("batch_size", [None, 16])
def test_shapes_are_static(data_dir, batch_size):
    images = datasets.load("digits", "train", batch_size, data_dir=data_dir)
    pairs = datasets.load(
        "digits", "train", batch_size, data_dir=data_dir, as_supervised=True
    )
    batch = () if batch_size is None else (batch_size,)
    image = tf.TensorSpec((*batch, 8, 8, 1), tf.uint8)
    assert images.element_spec == image
    assert pairs.element_spec == (image, tf.TensorSpec(batch, tf.int64))


def test_training_drops_the_last_batch_and_testing_keeps_it(numbered):
    assert [len(x) for x in datasets.load(numbered, "train", 32)] == [32, 32]
    assert [len(x) for x in datasets.load(numbered, "test", 4)] == [4, 4, 2]
    kept = datasets.load(numbered, "train", 32, drop_remainder=False)
    assert [len(x) for x in kept] == [32, 32, 16]


def test_training_order_is_reproducible_and_new_in_every_epoch(numbered):
    first = datasets.load(numbered, seed=1)
    epochs = [values(first) for _ in range(3)]
    again = datasets.load(numbered, seed=1)
    assert [values(again) for _ in range(3)] == epochs
    assert epochs[0] != epochs[1] != epochs[2]
    assert sorted(epochs[0]) == sorted(epochs[1])


@pytest.mark.parametrize("global_seed", [None, 0, 7])
def test_order_of_a_numbered_epoch_depends_on_seed_and_number_alone(
    numbered, global_seed
):
    def epochs(initial_epoch, seed=1):
        dataset = datasets.load(
            numbered,
            batch_size=32,
            seed=seed,
            initial_epoch=initial_epoch,
            drop_remainder=False,
        )
        batches = list(dataset.take(9).as_numpy_iterator())
        assert [len(batch) for batch in batches] == [32, 32, 16] * 3
        order = np.concatenate(batches)[:, 0, 0, 0]
        return order.reshape(3, 80).tolist()

    tf.random.set_seed(0)
    expected = epochs(5)
    tf.random.set_seed(global_seed)
    assert epochs(5) == expected
    assert epochs(6)[:2] == expected[1:]
    assert epochs(5, seed=2)[0] != expected[0] != expected[1]
    assert {tuple(sorted(epoch)) for epoch in expected} == {
        tuple(sorted(values(datasets.load(numbered))))
    }


@pytest.mark.parametrize("seed", [-1, 2**70, np.int32(3)])
def test_any_integer_is_a_seed_of_numbered_epochs(numbered, seed):
    dataset = datasets.load(numbered, seed=seed, initial_epoch=0)
    orders = [values(dataset.take(80)) for _ in range(2)]
    assert orders[0] == orders[1]
    assert orders[0] != values(dataset.skip(80).take(80))


def test_different_seeds_give_different_orders(numbered):
    assert values(datasets.load(numbered, seed=1)) != values(
        datasets.load(numbered, seed=2)
    )
    assert values(datasets.load(numbered)) != values(datasets.load(numbered))


def test_held_out_order_is_fixed_unless_shuffled(numbered):
    plain = values(datasets.load(numbered, "test"))
    assert values(datasets.load(numbered, "test", seed=3)) == plain
    shuffled = values(datasets.load(numbered, "test", seed=3, shuffle=True))
    assert shuffled != plain
    assert sorted(shuffled) == sorted(plain)


def test_data_beyond_the_memory_limit_is_all_seen(numbered, monkeypatch):
    monkeypatch.setattr(pipeline, "MEMORY_BYTES", 10 * 6 * 4)
    dataset = datasets.load(numbered, seed=0)
    epochs = [values(dataset) for _ in range(2)]
    assert epochs[0] != epochs[1]
    monkeypatch.undo()
    assert sorted(epochs[0]) == sorted(values(datasets.load(numbered)))


def test_images_are_read_once_when_cached(tmp_path):
    save_images(tmp_path, [(2, 2, 1)] * 10)
    dataset = datasets.load(tmp_path, seed=0)
    before = sorted(values(dataset))
    for file in tmp_path.iterdir():
        file.unlink()
    assert sorted(values(dataset)) == before


def test_images_of_numbered_epochs_are_read_once_when_cached(tmp_path):
    save_images(tmp_path, [(2, 2, 1)] * 10)
    dataset = datasets.load(tmp_path, seed=0, initial_epoch=0)
    num_images = len(values(datasets.load(tmp_path)))
    before = values(dataset.take(2 * num_images))
    for file in tmp_path.iterdir():
        file.unlink()
    assert values(dataset.take(2 * num_images)) == before


def test_augmentation_of_a_numbered_epoch_depends_on_its_number(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, [50, 6, 6], np.uint8)
    np.save(tmp_path / "x.npy", x)

    def epochs(initial_epoch):
        dataset = datasets.load(
            tmp_path / "x.npy",
            seed=0,
            image_size=4,
            flip=True,
            random_crop=True,
            initial_epoch=initial_epoch,
        )
        return stack(dataset.take(120)).reshape(3, 40, 4, 4)

    expected = epochs(0)
    np.testing.assert_array_equal(epochs(1)[:2], expected[1:])
    first, second = (set(map(bytes, epoch)) for epoch in expected[:2])
    assert len(first - second) > 20


def test_flips_mirror_half_of_the_images(tmp_path):
    x = np.broadcast_to(np.arange(4, dtype=np.uint8), [1000, 2, 4])
    np.save(tmp_path / "x.npy", x)
    dataset = datasets.load(tmp_path / "x.npy", seed=0, flip=True)
    epochs = [stack(dataset)[..., 0] for _ in range(2)]
    for epoch in epochs:
        is_flipped = epoch[:, 0, 0] == 3
        expected = np.where(is_flipped[:, None, None], x[0, :, ::-1], x[0])
        np.testing.assert_array_equal(epoch, expected)
        assert 0.4 < is_flipped.mean() < 0.6
    assert not np.array_equal(*epochs)
    again = datasets.load(tmp_path / "x.npy", seed=0, flip=True)
    for epoch in epochs:
        np.testing.assert_array_equal(stack(again)[..., 0], epoch)


def test_random_crops_are_everywhere_and_reproducible(tmp_path):
    x = np.arange(30, dtype=np.uint8).reshape(5, 6)
    np.save(tmp_path / "x.npy", np.broadcast_to(x, [1000, 5, 6]))

    def load():
        return datasets.load(
            tmp_path / "x.npy", seed=0, image_size=(4, 3), random_crop=True
        )

    dataset, again = load(), load()
    assert dataset.element_spec.shape == (4, 3, 1)
    crops = stack(dataset)[..., 0]
    corners = set(crops[:, 0, 0].tolist())
    assert corners == {0, 1, 2, 3, 6, 7, 8, 9}
    np.testing.assert_array_equal(np.diff(crops, axis=2), 1)
    np.testing.assert_array_equal(stack(again)[..., 0], crops)
    assert not np.array_equal(stack(dataset)[..., 0], crops)


def test_crops_and_pads_are_central_and_logged(numbered, caplog, monkeypatch):
    plain = stack(datasets.load(numbered, "test"))
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.INFO)
    monkeypatch.setattr(logging.get_absl_logger(), "propagate", True)
    try:
        caplog.set_level("INFO", logger="absl")
        resized = stack(datasets.load(numbered, "test", image_size=(4, 8)))
    finally:
        logging.set_verbosity(verbosity)
    padded = np.pad(plain[:, 1:5], [(0, 0), (0, 0), (2, 2), (0, 0)])
    np.testing.assert_array_equal(resized, padded)
    messages = [
        r.getMessage() for r in caplog.records if "padded" in r.msg % r.args
    ]
    assert len(messages) == 1
    assert "cropped and padded from (6, 4) to (4, 8)" in messages[0]


# Grey levels.


@pytest.mark.parametrize("bits", [1, 5, 7, 8])
def test_bins_quantise_to_bits(tmp_path, bits):
    np.save(tmp_path / "x.npy", np.arange(256).reshape(-1, 1, 1))
    plain = stack(datasets.load(tmp_path / "x.npy", "test"))
    coarse = stack(datasets.load(tmp_path / "x.npy", "test", bins=2**bits))
    assert coarse.dtype == np.uint8
    np.testing.assert_array_equal(coarse, plain // 2 ** (8 - bits))
    assert datasets.info(tmp_path / "x.npy", bins=2**bits).bins == 2**bits


def test_digits_have_17_levels(data_dir):
    x = stack(datasets.load("digits", "test", bins=17, data_dir=data_dir))
    assert (x.min(), x.max()) == (0, 16)


# TFDS.


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


def test_mnist_trains_on_shuffled_padded_images(mock_tfds):
    with mock_tfds("mnist", train=60_000, test=10_000):
        dataset = datasets.load("mnist", "train", 5, bins=32, image_size=32)
        batch = next(iter(dataset)).numpy()
    assert batch.shape == (5, 32, 32, 1)
    assert 16 < batch.max() < 32
    assert not batch[:, :2].any()


def test_celeb_a_is_cropped_and_has_no_labels(mock_tfds):
    with mock_tfds("celeb_a", train=162_770, validation=19_867, test=19_962):
        info = datasets.info("celeb_a", image_size=64)
        images = datasets.load("celeb_a", "test", image_size=64)
        source = datasets.load("celeb_a", "test")
        np.testing.assert_array_equal(
            stack(images), stack(source)[:, 77:141, 57:121]
        )
        with pytest.raises(
            ValueError, match="False for 'celeb_a', which has no"
        ):
            datasets.load("celeb_a", as_supervised=True)
    assert info.num_examples["validation"] == 19_867
    assert info.num_classes is None


def test_downsampled_imagenet_needs_a_size_and_tests_on_validation(mock_tfds):
    name = "downsampled_imagenet/64x64"
    with mock_tfds(name, train=1_000, validation=200):
        with pytest.raises(ValueError, match=f"'{name}' differ in size"):
            datasets.load(name)
        info = datasets.info(name, image_size=64)
        for random_crop in (False, True):
            dataset = datasets.load(
                name, "train", 5, image_size=64, random_crop=random_crop
            )
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
        values(datasets.load("mine", split, data_dir=tmp_path))
        for split in SPLITS
    ]
    assert [len(part) for part in parts] == sizes
    expected = range(40 * len(builder.SPLITS))
    assert sorted(i for part in parts for i in part) == list(expected)
    if builder is not TrainOnly:
        assert min(parts[2]) == 40


# Folders.


def test_a_flat_folder_is_divided(tmp_path):
    save_images(tmp_path, [(4, 4, 3)] * 40)
    (tmp_path / "notes.txt").write_text("not an image")
    parts = [values(datasets.load(tmp_path, split)) for split in SPLITS]
    assert [len(part) for part in parts] == [32, 4, 4]
    assert sorted(i for part in parts for i in part) == list(range(40))
    again = [values(datasets.load(str(tmp_path), split)) for split in SPLITS]
    assert again[1:] == parts[1:]
    info = datasets.info(tmp_path)
    assert info.image_shape == (4, 4, 3)
    assert info.num_examples == {"train": 32, "validation": 4, "test": 4}


def test_a_folder_may_have_a_folder_per_split(tmp_path):
    for split, size in zip(SPLITS, (5, 2, 1)):
        save_images(tmp_path / split, [(4, 4, 1)] * size)
    info = datasets.info(str(tmp_path))
    assert info.num_examples == {"train": 5, "validation": 2, "test": 1}
    assert values(datasets.load(tmp_path, "validation")) == [0, 1]


def test_a_folder_of_mixed_sizes_needs_image_size(tmp_path):
    save_images(tmp_path, [(4, 4, 3), (6, 5, 3), (4, 4, 3)])
    message = (
        r"000.png has shape \(4, 4, 3\) and .*001.png has shape \(6, 5, 3\)"
    )
    with pytest.raises(ValueError, match=message):
        datasets.load(tmp_path)
    dataset = datasets.load(tmp_path, image_size=5)
    assert dataset.element_spec.shape == (5, 5, 3)
    assert stack(dataset).shape == (1, 5, 5, 3)


def test_a_folder_of_grey_and_colour_images_is_an_error(tmp_path):
    save_images(tmp_path, [(4, 4, 3), (4, 4, 1), (4, 4, 3)])
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
    save_images(tmp_path, [(4, 4, 3)] * 2)
    with pytest.raises(ValueError, match=r"at least 3 images .*there are 2"):
        datasets.load(tmp_path)


def test_a_broken_image_is_named(tmp_path):
    save_images(tmp_path, [(4, 4, 3)] * 5)
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(ValueError, match=r"a readable image.*broken\.png"):
        datasets.load(tmp_path)


# Arrays.


def test_npy_is_divided_into_disjoint_splits(numbered):
    parts = [values(datasets.load(numbered, split)) for split in SPLITS]
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


# Arguments.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "cifra10"}, r"`name`.*Received: name='cifra10'.*'cifar10'"),
        ({"name": "digit"}, "Did you mean 'digits'"),
        ({"name": "cifar10/big"}, r"one of \['cifar10'\].*name='cifar10/big'"),
        ({"name": "no/such/folder"}, "path of an existing folder"),
        ({"name": "ai2_arc"}, r"feature `image`.*\['answerKey'"),
        ({"split": "tests"}, r"`split`.*split='tests'.*Did you mean 'test'"),
        ({"batch_size": 0}, r"`batch_size`.*positive integer.*batch_size=0"),
        ({"batch_size": 1261}, "at most 1260, .*batch_size=1261"),
        ({"bins": 5}, r"one of \[17\].*17 grey levels of 'digits'.*bins=5"),
        ({"bins": 0}, r"`bins`.*positive integer"),
        ({"image_size": 0}, r"`image_size`.*positive integer.*image_size=0"),
        ({"image_size": (8, 8, 1)}, r"pair \(height, width\)"),
        ({"name": "photos", "image_size": 65}, "up to 64 for 'photos'"),
        ({"seed": 0.5}, r"`seed`.*an integer or None.*seed=0\.5"),
        ({"initial_epoch": 0}, "`seed`.*an integer, because `initial_epoch`"),
        ({"initial_epoch": -1, "seed": 0}, "`initial_epoch`.*from 0, or None"),
        ({"initial_epoch": 0.5, "seed": 0}, "`initial_epoch`.*=0.5"),
        ({"split": "test", "flip": True}, "`flip`.*False for split 'test'"),
        ({"split": "test", "random_crop": True}, "`random_crop`.*False for"),
        ({"random_crop": True}, r"an `image_size` below \(8, 8\)"),
    ],
)
def test_invalid_arguments_are_errors(data_dir, arguments, message):
    arguments = {"name": "digits", "data_dir": data_dir, **arguments}
    with pytest.raises(ValueError, match=message):
        datasets.load(**arguments)


def test_bins_that_do_not_divide_256_are_errors(numbered):
    with pytest.raises(
        ValueError, match=r"one of \[2, 4, 8, 16, 32, 64, 128, 256\]"
    ):
        datasets.info(numbered, bins=10)
    with pytest.raises(ValueError, match=r"bins=1$"):
        datasets.info(numbered, bins=1)


@pytest.mark.parametrize(
    "arguments",
    [{"bins": 5}, {"split": "tests"}, {"image_size": -1}, {"seed": "a"}],
)
def test_invalid_arguments_are_found_before_preparation(tmp_path, arguments):
    with pytest.raises(ValueError, match="Invalid value received"):
        datasets.load("digits", data_dir=tmp_path, **arguments)
    assert not list(pathlib.Path(tmp_path).iterdir())
