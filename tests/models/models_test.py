# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.models`."""

import errno
import json
import math
import os
import pathlib
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
from tfp_glow.models import saving

tfb = tfp.bijectors
tfd = tfp.distributions


def tiny_model(**kwargs):
    """A model that is quick to trace; the noise of its training is seeded."""
    config = dict(num_levels=1, num_steps=1, num_filters=4, bins=17, seed=0)
    return tfg.GlowModel(**{"image_shape": [4, 4, 1], **config, **kwargs})


def grey(count=8, shape=(4, 4, 1), bins=17, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(0, bins, [count, *shape]).astype(np.uint8)


def values(model):
    return [v.numpy() for v in model.named_variables.values()]


def assert_equal_weights(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def digits():
    dataset = tfg.datasets.load("digits", "train", 512, shuffle=False)
    return next(iter(dataset)).numpy()


@pytest.fixture(scope="module")
def history(digits):
    """Losses of `trained`, which is the attribute `model`."""
    model = tfg.GlowModel(
        [8, 8, 1], num_levels=2, num_steps=1, num_filters=8, bins=17, seed=0
    )
    model.compile(keras.optimizers.Adam(1e-2))
    return model.fit(
        digits[:448],
        batch_size=64,
        epochs=6,
        validation_data=(digits[448:],),
        verbose=0,
    )


@pytest.fixture
def trained(history):
    """A model trained on digits; its weights are put back after the test."""
    model = history.model
    before = model.get_weights()
    yield model
    model.set_weights(before)


@pytest.fixture(scope="module")
def traced():
    """Untrained models by depth, whose loops are traced once for all tests."""
    sizes = {"eager": 1, "deep": 2}
    return {
        name: tiny_model(num_levels=n, num_steps=n) for name, n in sizes.items()
    }


@pytest.fixture
def eager(traced):
    """An untrained model whose steps are run without tracing them."""
    yield from untrained(traced["eager"])


@pytest.fixture
def deep(traced):
    """The same of two levels and two steps."""
    yield from untrained(traced["deep"])


def untrained(model):
    """Compiles a model, and puts back what a test changes of it."""
    weights, noise = model.get_weights(), model._seed_generator.state.numpy()
    model.compile(keras.optimizers.Adam(1e-3), run_eagerly=True)
    yield model
    model.set_weights(weights)
    model._seed_generator.state.assign(noise)


# What Keras sees.


def test_weights_are_the_variables_of_the_distribution(trained):
    def identities(variables):
        return sorted(id(v) for v in variables)

    adopted = [w.value for w in trained.trainable_weights]
    variables = trained.distribution.trainable_variables
    assert identities(adopted) == identities(variables)
    fixed = trained.distribution.non_trainable_variables
    others = [w.value for w in trained.non_trainable_weights]
    flag = trained._flow_layer.initialized.value
    assert identities(others) == identities([*fixed, flag])


def test_the_summary_counts_every_parameter():
    model = tiny_model()
    lines = []
    model.summary(print_fn=lambda line, **_: lines.append(line))
    sizes = {
        kind: sum(math.prod(v.shape) for v in variables)
        for kind, variables in (
            ("Trainable", model.distribution.trainable_variables),
            ("Non-trainable", model.distribution.non_trainable_variables),
        )
    }
    text = "\n".join(lines)
    assert f"Trainable params: {sizes['Trainable']:,} (" in text
    # And the flag that says that the norms are initialised.
    assert f"Non-trainable params: {sizes['Non-trainable'] + 1:,} (" in text
    assert model.count_params() == sum(sizes.values()) + 1


def test_config_round_trip():
    model = tiny_model(
        num_levels=2,
        permutation="shuffle",
        coupling="additive",
        scale="exp",
        edge_padding=False,
        input_bound=None,
        output_bound=2.5,
        name="mine",
    )
    config = json.loads(json.dumps(model.get_config()))
    copy = tfg.GlowModel.from_config(config)
    assert copy.get_config() == model.get_config()
    assert (copy.name, copy.bins, copy.image_shape) == ("mine", 17, (4, 4, 1))
    x = grey()
    np.testing.assert_array_equal(copy.log_prob(x), model.log_prob(x))


def test_the_seed_decides_the_weights():
    first, second, other = (values(tiny_model(seed=seed)) for seed in (3, 3, 4))
    assert_equal_weights(first, second)
    differing = [not np.array_equal(a, b) for a, b in zip(first, other)]
    assert any(differing)


def test_a_distribution_without_variables_is_an_error():
    with pytest.raises(ValueError, match="with trainable variables"):
        tfg.FlowModel(tfd.Normal(0.0, 1.0))
    fixed = tfd.Normal(tf.Variable(0.0, trainable=False), 1.0)
    with pytest.raises(ValueError, match="with trainable variables"):
        tfg.FlowModel(fixed)


# Losses and log-probabilities.


def test_predict_and_call_are_the_log_prob_in_nats(trained, digits):
    x = digits[:16]
    log_prob = trained.log_prob(x)
    assert (log_prob.shape, log_prob.dtype) == ((16,), tf.float32)
    noise = np.random.default_rng(0).random(x.shape)
    events = ((x + noise) / 17 - 0.5).astype(np.float32)
    flow = trained.distribution.distribution
    expected = flow.log_prob(events) - 64 * math.log(17)
    # Of other noise than the model's own.
    np.testing.assert_allclose(log_prob, expected, atol=8)
    np.testing.assert_allclose(
        log_prob, trained.distribution.log_prob(x, seed=(0, 0)), rtol=1e-5
    )
    np.testing.assert_allclose(trained(x), log_prob, rtol=1e-5)
    predicted = trained.predict(x, verbose=0)
    np.testing.assert_allclose(predicted, log_prob, rtol=1e-5)


def test_evaluate_is_the_mean_of_bits_per_dim(trained, digits):
    x = digits[:48]
    results = trained.evaluate(x, batch_size=16, verbose=0, return_dict=True)
    nats = [trained.log_prob(x[i : i + 16]) for i in (0, 16, 32)]
    expected = -np.mean(nats) / (64 * math.log(2))
    assert set(results) == {"loss", "bits_per_dim", "nats"}
    np.testing.assert_allclose(results["loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(results["bits_per_dim"], expected, rtol=1e-5)


def test_the_bound_hardly_depends_on_the_noise(trained, digits):
    draws = [trained.log_prob(digits, seed=seed) for seed in range(4)]
    bits = tfg.bits_per_dim(np.mean(draws, axis=1), trained.event_size)
    loss = trained.evaluate(digits, verbose=0, return_dict=True)["loss"]
    np.testing.assert_allclose(bits, loss, atol=0.02)
    assert len(set(bits.tolist())) == 4


def test_sample_weights_scale_the_loss_and_weigh_the_metric(trained, digits):
    x = digits[:8]
    weights = np.arange(8.0)
    bits = tfg.bits_per_dim(trained.log_prob(x), 64).numpy()
    results = trained.evaluate(
        x,
        np.zeros(8),  # Keras ignores weights without labels.
        sample_weight=weights,
        batch_size=8,
        verbose=0,
        return_dict=True,
    )
    np.testing.assert_allclose(
        results["loss"], np.mean(bits * weights), rtol=1e-5
    )
    np.testing.assert_allclose(
        results["bits_per_dim"], np.average(bits, weights=weights), rtol=1e-5
    )


def test_log_prob_repeats_unless_given_another_seed(trained, digits):
    first = trained.log_prob(digits[:8])
    np.testing.assert_array_equal(trained.log_prob(digits[:8]), first)
    seeded = trained.log_prob(digits[:8], seed=1)
    np.testing.assert_array_equal(trained.log_prob(digits[:8], seed=1), seeded)
    assert np.all(seeded != first)


def test_training_has_fresh_noise_and_inference_has_not(trained, digits):
    x = digits[:8]
    first, second = (trained(x, training=True).numpy() for _ in range(2))
    assert np.all(first != second)
    np.testing.assert_array_equal(trained(x), trained(x))


def test_added_losses_are_part_of_the_loss_only():
    model = tiny_model()
    model.compile("adam")
    layer = keras.layers.ActivityRegularization()
    layer.add_loss(tf.constant(2.5))
    model.extra = layer
    bits = tf.constant([-16.0 * math.log(2)])
    loss = model.compute_loss(x=grey(1), y_pred=bits)
    np.testing.assert_allclose(loss, 1.0 + 2.5, rtol=1e-6)


# Training.


def test_training_reduces_the_loss_on_digits(history):
    losses = history.history["loss"]
    assert losses[-1] < losses[0] - 0.2
    assert losses[-1] < math.log2(17) - 0.5
    validation = history.history["val_bits_per_dim"]
    assert validation[-1] < validation[0] - 0.2
    assert history.history["bits_per_dim"] == pytest.approx(losses)


def test_fit_accepts_arrays_tensors_and_data_sets(eager):
    x = grey(8)
    labels = np.arange(8)
    images = tf.data.Dataset.from_tensor_slices(x)
    pairs = tf.data.Dataset.from_tensor_slices((x, labels))
    data = {
        "array": (x, {"batch_size": 4}),
        "array and labels": (x, {"y": labels, "batch_size": 4}),
        "tensor": (tf.constant(x, tf.int64), {"batch_size": 4}),
        "images": (images.batch(4), {}),
        "images and labels": (pairs.batch(4), {}),
        "repeated": (images.batch(4).repeat(), {"steps_per_epoch": 2}),
        "of unknown size": (
            images.batch(4).filter(lambda _: True),
            {"steps_per_epoch": 2},
        ),
    }
    losses = {}
    start = eager.get_weights()
    for name, (source, kwargs) in data.items():
        eager.set_weights(start)
        eager._seed_generator.state.assign([0, 0])
        eager.compile(keras.optimizers.SGD(1e-3), run_eagerly=True)
        history = eager.fit(source, shuffle=False, verbose=0, **kwargs)
        assert int(eager.optimizer.iterations) == 2, name
        losses[name] = history.history["loss"]
    for name, loss in losses.items():
        assert loss == losses["array"], name


def test_fit_accepts_validation_data_and_callbacks(eager):
    epochs = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: epochs.append(sorted(logs))
    )
    for data in (
        {"validation_data": (grey(4), np.arange(4))},
        {"validation_data": tf.data.Dataset.from_tensors(grey(4))},
        {"validation_split": 0.5},
    ):
        for callbacks in (callback, [callback]):
            eager.fit(grey(8), callbacks=callbacks, verbose=0, **data)
    names = [
        f"{split}{name}"
        for split in ("", "val_")
        for name in ("bits_per_dim", "loss", "nats")
    ]
    assert epochs == [names] * 6


def test_fit_accepts_a_callback_list(eager):
    x = grey(8)
    epochs = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: epochs.append(epoch)
    )
    callbacks = keras.callbacks.CallbackList(
        [callback, Poison("level_0.act_norm.shift", epoch=1)],
        model=eager,
        epochs=2,
        steps=1,
    )
    with pytest.raises(FloatingPointError, match=r"at step 2; .* step 0"):
        eager.fit(x, epochs=2, callbacks=callbacks, verbose=0)
    assert epochs == [0]


def test_fit_weighs_the_samples(eager):
    weights = np.array([0.0, 0.0, 0.0, 1.0])
    x = grey(4)
    eager.initialize(x)
    before = eager.get_weights()
    eager.fit(x, sample_weight=0 * weights, verbose=0)
    assert_equal_weights(eager.get_weights(), before)
    eager.fit(x, sample_weight=weights, verbose=0)
    changed = [
        not np.array_equal(a, b) for a, b in zip(eager.get_weights(), before)
    ]
    assert any(changed)


def test_fit_does_not_shuffle_a_data_set(eager, monkeypatch):
    x = np.arange(16, dtype=np.uint8).reshape([16, 1, 1, 1]).repeat(4, 1)
    x = x.repeat(4, 2)
    seen = []

    def call(inputs, training=False):
        seen.extend(inputs.numpy()[:, 0, 0, 0].tolist())
        return tfg.GlowModel.call(eager, inputs, training=training)

    monkeypatch.setattr(eager, "call", call)
    eager.initialize(grey())
    eager.fit(tf.data.Dataset.from_tensor_slices(x).batch(4), verbose=0)
    assert seen == list(range(16))


def test_equal_seeds_train_to_identical_weights():
    results = []
    for _ in range(2):
        model = tiny_model(seed=5)
        model.compile("adam", run_eagerly=True)
        model.fit(grey(8), batch_size=4, shuffle=False, verbose=0)
        results.append(values(model))
    assert_equal_weights(*results)


# Initialisation.


def test_initialisation_normalises_the_activations():
    model = tiny_model(num_levels=2)
    x = grey(64)
    model.initialize(x)
    assert model.initialized
    values, _ = model.distribution.draw(x, seed=(0, 0))
    h = tfg.Squeeze().forward(values)
    for level in range(2):
        if level == 1:
            h = tfg.Squeeze().forward(tf.split(h, 2, axis=-1)[0])
        steps = model.glow._levels[level].steps
        norm = tfg.ActNorm(**steps.stacked_parameters["act_norm"])
        y = norm.forward(h)
        np.testing.assert_allclose(np.mean(y, axis=(0, 1, 2)), 0, atol=1e-4)
        np.testing.assert_allclose(np.std(y, axis=(0, 1, 2)), 1, atol=1e-3)
        h = steps.forward(h)


def test_fit_initialises_before_its_first_step(eager):
    x = grey(40)
    other = tiny_model()
    other.initialize(x[:32])
    eager.optimizer.learning_rate = 0.0
    eager.fit(x, verbose=0, shuffle=False)
    assert_equal_weights(values(eager), values(other))


def test_fit_initialises_once(trained, digits, monkeypatch):
    assert trained.initialized

    def fail(x):
        raise AssertionError("initialised again")

    monkeypatch.setattr(trained, "initialize", fail)
    trained.fit(digits[:64], batch_size=64, verbose=0)


@pytest.mark.parametrize(("batches", "events"), [(1, 4), (3, 12), (9, 20)])
@pytest.mark.parametrize("kind", ["array", "dataset"])
def test_fit_initialises_from_as_many_batches_as_asked(
    eager, monkeypatch, kind, batches, events
):
    x = grey(20)
    received = []

    def initialize(data):
        received.append(np.asarray(data))
        raise InterruptedError  # Before training, which is not tested.

    monkeypatch.setattr(eager, "initialize", initialize)
    source, kwargs = x, {"batch_size": 4}
    if kind == "dataset":
        source, kwargs = tf.data.Dataset.from_tensor_slices(x).batch(4), {}
    with pytest.raises(InterruptedError):
        eager.fit(source, init_batches=batches, verbose=0, **kwargs)
    np.testing.assert_array_equal(received[0], x[:events])


@pytest.mark.parametrize("init_batches", [0, -1, 1.5, None])
def test_init_batches_that_are_no_count_are_an_error(eager, init_batches):
    with pytest.raises(ValueError, match="`init_batches`"):
        eager.fit(grey(), init_batches=init_batches)
    assert not eager.initialized


def test_using_a_model_never_initialises_it():
    model = tiny_model()
    before = values(model)
    model.sample(2, seed=0)
    model.log_prob(grey(2))
    model.decode(model.encode(grey(2)))
    assert not model.initialized
    assert_equal_weights(values(model), before)


# Files.


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
    raise AssertionError("initialised again")
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
    model = tiny_model(seed=None, num_levels=2, permutation="shuffle")
    model.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    x = grey(8)
    model.fit(x, batch_size=4, verbose=0)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", x)
    root = pathlib.Path(tfg.__file__).parents[1]
    process = subprocess.run(
        [sys.executable, "-c", _LOAD, str(tmp_path)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=300,
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


@pytest.mark.parametrize("permutation", ["learned", "shuffle"])
def test_loaded_weights_are_those_that_were_saved(tmp_path, permutation):
    config = dict(seed=None, permutation=permutation)
    model, copy = tiny_model(**config), tiny_model(**config)
    helpers.perturb(model.distribution)
    model.initialize(grey(8))
    model.save_weights(tmp_path / "glow.weights.h5")
    assert not copy.initialized
    copy.load_weights(tmp_path / "glow.weights.h5")
    assert copy.initialized
    assert_equal_weights(values(copy), values(model))
    x = grey(4)
    np.testing.assert_array_equal(copy.log_prob(x), model.log_prob(x))
    np.testing.assert_array_equal(
        copy.sample(4, seed=1), model.sample(4, seed=1)
    )


def test_an_untrained_model_is_initialised_after_loading(tmp_path):
    tiny_model().save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras")
    assert not model.initialized
    model.compile("adam", run_eagerly=True)
    model.fit(grey(4), verbose=0)
    assert model.initialized


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (dict(num_steps=2), "glow.level_0.act_norm.log_scale"),
        (dict(num_levels=2), "glow.level_0.prior.log_scale"),
        (dict(edge_padding=False), "hidden_0.edge_kernel"),
        (dict(permutation="reverse"), "invertible_1x1_conv.lower"),
    ],
)
def test_weights_of_another_configuration_are_an_error(tmp_path, config, name):
    path = tmp_path / "glow.weights.h5"
    tiny_model(**config).save_weights(path)
    model = tiny_model()
    before = values(model)
    with pytest.raises(ValueError, match="another distribution") as error:
        model.load_weights(path)
    assert name.rsplit(".", 1)[0] in str(error.value)
    assert_equal_weights(values(model), before)


def test_weights_of_another_width_are_an_error(tmp_path):
    path = tmp_path / "glow.weights.h5"
    tiny_model(num_filters=8).save_weights(path)
    with pytest.raises(ValueError, match="hidden_0"):
        tiny_model().load_weights(path)


def test_files_name_their_variables(tmp_path):
    model = tiny_model(num_levels=2)
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert archive.testzip() is None
        archive.extract("model.weights.h5", tmp_path)
        config = json.loads(archive.read("config.json"))
    assert config["config"]["num_levels"] == 2
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
    model = tiny_model()
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
    model = tiny_model()
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
    model = tiny_model()
    path = tmp_path / "model.keras"
    model.save(path)
    helpers.perturb(model.distribution)
    model.save(path)
    assert os.listdir(tmp_path) == ["model.keras"]
    loaded = keras.models.load_model(path)
    assert_equal_weights(values(loaded), values(model))


# Losses that are not finite.


class Poison(keras.callbacks.Callback):
    """Sets a row of a weight to NaN before a batch, and keeps all weights."""

    def __init__(self, name, epoch=0, batch=0, index=0):
        super().__init__()
        self.name, self.place, self.index = name, (epoch, batch), index

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == self.place:
            self.poison()

    def poison(self):
        named = self.model.named_variables
        (weight,) = (w for name, w in named.items() if self.name in name)
        value = weight.numpy()
        value[self.index] = np.nan
        weight.assign(value)
        self.weights = self.model.get_weights()
        self.moments = [v.numpy() for v in self.model.optimizer.variables[2:]]


class PoisonValidation(Poison):
    """Sets the weight to NaN before a validation."""

    def on_train_batch_begin(self, batch, logs=None):
        pass

    def on_test_begin(self, logs=None):
        if self.epoch == self.place[0]:
            self.poison()


def poisoned(model, weight, batches=4, batch=2, index=0):
    """Poisons the second epoch; returns the message of the error."""
    poison = Poison(weight, epoch=1, batch=batch, index=index)
    with pytest.raises(FloatingPointError) as error:
        model.fit(
            grey(4 * batches),
            batch_size=4,
            epochs=3,
            callbacks=[poison],
            verbose=0,
        )
    # The step that failed changed nothing.
    assert_equal_weights(model.get_weights(), poison.weights)
    moments = [v.numpy() for v in model.optimizer.variables[2:]]
    assert_equal_weights(moments, poison.moments)
    return str(error.value)


@pytest.mark.parametrize(
    ("weight", "index", "where"),
    [
        ("level_0.network.last.shift", 1, "level 0, step 1"),
        ("level_0.prior.network.kernel", 0, "level 0, the prior"),
        ("level_1.invertible_1x1_conv.upper", 0, "level 1, step 0"),
        ("level_1.network.last.kernel", 1, "level 1, step 1"),
        ("level_1.prior.shift", 0, "level 1, the prior"),
    ],
)
def test_a_loss_that_is_not_finite_names_step_and_layer(
    deep, weight, index, where
):
    message = poisoned(deep, weight, batches=1, batch=0, index=index)
    assert message == (
        "Expected a finite loss. Received one that is not, at step 2; the "
        f"first values that are not finite come after {where}. The weights "
        "are those before it"
    )


def test_a_traced_step_names_the_first_layer_too():
    model = tiny_model(num_steps=2)
    model.compile(keras.optimizers.Adam(1e-3, global_clipnorm=100.0))
    before = model.get_weights()
    message = poisoned(model, "level_0.network.last.kernel", index=1)
    assert "at step 7; " in message
    assert "come after level 0, step 1. The weights are those" in message

    # On a CPU, relu(NaN) is 0, and then the gradient alone is not finite.
    model.set_weights(before)
    model.optimizer.iterations.assign(0)
    message = poisoned(model, "level_0.network.hidden_0.kernel", index=1)
    if "finite gradient" in message:
        assert message.endswith(
            "at step 7, of the values before level 0, step 1"
        )
    else:
        assert "come after level 0, step 1. The weights are" in message


def test_the_file_of_the_epoch_before_a_failure_is_whole(eager, tmp_path):
    path = tmp_path / "model.keras"
    before = []
    with pytest.raises(FloatingPointError):
        eager.fit(
            grey(16),
            batch_size=4,
            epochs=2,
            callbacks=[
                keras.callbacks.ModelCheckpoint(path),
                keras.callbacks.LambdaCallback(
                    on_epoch_end=lambda epoch, logs: before.append(
                        values(eager)
                    )
                ),
                Poison("level_0.act_norm.shift", epoch=1),
            ],
            verbose=0,
        )
    loaded = keras.models.load_model(path)
    assert_equal_weights(values(loaded), *before)
    assert int(loaded.optimizer.iterations) == 4


def test_a_gradient_that_is_not_finite_stops_the_next_step(eager):
    original = eager.optimizer.apply

    def apply(gradients, *args):
        if int(eager.optimizer.iterations) == 1:
            gradients = [np.nan * g for g in gradients]
        original(gradients, *args)

    eager.optimizer.apply = apply
    with pytest.raises(FloatingPointError, match="at step 3; "):
        eager.fit(grey(16), batch_size=4, verbose=0)


def test_a_validation_that_is_not_finite_is_said_to_be_one(eager):
    poison = PoisonValidation("level_0.act_norm.shift", epoch=1)
    with pytest.raises(FloatingPointError) as error:
        eager.fit(
            grey(8),
            batch_size=4,
            epochs=3,
            validation_data=(grey(4),),
            callbacks=[poison],
            verbose=0,
        )
    assert "in the validation after step 4; " in str(error.value)
    assert "after level 0, step 0. " in str(error.value)


def test_steps_that_are_executed_together_are_named_together():
    model = tiny_model()
    model.compile("adam", run_eagerly=True, steps_per_execution=2)
    poison = Poison("level_0.act_norm.shift", batch=4)
    with pytest.raises(
        FloatingPointError, match="at one of the steps 5 to 6; "
    ):
        model.fit(grey(16), batch_size=2, callbacks=[poison], verbose=0)


def test_a_compiled_step_is_named_too():
    model = tfg.FlowModel(
        tfd.TransformedDistribution(
            normal_base(2), tfb.Scale(tf.Variable([1.0, 1.0], name="scale"))
        )
    )
    model.compile("sgd", jit_compile=True)
    poison = Poison("scale", epoch=1, batch=1)
    x = crescent(8)
    with pytest.raises(FloatingPointError) as error:
        model.fit(x, batch_size=4, epochs=2, callbacks=[poison], verbose=0)
    assert "Received nan at step 4. " in str(error.value)
    assert "`jit_compile=False`" in str(error.value)


def test_other_errors_of_tensorflow_are_left_alone(eager):
    late = np.concatenate([grey(32), np.full([4, 4, 4, 1], 17, np.uint8)])
    dataset = tf.data.Dataset.from_tensor_slices(late).batch(4)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"in \[0, 17\)"):
        eager.fit(dataset, verbose=0)


# Data that do not fit.


BAD_DATA = {
    "floats": (grey().astype(np.float32), TypeError, r"integers in \[0, 17\)"),
    "too large": (grey() + 9, ValueError, r"\[0, 17\).*values from 9 to 25"),
    "negative": (grey().astype(int) - 1, ValueError, "values from -1 to 15"),
    "none": (grey(0), ValueError, "at least one event"),
    "one image": (grey()[0], ValueError, r"\(None, 4, 4, 1\).*\(4, 4, 1\)"),
    "no channel": (grey()[..., 0], ValueError, r"Received: \(8, 4, 4\)"),
    "three channels": (grey(shape=[4, 4, 3]), ValueError, r"\(8, 4, 4, 3\)"),
    "another size": (grey(shape=[6, 4, 1]), ValueError, r"\(8, 6, 4, 1\)"),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_data_that_do_not_fit_are_an_error_before_training(eager, name):
    x, error, message = BAD_DATA[name]
    before = values(eager)
    for use in (eager.fit, eager.initialize, eager.log_prob, eager.encode):
        for data in (x, tf.constant(x)):
            with pytest.raises(error, match=message):
                use(data)
    assert not eager.initialized
    assert_equal_weights(values(eager), before)
    assert int(eager.optimizer.iterations) == 0


# What values an initialised model is given, it finds out while training.
@pytest.mark.parametrize(
    ("name", "initialized"),
    [(name, False) for name in BAD_DATA]
    + [
        (name, True) for name in sorted({*BAD_DATA} - {"too large", "negative"})
    ],
)
@pytest.mark.parametrize("labels", [False, True])
def test_data_sets_that_do_not_fit_are_an_error_before_training(
    eager, name, labels, initialized
):
    x, error, message = BAD_DATA[name]
    if initialized:
        eager.initialize(grey())
    data = (x, np.zeros(len(x))) if labels else x
    dataset = tf.data.Dataset.from_tensor_slices(data)
    if name == "one image":
        message = "Invalid shape received for the data"
    message = "an empty one" if name == "none" else message
    message = message.replace(r"\(8, ", r"\(None, ")
    before = values(eager)
    with pytest.raises(error, match=message):
        eager.fit(dataset.batch(8), verbose=0)
    assert_equal_weights(values(eager), before)
    assert int(eager.optimizer.iterations) == 0


def test_a_data_set_of_dictionaries_is_an_error(eager):
    dataset = tf.data.Dataset.from_tensor_slices({"image": grey()}).batch(4)
    with pytest.raises(TypeError, match=r"batches of events.*'image'"):
        eager.fit(dataset)


def test_a_data_set_of_single_images_is_an_error(eager):
    dataset = tf.data.Dataset.from_tensor_slices(grey())
    with pytest.raises(ValueError, match=r"\(None, 4, 4, 1\).*\(4, 4, 1\)"):
        eager.fit(dataset)


# Codes and samples.


@pytest.mark.parametrize("stddev", [0.0, 0.05, 0.3])
def test_decoding_a_code_gives_the_image_exactly(trained, digits, stddev):
    helpers.perturb(trained.distribution, stddev)
    x = digits[:32]
    z = trained.encode(x)
    assert (z.shape, z.dtype) == ((32, 64), tf.float64)
    decoded = trained.decode(z)
    assert (decoded.shape, decoded.dtype) == ((32, 8, 8, 1), tf.float64)
    np.testing.assert_allclose(decoded, x, rtol=0, atol=1e-9)


def test_codes_agree_with_the_float32_bijector(trained, digits):
    x = digits[:32]
    z = trained.encode(x)
    rough = trained.glow.inverse(trained.distribution.dequantize(x))
    assert rough.dtype == tf.float32
    np.testing.assert_allclose(z, rough, atol=1e-3)
    parts = trained.glow.split_latents(z)
    assert [tuple(p.shape) for p in parts] == [(32, 4, 4, 2), (32, 2, 2, 8)]


def test_codes_follow_the_weights(trained, digits):
    x = digits[:4]
    before = trained.encode(x)
    helpers.perturb(trained.distribution, 0.1)
    assert np.abs(trained.encode(x) - before).max() > 0.1


def test_codes_of_the_wrong_size_are_an_error(trained):
    with pytest.raises(ValueError, match="Expected 64"):
        trained.decode(tf.zeros([2, 63]))


def test_samples_are_grey_levels(trained):
    samples = trained.sample(50, seed=0)
    assert (samples.shape, samples.dtype) == ((50, 8, 8, 1), tf.int32)
    assert 0 <= np.min(samples) < np.max(samples) <= 16


def test_a_seed_makes_samples_repeat(trained):
    first = trained.sample(4, seed=1)
    tf.random.normal([3])  # Whatever else is drawn.
    np.testing.assert_array_equal(trained.sample(4, seed=1), first)
    tf.random.set_seed(7)
    np.testing.assert_array_equal(trained.sample(4, seed=1), first)
    assert np.any(trained.sample(4, seed=2) != first)
    assert np.any(trained.sample(4) != trained.sample(4))


def test_temperature_scales_the_latent_noise(trained):
    cold = trained.sample(4, temperature=0.0).numpy()
    np.testing.assert_array_equal(cold, cold[:1].repeat(4, axis=0))
    origin = trained.distribution.quantize(
        trained.glow.forward(tf.zeros([1, 64]))
    )
    np.testing.assert_array_equal(cold[:1], origin)
    noise = [
        trained.glow.inverse(trained.sample_values(4, t, seed=3))
        for t in (0.5, 1.0)
    ]
    np.testing.assert_allclose(2 * noise[0], noise[1], atol=1e-2)


@pytest.mark.parametrize("temperature", [-0.1, float("nan")])
def test_a_negative_temperature_is_an_error(trained, temperature):
    with pytest.raises(ValueError, match=r"`temperature`.*non-negative"):
        trained.sample(1, temperature=temperature)


@pytest.mark.parametrize("n", [0, -1, 2.0])
def test_a_number_of_samples_that_is_no_count_is_an_error(trained, n):
    with pytest.raises(ValueError, match="`n`"):
        trained.sample(n)


# Any distribution.


def normal_base(size, dtype=tf.float32):
    normal = tfd.Normal(tf.zeros([], dtype), tf.ones([], dtype))
    return tfd.Sample(normal, [size])


def vector_flow():
    """Blocks over vectors, data towards latent, and two of one name."""
    blocks = [
        tfg.AffineCoupling.trainable([2], num_filters=8, seed=1),
        tfg.ActNorm.trainable(2),
        tfg.Invertible1x1Conv.trainable(2, seed=0),
        tfg.ActNorm.trainable(2),
    ]
    return tfd.TransformedDistribution(
        normal_base(2), tfb.Invert(tfb.Chain(blocks))
    )


def crescent(count, seed=0):
    x = np.random.default_rng(seed).standard_normal([count, 2])
    x[:, 1] = 0.3 * x[:, 1] + x[:, 0] ** 2
    return 5.0 + 2.0 * x


def test_a_flow_of_vectors_is_initialised_and_trained(tmp_path):
    model = tfg.FlowModel(vector_flow())
    model.compile(keras.optimizers.Adam(1e-2))
    x = crescent(512)
    model.initialize(x)
    latents = model.distribution.bijector.inverse(tf.cast(x, tf.float32))
    np.testing.assert_allclose(np.mean(latents, 0), 0, atol=0.7)
    np.testing.assert_allclose(np.std(latents, 0), 1, atol=0.5)
    losses = model.fit(x, batch_size=128, epochs=30, verbose=0).history["loss"]
    # A Gaussian of the same covariance needs this many bits.
    gaussian = 0.5 * np.linalg.slogdet(np.cov(x.T))[1] / math.log(2) / 2
    gaussian += 0.5 * math.log2(2 * math.pi * math.e)
    assert losses[-1] < gaussian - 0.2
    np.testing.assert_allclose(
        model.predict(x[:32], verbose=0), model.log_prob(x[:32]), rtol=1e-4
    )

    path = tmp_path / "flow.weights.h5"
    model.save_weights(path)
    copy = tfg.FlowModel(vector_flow())
    copy.load_weights(path)
    assert copy.initialized
    assert_equal_weights(values(copy), values(model))
    np.testing.assert_array_equal(copy.log_prob(x), model.log_prob(x))


def test_variables_of_one_name_are_kept_apart(tmp_path):
    flow = tfd.TransformedDistribution(
        normal_base(1),
        tfb.Chain([tfb.Scale(tf.Variable([float(i)])) for i in range(1, 13)]),
    )
    model = tfg.FlowModel(flow)
    names = list(model.named_variables)
    assert len(set(names)) == len(names) == 13
    model.save_weights(tmp_path / "flow.weights.h5")
    before = values(model)
    for variable in flow.trainable_variables:
        variable.assign([0.5])
    model.load_weights(tmp_path / "flow.weights.h5")
    assert_equal_weights(values(model), before)


def test_scale_and_shift_reach_their_known_optimum():
    x = np.random.default_rng(0).standard_normal([400, 2]) * [2.0, 0.5]
    x += [3.0, -1.0]
    scale, shift = tf.Variable([1.0, 1.0]), tf.Variable([0.0, 0.0])
    flow = tfd.TransformedDistribution(
        normal_base(2), tfb.Chain([tfb.Shift(shift), tfb.Scale(scale)])
    )
    model = tfg.FlowModel(flow)
    model.compile(keras.optimizers.Adam(0.05))
    dataset = tf.data.Dataset.from_tensors(x.astype("float32")).repeat(300)
    history = model.fit(dataset.cache(), epochs=2, verbose=0)
    std = x.std(axis=0)
    np.testing.assert_allclose(shift, x.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(np.abs(scale), std, atol=0.01)
    nats = np.mean(np.log(std)) + 0.5 * math.log(2 * math.pi * math.e)
    np.testing.assert_allclose(
        history.history["loss"][-1], nats / math.log(2), atol=1e-3
    )


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
@pytest.mark.parametrize("data_dtype", [np.float32, np.float64])
def test_floats_are_cast_to_the_distribution(dtype, data_dtype):
    norm = tfg.ActNorm.trainable(2, dtype=dtype)
    model = tfg.FlowModel(
        tfd.TransformedDistribution(normal_base(2, dtype), tfb.Invert(norm))
    )
    model.compile("sgd", run_eagerly=True)
    x = crescent(8).astype(data_dtype)
    model.fit(x, verbose=0)
    model.fit(tf.data.Dataset.from_tensors(x), verbose=0)
    assert model.log_prob(x).dtype == dtype
    np.testing.assert_allclose(norm.shift, -x.mean(axis=0), rtol=0.1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_events_that_are_not_finite_are_an_error(bad):
    model = tfg.FlowModel(vector_flow())
    model.compile("adam")
    x = crescent(8)
    x[3, 1] = bad
    for use in (model.fit, model.initialize, model.log_prob):
        with pytest.raises(ValueError, match=r"finite numbers.*1 of 16"):
            use(x)
    assert not model.initialized


def test_integers_for_a_continuous_distribution_are_an_error():
    model = tfg.FlowModel(vector_flow())
    model.compile("adam")
    with pytest.raises(TypeError, match=r"Expected floats\. Received: int64"):
        model.fit(np.zeros([8, 2], np.int64))
    with pytest.raises(TypeError, match=r"Expected floats\. Received: int64"):
        model.fit(tf.data.Dataset.from_tensors(np.zeros([8, 2], np.int64)))


def test_a_dequantised_distribution_of_ones_own_is_fitted():
    flow = tfd.TransformedDistribution(
        normal_base(4), tfb.Chain([tfb.Scale(tf.Variable(4 * [1.0]))])
    )
    model = tfg.FlowModel(tfg.Dequantized(flow, bins=4))
    model.compile(keras.optimizers.Adam(0.05))
    x = np.random.default_rng(0).integers(0, 4, [64, 4])
    losses = model.fit(x, epochs=40, verbose=0).history["loss"]
    # Uniform data of 4 levels need 2 bits, a Gaussian at best 0.25 more.
    gaussian = 0.5 * math.log2(2 * math.pi * math.e / 12)
    np.testing.assert_allclose(losses[-1], 2 + gaussian, atol=0.05)


def test_a_glow_of_a_layer_of_ones_own_is_saved_with_it(tmp_path):
    layer = keras.Sequential(
        [keras.layers.Conv2D(4, 3, padding="same", activation="relu")]
    )
    model = tfg.GlowModel(
        [4, 4, 1], num_levels=1, num_steps=2, bins=8, network=layer, seed=0
    )
    helpers.perturb(model.glow)
    images = np.random.default_rng(0).integers(0, 8, [3, 4, 4, 1])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        again.log_prob(images), model.log_prob(images), rtol=1e-6
    )
