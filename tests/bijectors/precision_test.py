# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.bijectors.precision`."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers
from tfp_glow.bijectors import precision

tfb = tfp.bijectors


def affine():
    return tfb.Chain(
        [
            tfb.Scale(tf.Variable([1.5, 0.5, -2.0, 0.25])),
            tfb.Shift(tf.Variable([1.0, -2.0, 0.5, 0.1])),
        ]
    )


BIJECTORS = {
    "act_norm": lambda: tfg.ActNorm.trainable(4),
    "invertible_1x1_conv": lambda: tfg.Invertible1x1Conv.trainable(4, seed=0),
    "shuffle": lambda: tfg.Invertible1x1Conv.trainable(
        4, seed=0, permutation="shuffle"
    ),
    "coupling": lambda: tfg.AffineCoupling.trainable([4], num_filters=8),
    "chain": lambda: tfb.Chain(
        [
            tfg.AffineCoupling.trainable([4], num_filters=8, seed=1),
            tfg.Invertible1x1Conv.trainable(4, seed=0),
            tfg.ActNorm.trainable(4),
        ]
    ),
    "invert": lambda: tfb.Invert(tfg.ActNorm.trainable(4)),
    "inverted chain": lambda: tfb.Invert(
        tfb.Chain(
            [tfg.ActNorm.trainable(4), tfb.Chain([tfg.ActNorm.trainable(4)])]
        )
    ),
    "tfp's": affine,
    "constants": lambda: tfb.Chain(
        [tfb.Scale(2.0), tfb.Shift(np.float32([1, 2, 3, 4])), tfb.Tanh()]
    ),
}


@pytest.fixture(params=list(BIJECTORS))
def bijector(request):
    return helpers.perturb(BIJECTORS[request.param]())


def test_all_results_have_the_dtype_and_its_exactness(bijector):
    exact = precision.astype(bijector, tf.float64)
    x = helpers.normal([5, 4])
    y = tf.identity(exact.forward(x))
    back = exact.inverse(y)
    assert type(exact) is type(bijector)
    np.testing.assert_allclose(back, x, atol=1e-12)
    log_det = exact.forward_log_det_jacobian(tf.identity(back), event_ndims=1)
    back_log_det = exact.inverse_log_det_jacobian(y, event_ndims=1)
    np.testing.assert_allclose(back_log_det, -log_det, atol=1e-12)
    for result in (y, back, log_det, back_log_det):
        assert result.dtype == tf.float64


def test_values_are_those_of_the_original(bijector):
    exact = precision.astype(bijector, tf.float64)
    x = helpers.normal([5, 4])
    x32 = tf.cast(x, tf.float32)
    np.testing.assert_allclose(exact.forward(x), bijector.forward(x32), 1e-4)
    np.testing.assert_allclose(
        exact.forward_log_det_jacobian(x, event_ndims=1),
        bijector.forward_log_det_jacobian(x32, event_ndims=1),
        rtol=1e-4,
        atol=1e-5,
    )


def test_the_variables_are_the_same_objects(bijector):
    exact = precision.astype(bijector, tf.float64)
    expected = {id(v) for v in bijector.variables}
    assert {id(v) for v in exact.variables} == expected


def test_assigning_the_original_changes_the_copy():
    norm = tfg.ActNorm.trainable(2)
    exact = precision.astype(norm, tf.float64)
    x = tf.constant([[1.0, 2.0]], tf.float64)
    np.testing.assert_array_equal(exact.forward(x), x)
    norm.shift.assign([1.0, -1.0])
    norm.log_scale.assign(tf.math.log([2.0, 4.0]))
    forward = exact.forward(tf.identity(x))
    np.testing.assert_allclose(forward, [[4.0, 4.0]], rtol=1e-6)
    assert forward.dtype == tf.float64


def test_the_log_det_has_float64_precision():
    # In float32, 2**24 + 1 is 2**24.
    norm = tfg.ActNorm(
        tf.Variable([0.0, 0.0]), tf.Variable([2.0**24, 1.0]), name="norm"
    )
    exact = precision.astype(norm, tf.float64)
    log_det = exact.forward_log_det_jacobian(
        tf.zeros([1, 2], tf.float64), event_ndims=1
    )
    assert float(log_det) == 2.0**24 + 1.0
    assert float(norm.forward_log_det_jacobian(tf.zeros([1, 2]), 1)) == 2.0**24


def test_copies_of_different_bijectors_never_share_a_result():
    norms = [tfg.ActNorm.trainable(2) for _ in range(2)]
    norms[1].shift.assign([3.0, 3.0])
    copies = [precision.astype(norm, tf.float64) for norm in norms]
    x = tf.zeros([1, 2], tf.float64)
    np.testing.assert_array_equal(copies[0].forward(x), [[0.0, 0.0]])
    np.testing.assert_array_equal(copies[1].forward(x), [[3.0, 3.0]])


def test_a_glow_keeps_its_networks_in_float32():
    glow = tfg.Glow([4, 4, 1], num_levels=2, num_steps=1, num_filters=4, seed=0)
    helpers.perturb(glow, 0.1)
    exact = precision.astype(glow, tf.float64)
    x = helpers.normal([3, 4, 4, 1])
    z = exact.inverse(x)
    assert (exact.dtype, z.dtype) == (tf.float64, tf.float64)
    rough = glow.inverse(tf.cast(x, tf.float32)).numpy()
    np.testing.assert_allclose(z, rough, atol=1e-3)
    assert np.abs(z.numpy() - rough).max() > 1e-9
    np.testing.assert_allclose(
        exact.forward(tf.identity(z)), x, rtol=0, atol=1e-11
    )
    networks = {v.dtype for v in exact.variables if v.dtype.is_floating}
    assert networks == {tf.float32}
