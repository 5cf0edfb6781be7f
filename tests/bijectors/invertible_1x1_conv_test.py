# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.Invertible1x1Conv`."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests import helpers


def trainable(num_channels=6, seed=0, **kwargs):
    return tfg.Invertible1x1Conv.trainable(
        num_channels, seed=seed, dtype=tf.float64, **kwargs
    )


def test_matrix_is_the_product_of_its_factors():
    conv = helpers.perturb(trainable(), stddev=1.0)
    lower = np.tril(conv.lower, -1) + np.eye(6)
    upper = np.triu(conv.upper, 1) + np.diag(
        conv.sign * np.exp(conv.log_diagonal)
    )
    permutation = np.eye(6)[conv.permutation.numpy()]
    np.testing.assert_allclose(
        conv.matrix(), permutation @ lower @ upper, atol=1e-12
    )


def test_forward_multiplies_every_pixel_by_the_matrix():
    conv = helpers.perturb(trainable(), stddev=1.0)
    x = helpers.normal([2, 3, 4, 6])
    expected = np.einsum("ij,nhwj->nhwi", conv.matrix(), x)
    np.testing.assert_allclose(conv.forward(x), expected, atol=1e-12)
    kernel = tf.transpose(conv.matrix())[tf.newaxis, tf.newaxis]
    convolved = tf.nn.conv2d(x, kernel, strides=1, padding="SAME")
    np.testing.assert_allclose(conv.forward(x), convolved, atol=1e-12)


@pytest.mark.parametrize("permutation", ["learned", "reverse", "shuffle"])
def test_log_det_is_that_of_the_matrix(permutation):
    conv = helpers.perturb(trainable(permutation=permutation), stddev=1.0)
    log_det = conv.forward_log_det_jacobian(tf.zeros([6], tf.float64), 1)
    expected = np.linalg.slogdet(conv.matrix())[1]
    np.testing.assert_allclose(log_det, expected, atol=1e-12)


@pytest.mark.parametrize("num_channels", [1, 2, 12])
def test_learned_matrix_starts_orthogonal(num_channels):
    matrix = trainable(num_channels).matrix()
    np.testing.assert_allclose(
        matrix @ tf.transpose(matrix), np.eye(num_channels), atol=1e-12
    )


@pytest.mark.parametrize("permutation", ["learned", "shuffle"])
def test_seed_decides_the_matrix(permutation):
    one, same, other = (
        trainable(seed=seed, permutation=permutation).matrix().numpy()
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert np.max(np.abs(one - other)) > 0.1


def test_without_a_seed_every_matrix_is_another():
    one, other = (trainable(seed=None).matrix().numpy() for _ in range(2))
    assert np.max(np.abs(one - other)) > 1e-3


@pytest.mark.parametrize("seed", range(5))
def test_no_value_of_the_variables_makes_the_matrix_singular(seed):
    conv = helpers.perturb(trainable(seed=seed), stddev=3.0, seed=seed)
    x = helpers.normal([20, 6])
    y = conv.forward(x)
    assert np.isfinite(conv.forward_log_det_jacobian(x, 1))
    # The rounding error is proportional to the condition number of the matrix.
    condition = np.linalg.cond(conv.matrix())
    assert condition < 1e12
    np.testing.assert_allclose(
        conv.inverse(tf.identity(y)), x, atol=1e-14 * condition
    )


def test_signs_survive_any_value_of_the_variables():
    conv = trainable()
    sign = np.linalg.slogdet(conv.matrix())[0]
    helpers.perturb(conv, stddev=3.0)
    assert np.linalg.slogdet(conv.matrix())[0] == sign
    assert set(np.unique(conv.sign)) <= {-1.0, 1.0}


def test_permutation_and_signs_are_variables_that_do_not_train():
    conv = trainable()
    trained = {v.name for v in conv.trainable_variables}
    fixed = {v.name for v in conv.non_trainable_variables}
    assert {name.split("/")[-1] for name in trained} == {
        "lower:0",
        "upper:0",
        "log_diagonal:0",
    }
    assert {name.split("/")[-1] for name in fixed} == {
        "permutation:0",
        "sign:0",
    }


@pytest.mark.parametrize("permutation", ["reverse", "shuffle"])
def test_a_fixed_permutation_is_saved_but_not_trained(permutation):
    conv = trainable(permutation=permutation)
    assert not conv.trainable_variables
    assert len(conv.non_trainable_variables) == 1


def test_reverse_reverses_the_channels():
    conv = tfg.Invertible1x1Conv.trainable(3, permutation="reverse")
    x = tf.constant([[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(conv.forward(x), [[3.0, 2.0, 1.0]])
    np.testing.assert_array_equal(
        conv.matrix(), [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    )


def test_shuffle_moves_every_channel_to_one_place():
    conv = trainable(num_channels=20, permutation="shuffle")
    y = conv.forward(tf.range(20, dtype=tf.float64)).numpy()
    assert sorted(y) == list(range(20))
    assert list(y) != list(range(20))
    assert list(y) != list(range(20))[::-1]


def test_only_the_strict_triangles_are_read():
    conv = trainable()
    matrix = conv.matrix()
    conv.lower.assign_add(np.triu(np.full([6, 6], 7.0)))
    conv.upper.assign_add(np.tril(np.full([6, 6], 7.0)))
    np.testing.assert_array_equal(conv.matrix(), matrix)
    x = helpers.normal([3, 6])
    np.testing.assert_allclose(
        conv.inverse(conv.forward(x) + 0.0), x, atol=1e-12
    )


def test_a_permutation_and_signs_are_optional():
    conv = trainable()
    factors = (conv.lower, conv.upper, conv.log_diagonal)
    lower, upper, log_diagonal = factors
    plain = tfg.Invertible1x1Conv(
        lower=lower, upper=upper, log_diagonal=log_diagonal
    )
    explicit = tfg.Invertible1x1Conv(
        range(6), lower, upper, tf.ones([6], tf.float64), log_diagonal
    )
    np.testing.assert_array_equal(plain.matrix(), explicit.matrix())


@pytest.mark.parametrize(
    "arguments, missing",
    [
        ({"permutation": [0, 1], "lower": np.zeros([2, 2])}, "upper, log_diag"),
        ({"permutation": [0, 1], "sign": [1.0, 1.0]}, "lower, upper, log_diag"),
        ({}, "lower, upper, log_diag"),
    ],
)
def test_some_factors_without_the_others_raise(arguments, missing):
    with pytest.raises(ValueError, match=f"`permutation` alone.*no {missing}"):
        tfg.Invertible1x1Conv(**arguments)


def test_factors_of_different_sizes_raise():
    with pytest.raises(ValueError, match=r"permutation \(3,\), lower \(2, 2\)"):
        tfg.Invertible1x1Conv(
            [0, 1, 2],
            lower=tf.zeros([2, 2]),
            upper=tf.zeros([2, 2]),
            sign=tf.ones([2]),
            log_diagonal=tf.zeros([2]),
        )


@pytest.mark.parametrize("permutation", [[0, 0], [1, 2], [0, -1]])
def test_integers_that_are_no_permutation_raise(permutation):
    with pytest.raises(ValueError, match="integers 0 to 1, each once"):
        tfg.Invertible1x1Conv(permutation)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
@pytest.mark.parametrize("permutation", ["learned", "reverse"])
def test_an_input_of_another_number_of_channels_raises(permutation, direction):
    conv = tfg.Invertible1x1Conv.trainable(3, permutation=permutation)
    with pytest.raises(ValueError, match=r"Expected 3 channels.*\(2, 4\)"):
        getattr(conv, direction)(tf.zeros([2, 4]))


def test_an_unknown_permutation_names_the_nearest():
    with pytest.raises(
        ValueError, match=r"permutation='lerned'. Did you mean 'learned'\?"
    ):
        tfg.Invertible1x1Conv.trainable(2, permutation="lerned")


def test_trainable_needs_a_positive_number_of_channels():
    with pytest.raises(
        ValueError, match=r"`num_channels`. Expected a positive"
    ):
        tfg.Invertible1x1Conv.trainable(0)


@pytest.mark.parametrize("name", ["lower", "upper", "log_diagonal"])
def test_validate_args_rejects_factors_that_are_not_finite(name):
    conv = tfg.Invertible1x1Conv.trainable(2, seed=0, validate_args=True)
    x = tf.ones([1, 2])
    conv.forward(x)
    variable = getattr(conv, name)
    variable.assign(tf.fill(variable.shape, np.nan))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=f"`{name}` is not finite"
    ):
        conv.forward(tf.identity(x))
