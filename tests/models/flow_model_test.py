# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `FlowModel` as a Keras model: weights, losses and densities."""

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers
from tests.models import tiny

tfb = tfp.bijectors
tfd = tfp.distributions


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
    model = tiny.model()
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
    # And the flag that says that the norms are initialized.
    assert f"Non-trainable params: {sizes['Non-trainable'] + 1:,} (" in text
    assert model.count_params() == sum(sizes.values()) + 1


def test_config_round_trip():
    model = tiny.model(
        num_levels=2,
        permutation="shuffle",
        coupling=tfg.Affine("exp"),
        network=tfg.networks.CouplingNetwork(
            edge_padding=False, input_bound=None, output_bound=2.5
        ),
        name="mine",
    )
    config = json.loads(json.dumps(model.get_config()))
    copy = tfg.GlowModel.from_config(config)
    assert copy.get_config() == model.get_config()
    assert (copy.name, copy.bins, copy.image_shape) == ("mine", 17, (4, 4, 1))
    x = tiny.gray()
    np.testing.assert_array_equal(copy.log_prob(x), model.log_prob(x))


def test_the_seed_decides_the_weights():
    first, second, other = (
        tiny.values(tiny.model(seed=seed)) for seed in (3, 3, 4)
    )
    tiny.assert_equal_weights(first, second)
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
    # The noise differs from the model's own.
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
    expected = -np.mean(trained.log_prob(x)) / (64 * math.log(2))
    assert set(results) == {"loss", "bits_per_dim", "nats"}
    np.testing.assert_allclose(results["loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(results["bits_per_dim"], expected, rtol=1e-5)


def test_the_bound_hardly_depends_on_the_noise(trained, digits):
    draws = [trained.log_prob(digits, seed=seed) for seed in range(4)]
    bits = tfg.bits_per_dim(np.mean(draws, axis=1), trained.event_size)
    loss = trained.evaluate(digits, verbose=0, return_dict=True)["loss"]
    np.testing.assert_allclose(bits, loss, atol=0.02)
    assert len(set(bits.tolist())) == 4


def test_an_image_has_the_same_log_prob_in_every_batch(trained, digits):
    x = digits[:6]
    expected = trained.log_prob(x).numpy()
    order = [4, 4, 0, 5, 4]
    for actual in (
        trained.log_prob(x[order]),
        trained(x[order]),
        trained.predict(x[order], batch_size=2, verbose=0),
    ):
        np.testing.assert_allclose(actual, expected[order], rtol=1e-5)
    one = trained.evaluate(x[3:4], verbose=0, return_dict=True)
    np.testing.assert_allclose(-one["nats"], expected[3], rtol=1e-5)
    # Rows of training have noise of their own.
    assert np.ptp(trained(x[[4, 4]], training=True)) > 1e-3


def test_more_draws_of_the_noise_tighten_the_bound(trained, digits):
    x = digits[:32]
    one, more = (trained.log_prob(x, seed=1, num_draws=k) for k in (1, 8))
    np.testing.assert_array_equal(one, trained.log_prob(x, seed=1))
    assert np.mean(more) > np.mean(one) + 0.1
    with pytest.raises(ValueError, match="`num_draws`"):
        trained.log_prob(x, num_draws=0)


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
    model = tiny.model()
    model.compile("adam")
    layer = keras.layers.ActivityRegularization()
    layer.add_loss(tf.constant(2.5))
    model.extra = layer
    bits = tf.constant([-16.0 * math.log(2)])
    loss = model.compute_loss(x=tiny.gray(1), y_pred=bits)
    np.testing.assert_allclose(loss, 1.0 + 2.5, rtol=1e-6)


# Vectors, and distributions of one's own.


def test_a_flow_of_vectors_is_initialized_and_trained(tmp_path):
    model = tfg.FlowModel(tiny.vector_flow())
    model.compile(keras.optimizers.Adam(1e-2))
    x = tiny.crescent(512)
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
    copy = tfg.FlowModel(tiny.vector_flow())
    copy.load_weights(path)
    assert copy.initialized
    tiny.assert_equal_weights(tiny.values(copy), tiny.values(model))
    np.testing.assert_array_equal(copy.log_prob(x), model.log_prob(x))


def test_variables_of_one_name_are_kept_apart(tmp_path):
    flow = tfd.TransformedDistribution(
        tiny.normal(1),
        tfb.Chain([tfb.Scale(tf.Variable([float(i)])) for i in range(1, 13)]),
    )
    model = tfg.FlowModel(flow)
    names = list(model.named_variables)
    assert len(set(names)) == len(names) == 13
    model.save_weights(tmp_path / "flow.weights.h5")
    before = tiny.values(model)
    for variable in flow.trainable_variables:
        variable.assign([0.5])
    model.load_weights(tmp_path / "flow.weights.h5")
    tiny.assert_equal_weights(tiny.values(model), before)


def test_scale_and_shift_reach_their_known_optimum():
    x = np.random.default_rng(0).standard_normal([400, 2]) * [2.0, 0.5]
    x += [3.0, -1.0]
    scale, shift = tf.Variable([1.0, 1.0]), tf.Variable([0.0, 0.0])
    flow = tfd.TransformedDistribution(
        tiny.normal(2), tfb.Chain([tfb.Shift(shift), tfb.Scale(scale)])
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
        tfd.TransformedDistribution(tiny.normal(2, dtype), tfb.Invert(norm))
    )
    model.compile("sgd", run_eagerly=True)
    x = tiny.crescent(8).astype(data_dtype)
    model.fit(x, verbose=0)
    model.fit(tf.data.Dataset.from_tensors(x), verbose=0)
    assert model.log_prob(x).dtype == dtype
    np.testing.assert_allclose(norm.shift, -x.mean(axis=0), rtol=0.1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_events_that_are_not_finite_are_an_error(bad):
    model = tfg.FlowModel(tiny.vector_flow())
    model.compile("adam")
    x = tiny.crescent(8)
    x[3, 1] = bad
    for use in (model.fit, model.initialize, model.log_prob):
        with pytest.raises(ValueError, match=r"finite numbers.*1 of 16"):
            use(x)
    assert not model.initialized


def test_integers_for_a_continuous_distribution_are_an_error():
    model = tfg.FlowModel(tiny.vector_flow())
    model.compile("adam")
    with pytest.raises(TypeError, match=r"Expected floats\. Received: int64"):
        model.fit(np.zeros([8, 2], np.int64))
    with pytest.raises(TypeError, match=r"Expected floats\. Received: int64"):
        model.fit(tf.data.Dataset.from_tensors(np.zeros([8, 2], np.int64)))


def test_a_dequantized_distribution_of_ones_own_is_fitted():
    flow = tfd.TransformedDistribution(
        tiny.normal(4), tfb.Chain([tfb.Scale(tf.Variable(4 * [1.0]))])
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
