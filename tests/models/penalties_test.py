# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the penalty for flows that stretch distances."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests.models import tiny
from tfp_glow.distributions import dequantized
from tfp_glow.models import penalties

tfb = tfp.bijectors
tfd = tfp.distributions


def linear(matrix):
    """A flow whose latent variables are a matrix times the events."""
    scale = tf.linalg.LinearOperatorFullMatrix(matrix)
    return tfd.TransformedDistribution(
        tiny.normal(len(matrix), tf.float64),
        tfb.Invert(tfb.ScaleMatvecLinearOperator(scale)),
    )


def test_the_penalty_of_a_linear_flow_is_the_norm_of_its_matrices():
    matrix = np.random.default_rng(0).standard_normal([3, 3])
    x = np.random.default_rng(1).standard_normal([20_000, 3])
    values = penalties.penalty(linear(matrix), tf.constant(x), (0, 1))
    assert values.shape == (20_000,)
    singular = np.linalg.svd(matrix, compute_uv=False)
    # Means over directions; each single value lies between the extremes.
    expected = np.mean(singular**2) + np.mean(singular**-2.0)
    np.testing.assert_allclose(np.mean(values), expected, rtol=0.05)
    assert np.min(values) > np.min(singular**2) + np.min(singular**-2.0) - 1e-9
    assert np.max(values) < np.max(singular**2) + np.max(singular**-2.0) + 1e-9


def test_an_isometry_has_the_smallest_penalty():
    x = tf.constant(np.random.default_rng(1).standard_normal([5, 3]))
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal([3, 3]))
    np.testing.assert_allclose(
        penalties.penalty(linear(turn), x, (0, 1)), 2.0, rtol=1e-9
    )


def test_images_are_penalized_at_the_centers_of_gray_levels():
    model = tiny.model()
    images, flow = tiny.gray(), model.distribution
    np.testing.assert_allclose(
        penalties.penalty(flow, images, (0, 1)),
        penalties.penalty(flow.distribution, flow.dequantize(images), (0, 1)),
    )


def trained(distribution, events, penalty):
    """Returns the history and the largest singular values, both ways."""
    keras.utils.set_random_seed(0)
    model = tfg.FlowModel(distribution, seed=0)
    optimizer = keras.optimizers.Adam(0.02)
    model.compile(optimizer, stability_penalty=penalty)
    history = model.fit(events, verbose=0).history
    bijector = dequantized.continuous(distribution).bijector
    values = tf.constant(events[:16])
    if isinstance(distribution, tfg.Dequantized):
        values = distribution.dequantize(values)
    with tf.GradientTape() as tape:
        tape.watch(values)
        latents = bijector.inverse(values)
    jacobians = tape.batch_jacobian(latents, values).numpy()
    size = latents.shape[-1]
    singular = np.linalg.svd(
        jacobians.reshape([16, size, size]), compute_uv=False
    )
    return history, np.mean(singular[:, 0]), np.mean(1 / singular[:, -1])


def matrix_flow():
    scale = tf.Variable(tf.eye(3))
    return tfd.TransformedDistribution(
        tiny.normal(3), tfb.ScaleMatvecTriL(scale)
    )


def test_the_penalty_lowers_the_lipschitz_constants():
    # The last value hardly varies, so the likeliest flow stretches it.
    random = np.random.default_rng(0).standard_normal([2560, 3])
    events = (random * [1.0, 1.0, 0.05]).astype(np.float32)
    plain, penalized = (
        trained(matrix_flow(), events, penalty) for penalty in (0.0, 1.0)
    )
    assert penalized[1] < 0.8 * plain[1]
    # Every tenth loss has the penalty, at least 2 for an isometry, and the
    # metric never has.
    loss, bits = (plain[0][name][0] for name in ("loss", "bits_per_dim"))
    np.testing.assert_allclose(loss, bits, rtol=1e-5)
    loss, bits = (penalized[0][name][0] for name in ("loss", "bits_per_dim"))
    assert loss - bits > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("gradient", ["store", "recompute", "invert"])
def test_the_penalty_lowers_those_of_a_glow(gradient):
    # Neighbors are alike, and a flow that stretches their differences is likely.
    images = np.repeat(tiny.gray(2560)[:, :, :1], 4, axis=2)
    plain, penalized = (
        trained(
            tiny.model(num_steps=2, gradient=gradient).distribution,
            images,
            penalty,
        )
        for penalty in (0.0, 0.1)
    )
    assert penalized[1] < 0.9 * plain[1]


def test_files_keep_the_penalty(tmp_path):
    model = tiny.model()
    model.compile(stability_penalty=1e-4)
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_compile_config()["stability_penalty"] == 1e-4


@pytest.mark.parametrize("penalty", [-1.0, np.nan, "much", True])
def test_invalid_weights_are_refused(penalty):
    with pytest.raises(ValueError, match=r"stability_penalty.*non-negative"):
        tiny.model().compile(stability_penalty=penalty)


def test_xla_is_refused():
    model = tiny.model()
    with pytest.raises(ValueError, match=r"`jit_compile`.*stability_penalty"):
        model.compile(stability_penalty=1e-4, jit_compile=True)
    model.compile(stability_penalty=1e-4)
    assert model.jit_compile is False


def test_a_distribution_without_an_inverse_is_refused():
    scale = tfp.util.TransformedVariable(1.0, tfb.Softplus())
    normal = tfd.Sample(tfd.Normal(0.0, scale), [2], name="plain")
    with pytest.raises(ValueError, match=r"TransformedDistribution.*'plain'"):
        tfg.FlowModel(normal).compile(stability_penalty=1e-4)
