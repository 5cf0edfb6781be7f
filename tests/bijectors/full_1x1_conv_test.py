# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.FullInvertible1x1Conv`, and of both 1x1 convolutions."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests import helpers

for_both_kinds = pytest.mark.parametrize(
    "make",
    [tfg.FullInvertible1x1Conv, tfg.Invertible1x1Conv],
    ids=lambda make: make.__name__,
)


def trainable(num_channels=6, seed=0, dtype=tf.float64, **kwargs):
    return tfg.FullInvertible1x1Conv.trainable(
        num_channels, seed=seed, dtype=dtype, **kwargs
    )


def parameters(conv):
    return {
        name: value
        for name, value in conv.parameters.items()
        if isinstance(value, tf.Variable)
    }


@pytest.mark.parametrize("num_channels", [1, 2, 48])
@pytest.mark.parametrize(
    "dtype, tolerance", [(tf.float64, 1e-12), (tf.float32, 1e-5)]
)
def test_starts_as_a_rotation(num_channels, dtype, tolerance):
    conv = trainable(num_channels, dtype=dtype)
    matrix = conv.matrix()
    assert matrix.dtype == dtype
    np.testing.assert_allclose(
        tf.matmul(matrix, matrix, transpose_b=True),
        np.eye(num_channels),
        atol=tolerance,
    )
    log_det = conv.forward_log_det_jacobian(tf.zeros([num_channels], dtype), 1)
    np.testing.assert_allclose(log_det, 0.0, atol=tolerance)


def test_forward_multiplies_every_pixel_by_the_matrix():
    conv = helpers.perturb(trainable())
    x = helpers.normal([2, 3, 4, 6])
    expected = np.einsum("ij,nhwj->nhwi", conv.matrix(), x)
    np.testing.assert_allclose(conv.forward(x), expected, atol=1e-12)


@for_both_kinds
def test_stacked_matrices_are_those_of_each(make):
    conv = make.trainable(6, seed=0, dtype=tf.float64, batch_shape=[2, 3])
    initial = conv.matrix()
    assert np.max(np.abs(initial[0, 0] - initial[1, 2])) > 0.1
    helpers.perturb(conv)
    matrices = conv.matrix()
    assert matrices.shape == [2, 3, 6, 6]
    log_det = conv.forward_log_det_jacobian(tf.zeros([6], tf.float64), 1)
    np.testing.assert_allclose(
        log_det, np.linalg.slogdet(matrices)[1], atol=1e-12
    )
    np.testing.assert_allclose(
        conv.inverse_matrix(), np.linalg.inv(matrices), atol=1e-9
    )
    for i in range(2):
        one = make(**{k: v[i, 1] for k, v in parameters(conv).items()})
        np.testing.assert_allclose(one.matrix(), matrices[i, 1], atol=1e-12)


def test_seed_decides_the_matrix():
    one, same, other = (trainable(seed=s).matrix() for s in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert np.max(np.abs(one - other)) > 0.1


@for_both_kinds
def test_parameters_of_any_matrix(make):
    conv = make.trainable(4, seed=0, dtype=tf.float64, batch_shape=[3])
    matrix = helpers.normal([3, 4, 4], seed=1)
    found = conv.parameters_of(matrix)
    assert {name: (v.shape, v.dtype) for name, v in found.items()} == {
        name: (v.shape, v.dtype) for name, v in parameters(conv).items()
    }
    np.testing.assert_allclose(make(**found).matrix(), matrix, atol=1e-12)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
@for_both_kinds
def test_variables_that_are_not_finite_give_nan_and_raise_nothing(
    make, direction
):
    conv = make.trainable(6, seed=0, dtype=tf.float64)
    for variable in conv.trainable_variables:
        variable.assign(np.full(variable.shape, np.nan))
    x = helpers.normal([2, 6])
    with tf.GradientTape() as tape:
        y = getattr(conv, direction)(x)
        log_det = getattr(conv, f"{direction}_log_det_jacobian")(x, 1)
        loss = tf.reduce_sum(y) + tf.reduce_sum(log_det)
    assert np.all(np.isnan(y))
    assert np.isnan(loss)
    tape.gradient(loss, conv.trainable_variables)


def test_a_singular_matrix_has_a_log_det_far_below_any_other():
    conv = tfg.FullInvertible1x1Conv(tf.ones([2, 2]))
    x = tf.constant([1.0, 2.0])
    np.testing.assert_array_equal(conv.forward(x), [3.0, 3.0])
    assert conv.forward_log_det_jacobian(x, 1) < -30.0
    with pytest.raises(tf.errors.InvalidArgumentError, match="not invertible"):
        conv.inverse(x)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_an_input_of_another_number_of_channels_raises(direction):
    conv = trainable(3, dtype=tf.float32)
    with pytest.raises(ValueError, match=r"Expected 3 channels.*\(2, 4\)"):
        getattr(conv, direction)(tf.zeros([2, 4]))


def test_trainable_needs_a_positive_number_of_channels():
    with pytest.raises(
        ValueError, match=r"`num_channels`. Expected a positive"
    ):
        trainable(0)


@pytest.mark.parametrize("shape", [[2], [2, 3], [4, 3, 2]])
def test_a_kernel_that_is_not_square_raises(shape):
    with pytest.raises(ValueError, match=r"`kernel`. Expected square matrices"):
        tfg.FullInvertible1x1Conv(tf.zeros(shape))


def test_validate_args_rejects_a_kernel_that_is_not_finite():
    conv = trainable(validate_args=True)
    conv.forward(tf.ones([6], tf.float64))
    conv.kernel.assign(np.full([6, 6], np.nan))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="`kernel` is not finite"
    ):
        conv.forward(tf.ones([6], tf.float64))
