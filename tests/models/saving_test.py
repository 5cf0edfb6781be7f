# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.models.saving`.

`python -m tests.models.saving_test` writes the files of the present format in
the folder `data`, once for each format.
"""

import io
import json
import pathlib
import pickle
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests import helpers
from tfp_glow.models import saving

_DATA = pathlib.Path(__file__).parent / "data"


def tiny_model(**kwargs):
    config = dict(num_levels=2, num_steps=2, num_filters=2, bins=17, seed=0)
    return tfg.GlowModel([4, 4, 1], **{**config, **kwargs})


def images(count=4):
    generator = np.random.default_rng(0)
    return generator.integers(0, 17, [count, 4, 4, 1]).astype(np.int32)


def test_a_file_of_this_format_loads_and_gives_its_numbers():
    model = saving.load_model(_DATA / "glow_format_1.keras")
    expected = np.load(_DATA / "glow_format_1.npz")
    np.testing.assert_allclose(
        model.log_prob(expected["images"]), expected["log_prob"], rtol=1e-4
    )
    np.testing.assert_allclose(
        model.encode(expected["images"]), expected["latents"], atol=1e-4
    )
    assert model.initialized
    # The file holds the optimizer's state, so that training continues.
    assert int(model.optimizer.iterations) == 2
    model.fit(expected["images"], verbose=0)


def test_files_say_their_format(tmp_path):
    model = tiny_model()
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        config = json.loads(archive.read("config.json"))["config"]
        weights = io.BytesIO(archive.read("model.weights.h5"))
    assert config["format_version"] == saving.VERSION
    with h5py.File(weights) as file:
        assert file["layers/tracked/vars/format_version"][()] == saving.VERSION


def newer(path, edit_config):
    """Makes a file that claims to be of the next format."""
    tiny_model().save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    if edit_config:
        config = json.loads(parts["config.json"])
        config["config"]["format_version"] += 1
        config["config"]["an_argument_of_the_future"] = True
        parts["config.json"] = json.dumps(config).encode()
    else:
        file = io.BytesIO(parts["model.weights.h5"])
        with h5py.File(file, "r+") as weights:
            weights["layers/tracked/vars/format_version"][()] = (
                saving.VERSION + 1
            )
        parts["model.weights.h5"] = file.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("edit_config", [True, False])
def test_a_file_of_a_later_format_is_an_error(tmp_path, edit_config):
    newer(tmp_path / "newer.keras", edit_config)
    with pytest.raises((ValueError, TypeError), match="later version"):
        keras.models.load_model(tmp_path / "newer.keras")


def test_weights_of_another_configuration_change_nothing(tmp_path):
    tiny_model(num_steps=3).save_weights(tmp_path / "other.weights.h5")
    model = tiny_model()
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"Expected .* Received"):
        model.load_weights(tmp_path / "other.weights.h5")
    for one, same in zip(model.get_weights(), before):
        np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("keep", [0.5, 0.0])
def test_a_damaged_file_is_an_error_that_says_so(tmp_path, keep):
    path = tmp_path / "model.keras"
    tiny_model().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(ValueError, match=r"damaged or truncated"):
        saving.load_model(path)


def test_damaged_weights_are_an_error_that_changes_nothing(tmp_path):
    path = tmp_path / "model.weights.h5"
    model = tiny_model()
    model.save_weights(path)
    path.write_bytes(path.read_bytes()[:1000])
    before = model.get_weights()
    # `keras.callbacks.BackupAndRestore` then reads its second copy.
    with pytest.raises(OSError, match="truncated"):
        model.load_weights(path)
    for one, same in zip(model.get_weights(), before):
        np.testing.assert_array_equal(one, same)


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(ValueError, match=r"Found no file"):
        saving.load_model(tmp_path / "none.keras")


def test_a_clone_has_the_configuration_and_fresh_weights():
    model = tiny_model(permutation="shuffle", scale="exp")
    helpers.perturb(model.glow)
    clone = keras.models.clone_model(model)
    assert clone.get_config() == model.get_config()
    assert not np.allclose(clone.log_prob(images()), model.log_prob(images()))
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(
        clone.log_prob(images()), model.log_prob(images())
    )


def test_a_configuration_can_be_pickled():
    model = tiny_model()
    config = pickle.loads(pickle.dumps(model.get_config()))
    copy = tfg.GlowModel.from_config(config)
    np.testing.assert_array_equal(
        copy.log_prob(images()), model.log_prob(images())
    )


def test_checkpoints_of_tensorflow_restore_a_glow(tmp_path):
    model = tiny_model()
    model.compile("adam")
    model.fit(images(), verbose=0)
    path = tf.train.Checkpoint(model=model).save(str(tmp_path / "checkpoint"))
    other = tiny_model(seed=1)
    other.compile("adam")
    other.optimizer.build(other.trainable_variables)
    restored = tf.train.Checkpoint(model=other).restore(path)
    restored.assert_existing_objects_matched()
    assert other.initialized
    np.testing.assert_array_equal(
        other.log_prob(images()), model.log_prob(images())
    )
    for one, same in zip(other.optimizer.variables, model.optimizer.variables):
        np.testing.assert_array_equal(one, same)


def _write():
    model = tiny_model()
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(images(16), batch_size=8, verbose=0)
    stem = f"glow_format_{saving.VERSION}"
    model.save(_DATA / f"{stem}.keras")
    np.savez(
        _DATA / f"{stem}.npz",
        images=images(),
        log_prob=model.log_prob(images()),
        latents=model.encode(images()),
    )


if __name__ == "__main__":
    _write()
