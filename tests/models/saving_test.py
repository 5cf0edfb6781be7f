# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.models.saving`.

`python -m tests.models.saving_test` writes the files of the present format in
the folder `data`, once for each format.
"""

import copy
import errno
import io
import json
import os
import pathlib
import pickle
import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers
from tests import processes
from tests.models import tiny
from tfp_glow.models import saving

tfb = tfp.bijectors

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
    # The noise of rows, which `model.log_prob` had when the file was made.
    log_prob = model.distribution.log_prob(
        expected["images"], seed=(0, 0), first_row=0
    )
    np.testing.assert_allclose(log_prob, expected["log_prob"], rtol=1e-4)
    np.testing.assert_allclose(
        model.encode(expected["images"]), expected["latents"], atol=1e-4
    )
    assert model.initialized
    # The file holds the optimizer's state, so that training continues.
    assert int(model.optimizer.iterations) == 2
    model.fit(expected["images"], verbose=0)


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
    model = tiny_model(permutation="shuffle", coupling="additive")
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


@pytest.mark.slow
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


_LOAD = """
import json, sys
import keras
import numpy as np
import tfp_glow as tfg

folder = sys.argv[1]
x = np.load(f"{folder}/x.npy")
model = keras.models.load_model(f"{folder}/model.keras")
log_prob = model.log_prob(x).numpy()
def fail(x):
    raise AssertionError("initialized again")
model.initialize = fail
iterations = int(model.optimizer.iterations)
moments = [np.asarray(v).tolist() for v in model.optimizer.variables[2:4]]
model.fit(x, verbose=0, validation_data=(x,))
np.save(f"{folder}/log_prob.npy", log_prob)
print(json.dumps([
    type(model).__module__, model.initialized, iterations, moments,
    int(model.optimizer.iterations),
]))
"""


def test_a_model_file_is_complete_and_training_is_silent_in_a_new_process(
    tmp_path,
):
    # Without a seed, what is random yet fixed must be in the file.
    model = tiny.model(seed=None, num_levels=2, permutation="shuffle")
    model.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    x = tiny.gray(8)
    model.fit(x, batch_size=4, verbose=0)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", x)
    root = pathlib.Path(tfg.__file__).parents[1]
    process = subprocess.run(
        [sys.executable, "-c", _LOAD, str(tmp_path)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=processes.TIMEOUT,
    )
    assert process.returncode == 0, process.stderr
    module, initialized, iterations, moments, later = json.loads(
        process.stdout  # Nothing else is printed.
    )
    for sign in ("tfp_glow", "Warning", "WARNING:tensorflow"):
        assert sign not in process.stderr
    assert module == "tfp_glow.models.glow_model"
    assert initialized
    assert (iterations, later) == (2, 3)
    for moment, variable in zip(moments, model.optimizer.variables[2:4]):
        np.testing.assert_allclose(moment, variable, rtol=1e-6)
        assert np.any(variable.numpy())
    np.testing.assert_array_equal(
        np.load(tmp_path / "log_prob.npy"), model.log_prob(x)
    )


@pytest.mark.parametrize(
    "permutation",
    ["learned", pytest.param("shuffle", marks=pytest.mark.slow)],
)
def test_loaded_weights_are_those_that_were_saved(tmp_path, permutation):
    config = dict(seed=None, permutation=permutation)
    model, copy = tiny.model(**config), tiny.model(**config)
    helpers.perturb(model.distribution)
    model.initialize(tiny.gray(8))
    model.save_weights(tmp_path / "glow.weights.h5")
    assert not copy.initialized
    copy.load_weights(tmp_path / "glow.weights.h5")
    assert copy.initialized
    tiny.assert_equal_weights(tiny.values(copy), tiny.values(model))
    x = tiny.gray(4)
    np.testing.assert_array_equal(copy.log_prob(x), model.log_prob(x))
    np.testing.assert_array_equal(
        copy.sample(4, seed=1), model.sample(4, seed=1)
    )


def test_an_untrained_model_is_initialized_after_loading(tmp_path):
    tiny.model().save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras")
    assert not model.initialized
    model.compile("adam", run_eagerly=True)
    model.fit(tiny.gray(4), verbose=0)
    assert model.initialized


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (dict(num_steps=2), "glow.level_0.act_norm.log_scale"),
        (dict(num_levels=2), "glow.level_0.prior.log_scale"),
        (
            dict(network=tfg.networks.CouplingNetwork(edge_padding=False)),
            "hidden_0.edge_kernel",
        ),
        (dict(permutation="reverse"), "invertible_1x1_conv.lower"),
    ],
)
def test_weights_of_another_configuration_are_an_error(tmp_path, config, name):
    path = tmp_path / "glow.weights.h5"
    tiny.model(**config).save_weights(path)
    model = tiny.model()
    before = tiny.values(model)
    with pytest.raises(ValueError, match="another distribution") as error:
        model.load_weights(path)
    assert name.rsplit(".", 1)[0] in str(error.value)
    tiny.assert_equal_weights(tiny.values(model), before)


def test_weights_of_another_width_are_an_error(tmp_path):
    path = tmp_path / "glow.weights.h5"
    tiny.model(num_filters=8).save_weights(path)
    with pytest.raises(ValueError, match="hidden_0"):
        tiny.model().load_weights(path)


def test_files_name_their_variables(tmp_path):
    model = tiny.model(num_levels=2)
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert archive.testzip() is None
        archive.extract("model.weights.h5", tmp_path)
        config = json.loads(archive.read("config.json"))
    assert config["config"]["num_levels"] == 2
    assert config["config"]["format_version"] == saving.VERSION
    with h5py.File(tmp_path / "model.weights.h5") as file:
        variables = file["layers/tracked/vars"]
        stored = {name: variables[name][()] for name in variables}
    assert stored.pop("format_version") == saving.VERSION
    assert set(stored) == set(model.named_variables)
    assert {
        "initialized",
        "glow.level_0.act_norm.log_scale",
        "glow.level_0.invertible_1x1_conv.permutation",
        "glow.level_0.network.hidden_1.kernel",
        "glow.level_1.prior.shift",
    } < set(stored)
    for name, variable in model.named_variables.items():
        np.testing.assert_array_equal(stored[name], variable)


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()],
)
@pytest.mark.parametrize("name", ["model.keras", "model.weights.h5"])
def test_an_interrupted_save_leaves_the_file_whole(
    tmp_path, monkeypatch, name, error
):
    model = tiny.model()
    model.compile("adam")
    path = tmp_path / name
    save = model.save if name == "model.keras" else model.save_weights
    save(path)
    before = path.read_bytes()
    helpers.perturb(model.distribution)

    def write_half(store):
        for name, variable in list(model.named_variables.items())[:5]:
            store[name] = variable
        raise error

    monkeypatch.setattr(model._flow_layer, "save_own_variables", write_half)
    with pytest.raises(type(error)) as raised:
        save(path)
    assert raised.value is error
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [name]


def test_a_write_that_fails_at_the_end_leaves_the_file_whole(
    tmp_path, monkeypatch
):
    model = tiny.model()
    path = tmp_path / "model.keras"
    model.save(path)
    before = path.read_bytes()
    helpers.perturb(model.distribution)
    sizes = []

    def fail(self):
        sizes.append(os.path.getsize(self.fp.name))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "_write_end_record", fail)
    with pytest.raises(OSError, match="No space left"):
        model.save(path)
    assert sizes
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.keras"]


def test_saving_replaces_the_file_and_loads(tmp_path):
    model = tiny.model()
    path = tmp_path / "model.keras"
    model.save(path)
    helpers.perturb(model.distribution)
    model.save(path)
    assert os.listdir(tmp_path) == ["model.keras"]
    loaded = keras.models.load_model(path)
    tiny.assert_equal_weights(tiny.values(loaded), tiny.values(model))


# Keras' options of saving and loading.


@pytest.fixture
def model(eager):
    """A compiled model whose file holds the state of the optimizer."""
    eager.optimizer.build(eager.trainable_variables)
    return eager


@pytest.mark.parametrize("name", ["model.keras", "model.weights.h5"])
@pytest.mark.parametrize("answer", ["n", "y", None])
def test_overwrite_false_asks_and_keeps_the_file(
    model, tmp_path, monkeypatch, name, answer
):
    save = model.save if name == "model.keras" else model.save_weights
    path = tmp_path / name
    # Nothing is asked where there is no file.
    save(path, overwrite=False)
    before = path.read_bytes()
    helpers.perturb(model.distribution)
    answers = iter(["perhaps", answer])

    def reply(prompt):
        assert str(path) in prompt
        if answer is None:
            raise EOFError
        return next(answers)

    monkeypatch.setattr("builtins.input", reply)
    if answer is None:
        with pytest.raises(FileExistsError, match="no answer"):
            save(path, overwrite=False)
    else:
        save(path, overwrite=False)
    assert (path.read_bytes() == before) == (answer != "y")
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("m.weights.json", dict(max_shard_size=3e-6)),
        ("m.weights.h5", dict(max_shard_size=1)),
        ("folder", dict(zipped=False)),
    ],
)
def test_several_files_are_replaced_together(
    model, tmp_path, monkeypatch, name, options
):
    twin = tiny.model(seed=1)

    def save():
        if "zipped" in options:
            model.save(str(tmp_path / name), **options)
        else:
            model.save_weights(str(tmp_path / name), **options)

    def load():
        if "zipped" in options:
            return keras.models.load_model(tmp_path / name)
        twin.load_weights(tmp_path / "m.weights.json")
        return twin

    save()
    files = sorted(tmp_path.rglob("*"))
    tiny.assert_equal_weights(tiny.values(load()), tiny.values(model))
    before = [path.read_bytes() for path in files if path.is_file()]

    helpers.perturb(model.distribution)
    with monkeypatch.context() as patch:
        patch.setattr(
            model._flow_layer, "save_own_variables", lambda store: 1 / 0
        )
        with pytest.raises(ZeroDivisionError):
            save()
    assert sorted(tmp_path.rglob("*")) == files
    assert [p.read_bytes() for p in files if p.is_file()] == before

    save()
    assert sorted(tmp_path.rglob("*")) == files
    tiny.assert_equal_weights(tiny.values(load()), tiny.values(model))


def test_remote_files_are_those_of_keras(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model.save("ram://models/model.keras")
    loaded = keras.models.load_model("ram://models/model.keras")
    tiny.assert_equal_weights(tiny.values(loaded), tiny.values(model))
    helpers.perturb(model.distribution)
    model.save_weights("ram://models/model.weights.h5")
    loaded.load_weights("ram://models/model.weights.h5")
    tiny.assert_equal_weights(tiny.values(loaded), tiny.values(model))
    monkeypatch.setattr("builtins.input", lambda prompt: "n")
    before = tf.io.gfile.stat("ram://models/model.keras").mtime_nsec
    model.save("ram://models/model.keras", overwrite=False)
    after = tf.io.gfile.stat("ram://models/model.keras").mtime_nsec
    assert before == after
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("method", "name", "options", "message"),
    [
        ("save", "m.h5", {}, "ends in `.keras`"),
        ("save", "m.weights.h5", {}, "ends in `.keras`"),
        ("save", "m", {}, ".keras` extension"),
        ("save", "m.pt", {}, ".keras` extension"),
        ("save", "m.keras", dict(zipped=False), "should not end in `.keras`"),
        ("save", "m.keras", dict(mode="w"), "mode"),
        ("save_weights", "m.h5", {}, "must end in `.weights.h5`"),
        ("save_weights", "m.keras", {}, "must end in `.weights.h5`"),
        ("save_weights", "m.h5", dict(max_shard_size=1), "`.weights.json`"),
    ],
)
def test_other_names_are_refused_before_anything_is_written(
    model, tmp_path, method, name, options, message
):
    with pytest.raises(ValueError, match=message) as error:
        getattr(model, method)(tmp_path / name, **options)
    assert ".writing" not in str(error.value)
    assert os.listdir(tmp_path) == []


def test_what_fits_is_loaded_and_the_rest_is_named(tmp_path):
    source, target = tiny.model(), tiny.model(num_levels=2, seed=1)
    helpers.perturb(source.distribution)
    source._flow_layer.initialized.assign(1)
    source.save_weights(tmp_path / "m.weights.h5")
    before = {k: v.numpy() for k, v in target.named_variables.items()}
    with pytest.warns(UserWarning, match="Skipped: ") as caught:
        # A larger model and this function do not call `target.load_weights`.
        keras.saving.load_weights(
            target, tmp_path / "m.weights.h5", skip_mismatch=True
        )
    (warning,) = [str(w.message) for w in caught]
    loaded = 0
    for name, variable in target.named_variables.items():
        other = source.named_variables.get(name)
        if other is not None and other.shape == variable.shape:
            np.testing.assert_array_equal(variable, other)
            loaded += 1
        else:
            np.testing.assert_array_equal(variable, before[name])
            assert name in warning
    assert 0 < loaded < len(before)
    assert f"Loaded {loaded} of {len(before)}" in warning
    assert target.initialized


def test_an_error_does_not_outlive_its_load(tmp_path):
    model = tiny.model()
    tiny.model(num_filters=8).save_weights(tmp_path / "wide.weights.h5")
    dense = keras.Sequential([keras.Input([2]), keras.layers.Dense(1)])
    dense.save_weights(tmp_path / "dense.weights.h5")
    with pytest.raises(ValueError, match="hidden_0"):
        model.load_weights(tmp_path / "wide.weights.h5")
    with pytest.raises(ValueError, match="Received: 0 that fit"):
        model.load_weights(tmp_path / "dense.weights.h5")


class Interrupt(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise InterruptedError


@pytest.mark.slow
def test_training_goes_on_from_a_damaged_backup_with_its_noise(tmp_path):
    def fit(*callbacks):
        model = tiny.model()
        model.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
        data = dict(x=tiny.gray(8), batch_size=4, shuffle=False)
        model.fit(**data, epochs=3, verbose=0, callbacks=list(callbacks))
        return tiny.values(model)

    def backup():
        return keras.callbacks.BackupAndRestore(
            tmp_path / "backup", double_checkpoint=True
        )

    with pytest.raises(InterruptedError):
        fit(backup(), Interrupt())
    path = tmp_path / "backup" / "latest.weights.h5"
    path.write_bytes(path.read_bytes()[:1000])
    tiny.assert_equal_weights(fit(backup()), fit())


def test_copies_and_pickles_are_independent_models(model):
    helpers.perturb(model.distribution)
    for make in (copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))):
        twin = make(model)
        before = tiny.values(model)
        tiny.assert_equal_weights(tiny.values(twin), before)
        helpers.perturb(twin.distribution)
        tiny.assert_equal_weights(tiny.values(model), before)


def test_layers_that_share_a_flow_share_it_after_loading(tmp_path):
    flow = tiny.model(conditioning_size=2)
    helpers.perturb(flow.distribution)
    features = keras.Input([2])
    layers = [tfg.layers.Sample(flow, seed=seed) for seed in (1, 2)]
    model = keras.Model(features, [layer(features) for layer in layers])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    first, second = (layer.flow for layer in loaded.layers[1:])
    assert first is second
    assert len(loaded.weights) == len(model.weights)
    tiny.assert_equal_weights(tiny.values(first), tiny.values(flow))
    # A clone has weights of its own.
    clone = keras.models.clone_model(model)
    assert clone.layers[1].flow is not flow


@keras.saving.register_keras_serializable("saving_test")
def shift_of(outputs):
    return tfb.Shift(outputs)


@pytest.mark.parametrize(
    "make_bijector",
    [tfb.Shift, pytest.param(shift_of, marks=pytest.mark.slow)],
)
def test_a_coupling_of_any_bijector_is_saved(tmp_path, make_bijector):
    model = tiny.model(coupling=tfg.Elementwise(1, make_bijector))
    helpers.perturb(model.distribution)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    x = tiny.gray(2)
    np.testing.assert_allclose(loaded.log_prob(x), model.log_prob(x), rtol=1e-5)


def test_a_coupling_of_an_unknown_function_is_refused_early(tmp_path):
    model = tiny.model(coupling=tfg.Elementwise(1, lambda o: tfb.Shift(o)))
    model.compile("adam")
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "model.keras")
    with pytest.raises(TypeError, match="class of `tfb` or a function"):
        model.fit(tiny.gray(2), verbose=0, callbacks=[checkpoint])
    assert not model.initialized
    assert os.listdir(tmp_path) == []


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
