# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of 1x1 convolutions: full matrices, QR factors, what all share."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests import helpers

CONVS = {
    "full": tfg.FullInvertible1x1Conv,
    "householder": tfg.HouseholderInvertible1x1Conv,
}
of_both_kinds = pytest.mark.parametrize("kind", CONVS)


def trainable(kind, num_channels=6, seed=0, dtype=tf.float64, **kwargs):
    return CONVS[kind].trainable(num_channels, seed=seed, dtype=dtype, **kwargs)


@of_both_kinds
@pytest.mark.parametrize("num_channels", [1, 2, 48])
@pytest.mark.parametrize(
    "dtype, tolerance", [(tf.float64, 1e-12), (tf.float32, 1e-5)]
)
def test_starts_as_a_rotation(kind, num_channels, dtype, tolerance):
    conv = trainable(kind, num_channels, dtype=dtype)
    matrix = conv.matrix()
    assert matrix.dtype == dtype
    np.testing.assert_allclose(
        tf.matmul(matrix, matrix, transpose_b=True),
        np.eye(num_channels),
        atol=tolerance,
    )
    log_det = conv.forward_log_det_jacobian(tf.zeros([num_channels], dtype), 1)
    np.testing.assert_allclose(log_det, 0.0, atol=tolerance)


@of_both_kinds
def test_forward_multiplies_every_pixel_by_the_matrix(kind):
    conv = helpers.perturb(trainable(kind))
    x = helpers.normal([2, 3, 4, 6])
    expected = np.einsum("ij,nhwj->nhwi", conv.matrix(), x)
    np.testing.assert_allclose(conv.forward(x), expected, atol=1e-12)


@of_both_kinds
def test_stacked_matrices_are_those_of_each(kind):
    conv = helpers.perturb(trainable(kind, batch_shape=[2, 3]))
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
        one = CONVS[kind](*(v[i, 1] for v in parameters(conv).values()))
        np.testing.assert_allclose(one.matrix(), matrices[i, 1], atol=1e-12)


def test_reflections_are_applied_one_after_the_other():
    vectors = helpers.normal([3, 5])
    conv = tfg.HouseholderInvertible1x1Conv(
        vectors, upper=np.zeros([5, 5]), log_diagonal=np.zeros([5])
    )
    expected = np.eye(5)
    for v in vectors.numpy():
        expected @= np.eye(5) - 2.0 * np.outer(v, v) / np.sum(v**2)
    np.testing.assert_allclose(conv.matrix(), expected, atol=1e-12)


def test_householder_matrix_is_the_product_of_its_factors():
    conv = helpers.perturb(trainable("householder"), stddev=1.0)
    rotation, upper = np.linalg.qr(conv.matrix())
    flip = np.sign(np.diag(upper))
    np.testing.assert_allclose(
        flip[:, np.newaxis] * upper,
        np.triu(conv.upper, 1) + np.diag(np.exp(conv.log_diagonal)),
        atol=1e-12,
    )
    assert np.linalg.det(rotation * flip) > 0.0  # Six reflections.


@pytest.mark.parametrize("seed", range(3))
def test_no_value_of_the_variables_makes_a_householder_matrix_singular(seed):
    conv = helpers.perturb(trainable("householder"), stddev=3.0, seed=seed)
    x = helpers.normal([20, 6])
    y = conv.forward(x)
    condition = np.linalg.cond(conv.matrix())
    assert condition < 1e12
    np.testing.assert_allclose(
        conv.inverse(tf.identity(y)), x, atol=1e-14 * condition
    )


@of_both_kinds
def test_seed_decides_the_matrix(kind):
    one, same, other = (trainable(kind, seed=s).matrix() for s in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert np.max(np.abs(one - other)) > 0.1


@pytest.mark.parametrize(
    "make",
    [tfg.FullInvertible1x1Conv, tfg.Invertible1x1Conv],
    ids=lambda make: make.__name__,
)
def test_parameters_of_any_matrix(make):
    conv = make.trainable(4, seed=0, dtype=tf.float64, batch_shape=[3])
    matrix = helpers.normal([3, 4, 4], seed=1)
    found = conv.parameters_of(matrix)
    assert {name: (v.shape, v.dtype) for name, v in found.items()} == {
        name: (v.shape, v.dtype) for name, v in parameters(conv).items()
    }
    np.testing.assert_allclose(make(**found).matrix(), matrix, atol=1e-12)


@of_both_kinds
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_what_is_not_finite_gives_nan_and_raises_nothing(kind, direction):
    conv = trainable(kind)
    variable = conv.trainable_variables[0]
    variable.assign(tf.fill(variable.shape, tf.constant(np.nan, tf.float64)))
    x = helpers.normal([2, 6])
    with tf.GradientTape() as tape:
        y = getattr(conv, direction)(x)
        log_det = getattr(conv, f"{direction}_log_det_jacobian")(x, 1)
        loss = tf.reduce_sum(y) + tf.reduce_sum(log_det)
    assert np.all(np.isnan(y))
    assert np.isnan(loss)
    tape.gradient(loss, conv.trainable_variables)


def test_a_singular_full_matrix_has_a_log_det_far_below_any_other():
    conv = tfg.FullInvertible1x1Conv(tf.ones([2, 2]))
    x = tf.constant([1.0, 2.0])
    np.testing.assert_array_equal(conv.forward(x), [3.0, 3.0])
    assert conv.forward_log_det_jacobian(x, 1) < -30.0
    with pytest.raises(tf.errors.InvalidArgumentError, match="not invertible"):
        conv.inverse(x)


@pytest.mark.parametrize(
    "make", [tfg.Invertible1x1Conv, tfg.HouseholderInvertible1x1Conv]
)
def test_factors_are_multiplied_in_float64(make):
    """In float32 GPUs round them to 10 bits, and the log-det is not theirs."""
    conv = make.trainable(4, seed=0)
    graph = tf.function(conv.matrix).get_concrete_function().graph
    products = [op for op in graph.get_operations() if "MatMul" in op.type]
    assert products
    assert {op.outputs[0].dtype for op in products} == {tf.float64}


@of_both_kinds
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_an_input_of_another_number_of_channels_raises(kind, direction):
    conv = trainable(kind, 3, dtype=tf.float32)
    with pytest.raises(ValueError, match=r"Expected 3 channels.*\(2, 4\)"):
        getattr(conv, direction)(tf.zeros([2, 4]))


@of_both_kinds
def test_trainable_needs_a_positive_number_of_channels(kind):
    with pytest.raises(
        ValueError, match=r"`num_channels`. Expected a positive"
    ):
        trainable(kind, 0)


@pytest.mark.parametrize("shape", [[2], [2, 3], [4, 3, 2]])
def test_a_kernel_that_is_not_square_raises(shape):
    with pytest.raises(ValueError, match=r"`kernel`. Expected square matrices"):
        tfg.FullInvertible1x1Conv(tf.zeros(shape))


def test_factors_of_different_sizes_raise():
    with pytest.raises(ValueError, match=r"vectors \(2, 3\), upper \(2, 2\)"):
        tfg.HouseholderInvertible1x1Conv(
            tf.ones([2, 3]), tf.zeros([2, 2]), tf.zeros([2])
        )


@of_both_kinds
def test_validate_args_rejects_variables_that_are_not_finite(kind):
    for name in parameters(trainable(kind)):
        conv = trainable(kind, validate_args=True)
        conv.forward(tf.ones([6], tf.float64))
        variable = getattr(conv, name)
        variable.assign(np.full(variable.shape, np.nan))
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=f"`{name}` is not finite"
        ):
            conv.forward(tf.ones([6], tf.float64))


def parameters(conv):
    return {
        name: value
        for name, value in conv.parameters.items()
        if isinstance(value, tf.Variable)
    }
