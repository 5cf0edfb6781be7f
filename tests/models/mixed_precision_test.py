# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Networks of another precision inside a flow of float32."""

import collections

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests import helpers

POLICY = "mixed_bfloat16"
# Bits per dimension between the densities of the same weights; an untrained
# flow's are 1e-3 apart, those of a trained one of photographs 5e-3.
TOLERANCE = 0.02


def network(policy):
    """The paper's network, with a policy of its own."""
    return tfg.networks.CouplingNetwork(dtype=policy)


def model(**kwargs):
    config = dict(num_levels=2, num_steps=2, num_filters=8, bins=17, seed=0)
    return tfg.GlowModel([8, 8, 1], **{**config, **kwargs})


@pytest.fixture
def policy():
    """Keras' own policy, as a user sets it; as it was after the test."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICY)
    yield
    keras.config.set_dtype_policy(before)


def test_the_policy_reaches_the_networks_and_nothing_else(policy, digits):
    mixed = model()
    assert {v.dtype for v in mixed.trainable_variables} == {"float32"}
    x = digits[:4]
    assert mixed.log_prob(x).dtype == tf.float32
    assert mixed.sample_values(2, seed=0).dtype == tf.float32
    assert mixed.encode(x).dtype == tf.float64
    dtypes = collections.Counter()
    graph = tf.function(mixed.glow.inverse, autograph=False)
    definition = graph.get_concrete_function(
        tf.TensorSpec([4, 8, 8, 1])
    ).graph.as_graph_def()
    for function in definition.library.function:
        for node in function.node_def:
            if node.op in ("Conv2D", "MatrixInverse", "Exp", "Log", "Sum"):
                dtype = tf.as_dtype(node.attr["T"].type).name
                dtypes[node.op, dtype] += 1
    # The first and the last layer of a step, in the loop of each level, of the
    # images and of the padded edge.
    assert dtypes["Conv2D", "bfloat16"] == 8
    assert {dtype for op, dtype in dtypes if op != "Conv2D"} <= {"float32"}


@pytest.mark.slow
def test_densities_stay_within_the_tolerance(digits):
    single, mixed = model(), model(network=network(POLICY))
    single.compile(keras.optimizers.Adam(1e-2))
    single.fit(digits, batch_size=64, epochs=2, verbose=0)
    mixed.set_weights(single.get_weights())
    difference = single.log_prob(digits) - mixed.log_prob(digits)
    bits = np.abs(tfg.bits_per_dim(difference, 64))
    assert 0.0 < np.max(bits) < TOLERANCE


@pytest.mark.slow
def test_training_runs_and_agrees_with_single_precision(policy, digits):
    losses = {}
    for name in ("float32", POLICY):
        trained = model(network=network(name))
        trained.compile(keras.optimizers.Adam(1e-2))
        losses[name] = trained.fit(
            digits, batch_size=64, epochs=3, shuffle=False, verbose=0
        ).history["bits_per_dim"]
    assert losses[POLICY][-1] < losses[POLICY][0] - 0.2
    np.testing.assert_allclose(losses[POLICY], losses["float32"], atol=0.05)


@pytest.mark.parametrize("gradient", ["recompute", "invert"])
def test_all_ways_to_a_gradient_agree(gradient, digits):
    mixed = model(network=network(POLICY))
    helpers.perturb(mixed.glow, stddev=0.05)
    x = mixed.distribution.dequantize(tf.constant(digits[:32], tf.int32))

    def gradients(how):
        glow = mixed.glow.copy(gradient=how, validate_args=False)
        with tf.GradientTape() as tape:
            latents = glow.inverse(x)
            log_det = glow.inverse_log_det_jacobian(x, event_ndims=3)
            nats = tf.reduce_sum(latents**2, axis=-1) / 2 - log_det
            loss = tf.reduce_mean(nats)
        found = tape.gradient(loss, glow.trainable_variables)
        return np.concatenate([g.numpy().ravel() for g in found])

    stored, other = gradients("store"), gradients(gradient)
    error = np.linalg.norm(other - stored) / np.linalg.norm(stored)
    assert error < 0.01


def test_decoding_a_code_gives_the_image(digits):
    mixed = model(network=network(POLICY))
    helpers.perturb(mixed.glow, stddev=0.05)
    decoded = mixed.decode(mixed.encode(digits[:8]))
    np.testing.assert_allclose(decoded, digits[:8], atol=1e-6)


def test_a_file_remembers_the_precision(policy, digits, tmp_path):
    mixed = model()
    mixed.save(tmp_path / "mixed.keras")
    keras.config.set_dtype_policy("float32")
    loaded = keras.models.load_model(tmp_path / "mixed.keras")
    network = keras.saving.deserialize_keras_object(
        loaded.get_config()["network"]
    )
    assert network.dtype_policy.name == POLICY
    np.testing.assert_array_equal(
        loaded.log_prob(digits[:8]), mixed.log_prob(digits[:8])
    )


def test_a_flow_of_doubles_keeps_its_networks_in_double():
    glow = tfg.Glow(
        [4, 4, 1], num_levels=1, num_steps=1, num_filters=4, dtype=tf.float64
    )
    assert {v.dtype for v in glow.trainable_variables} == {tf.float64}


def test_mixed_float16_scales_its_loss(digits, tmp_path):
    mixed = model(dtype="mixed_float16", num_levels=1)
    mixed.compile(keras.optimizers.SGD(1e-3, use_ema=True), run_eagerly=True)
    assert isinstance(mixed.optimizer, keras.optimizers.LossScaleOptimizer)
    mixed.fit(digits[:4], verbose=0)
    with mixed.averaged_weights():
        pass
    # The step whose gradients overflow is skipped.
    before = mixed.get_weights()
    mixed.optimizer.dynamic_scale.assign(1e38)
    mixed.train_on_batch(digits[:4])
    assert float(mixed.optimizer.dynamic_scale) == pytest.approx(5e37)
    for one, other in zip(mixed.get_weights(), before):
        np.testing.assert_array_equal(one, other)
    mixed.save(tmp_path / "mixed.keras")
    loaded = keras.models.load_model(tmp_path / "mixed.keras")
    assert float(loaded.optimizer.dynamic_scale) == pytest.approx(5e37)
