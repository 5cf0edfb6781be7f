# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of splits, order, augmentation and gray levels."""

import numpy as np
import pytest
import tensorflow as tf

from tests.datasets import support
from tfp_glow import datasets
from tfp_glow.datasets import pipeline


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
    epochs = [support.values(first) for _ in range(3)]
    again = datasets.load(numbered, seed=1)
    assert [support.values(again) for _ in range(3)] == epochs
    assert epochs[0] != epochs[1] != epochs[2]
    assert sorted(epochs[0]) == sorted(epochs[1])


@pytest.mark.parametrize("global_seed", [None, 0, 7])
def test_order_of_a_numbered_epoch_depends_on_seed_and_number_only(
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
        tuple(sorted(support.values(datasets.load(numbered))))
    }


@pytest.mark.parametrize("seed", [-1, 2**70, np.int32(3)])
def test_any_integer_is_a_seed_of_numbered_epochs(numbered, seed):
    dataset = datasets.load(numbered, seed=seed, initial_epoch=0)
    orders = [support.values(dataset.take(80)) for _ in range(2)]
    assert orders[0] == orders[1]
    assert orders[0] != support.values(dataset.skip(80).take(80))


def test_different_seeds_give_different_orders(numbered):
    assert support.values(datasets.load(numbered, seed=1)) != support.values(
        datasets.load(numbered, seed=2)
    )
    assert support.values(datasets.load(numbered)) != support.values(
        datasets.load(numbered)
    )


def test_held_out_order_is_fixed_unless_shuffled(numbered):
    plain = support.values(datasets.load(numbered, "test"))
    assert support.values(datasets.load(numbered, "test", seed=3)) == plain
    shuffled = support.values(
        datasets.load(numbered, "test", seed=3, shuffle=True)
    )
    assert shuffled != plain
    assert sorted(shuffled) == sorted(plain)


def test_data_beyond_the_memory_limit_is_all_seen(numbered, monkeypatch):
    monkeypatch.setattr(pipeline, "MEMORY_BYTES", 10 * 6 * 4)
    dataset = datasets.load(numbered, seed=0)
    epochs = [support.values(dataset) for _ in range(2)]
    assert epochs[0] != epochs[1]
    monkeypatch.undo()
    assert sorted(epochs[0]) == sorted(support.values(datasets.load(numbered)))


def test_images_are_read_once_when_cached(tmp_path):
    support.save_images(tmp_path, [(2, 2, 1)] * 10)
    dataset = datasets.load(tmp_path, seed=0)
    before = sorted(support.values(dataset))
    for file in tmp_path.iterdir():
        file.unlink()
    assert sorted(support.values(dataset)) == before


def test_images_of_numbered_epochs_are_read_once_when_cached(tmp_path):
    support.save_images(tmp_path, [(2, 2, 1)] * 10)
    dataset = datasets.load(tmp_path, seed=0, initial_epoch=0)
    num_images = len(support.values(datasets.load(tmp_path)))
    before = support.values(dataset.take(2 * num_images))
    for file in tmp_path.iterdir():
        file.unlink()
    assert support.values(dataset.take(2 * num_images)) == before


def test_augmentation_of_a_numbered_epoch_depends_on_its_number(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, [50, 4, 9], np.uint8)
    np.save(tmp_path / "x.npy", x)

    def epochs(initial_epoch):
        dataset = datasets.load(
            tmp_path / "x.npy",
            seed=0,
            image_size=4,
            flip=True,
            crop="random",
            initial_epoch=initial_epoch,
        )
        return support.stack(dataset.take(120)).reshape(3, 40, 4, 4)

    expected = epochs(0)
    np.testing.assert_array_equal(epochs(1)[:2], expected[1:])
    first, second = (set(map(bytes, epoch)) for epoch in expected[:2])
    assert len(first - second) > 20


def test_flips_mirror_half_of_the_images(tmp_path):
    x = np.broadcast_to(np.arange(4, dtype=np.uint8), [1000, 2, 4])
    np.save(tmp_path / "x.npy", x)
    dataset = datasets.load(tmp_path / "x.npy", seed=0, flip=True)
    epochs = [support.stack(dataset)[..., 0] for _ in range(2)]
    for epoch in epochs:
        is_flipped = epoch[:, 0, 0] == 3
        expected = np.where(is_flipped[:, None, None], x[0, :, ::-1], x[0])
        np.testing.assert_array_equal(epoch, expected)
        assert 0.4 < is_flipped.mean() < 0.6
    assert not np.array_equal(*epochs)
    again = datasets.load(tmp_path / "x.npy", seed=0, flip=True)
    for epoch in epochs:
        np.testing.assert_array_equal(support.stack(again)[..., 0], epoch)


def test_random_crops_are_everywhere_and_reproducible(tmp_path):
    x = np.arange(42, dtype=np.uint8).reshape(6, 7)
    np.save(tmp_path / "x.npy", np.broadcast_to(x, [1000, 6, 7]))

    def load():
        return datasets.load(
            tmp_path / "x.npy", seed=0, image_size=(6, 3), crop="random"
        )

    dataset, again = load(), load()
    assert dataset.element_spec.shape == (6, 3, 1)
    crops = support.stack(dataset)[..., 0]
    assert set(crops[:, 0, 0].tolist()) == {0, 1, 2, 3, 4}
    np.testing.assert_array_equal(np.diff(crops, axis=2), 1)
    np.testing.assert_array_equal(support.stack(again)[..., 0], crops)
    assert not np.array_equal(support.stack(dataset)[..., 0], crops)


def test_images_of_one_side_right_are_cropped_only(numbered, capsys):
    plain = support.stack(datasets.load(numbered, "test"))
    for crop in ("center", "none"):
        for size in ((6, 2), (3, 4)):
            found = support.stack(
                datasets.load(numbered, "test", image_size=size, crop=crop)
            )
            np.testing.assert_array_equal(found, plain[:, : size[0], : size[1]])
    assert "images of 4x6 pixels become 2x6 (the central part" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize("bits", [1, 5, 7, 8])
def test_bins_quantize_to_bits(tmp_path, bits):
    np.save(tmp_path / "x.npy", np.arange(256).reshape(-1, 1, 1))
    plain = support.stack(datasets.load(tmp_path / "x.npy", "test"))
    coarse = support.stack(
        datasets.load(tmp_path / "x.npy", "test", bins=2**bits)
    )
    assert coarse.dtype == np.uint8
    np.testing.assert_array_equal(coarse, plain // 2 ** (8 - bits))
    assert datasets.info(tmp_path / "x.npy", bins=2**bits).bins == 2**bits


def test_digits_have_17_levels(data_dir):
    x = support.stack(
        datasets.load("digits", "test", bins=17, data_dir=data_dir)
    )
    assert (x.min(), x.max()) == (0, 16)
