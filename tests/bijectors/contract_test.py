# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of TFP's contract: maps, unknown ranks and shapes of parameters."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers
from tests.bijectors import registry

tfb = tfp.bijectors
tfd = tfp.distributions

CONVS = (tfg.Invertible1x1Conv, tfg.FullInvertible1x1Conv)
COMPOSITES = {
    "act_norm": tfg.ActNorm.trainable(4),
    "conv_learned": tfg.Invertible1x1Conv.trainable(4, seed=0),
    "conv_reverse": tfg.Invertible1x1Conv.trainable(4, permutation="reverse"),
    "conv_full": tfg.FullInvertible1x1Conv.trainable(4, seed=0),
    "squeeze": tfg.Squeeze(),
}


def for_every_bijector(*fast):
    """Runs a test for all bijectors; `make test` runs the `fast` ones."""
    slow = dict.fromkeys(registry.BIJECTORS, pytest.mark.slow)
    slow.update(dict.fromkeys(fast, ()))
    return pytest.mark.parametrize(
        "name", [pytest.param(n, marks=m) for n, m in slow.items()]
    )


def make(name):
    """Returns a bijector, inputs `[3, ...]` and outputs, and ranks of events."""
    bijector, x, _, x_ndims, y_ndims = registry.make(name)
    if "batched" in name:  # The second dimension is that of the parameters.
        x = tf.stack([x, 2.0 * x, -x])
        return bijector, x, bijector.forward(x), x_ndims, y_ndims
    x = tf.concat([x, -2.0 * x[:1]], axis=0)
    return bijector, x, bijector.forward(x), x_ndims, y_ndims


def evaluate(name):
    """Returns a function that computes all a bijector can, and its inputs."""
    bijector, x, y, x_ndims, y_ndims = make(name)

    def function(x, y):
        return (
            bijector.forward(x),
            bijector.inverse(y),
            registry.forward_log_det(bijector, x, x_ndims),
            registry.inverse_log_det(bijector, y, y_ndims),
        )

    return function, x, y


@for_every_bijector(
    "act_norm_batched_of_images",
    "conv_batched",
    "conv_shuffle",
    "conv_full",
    "coupling_checkerboard_first",
    "coupling_spline_of_vectors",
    "coupling_of_keras_layers",
    "squeeze_by_3",
    "repeated",
)
def test_vectorized_map_changes_no_number(name):
    function, x, y = evaluate(name)
    mapped = tf.vectorized_map(
        lambda xy: function(*xy), (x, y), fallback_to_while_loop=False
    )
    for actual, expected in zip(mapped, function(x, y)):
        np.testing.assert_allclose(actual, expected, atol=1e-10)


@for_every_bijector("conv_learned")
def test_vectorized_map_changes_no_gradient(name):
    bijector, x, _, _, _ = make(name)

    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            ndims = x.shape.rank - ("batched" in name)
            value = registry.loss(bijector, x, ndims)
        return tape.gradient(value, [x, *bijector.trainable_variables])

    mapped = tf.vectorized_map(gradients, x, fallback_to_while_loop=False)
    expected = zip(*(gradients(one) for one in x))
    for actual, one_by_one in zip(mapped, expected):
        np.testing.assert_allclose(actual, tf.stack(one_by_one), atol=1e-10)


@for_every_bijector(
    "act_norm",
    "conv_batched",
    "coupling_of_images",
    "coupling_checkerboard_first",
    "coupling_of_a_function",
    "squeeze",
    "repeated",
    "glow_additive_with_reversals",
)
def test_an_unknown_rank_changes_no_number(name):
    function, x, y = evaluate(name)
    unknown = tf.TensorSpec(None, x.dtype)
    bijector, _, _, x_ndims, y_ndims = registry.make(name)

    @tf.function(input_signature=[unknown, unknown])
    def traced(x, y):
        return (
            bijector.forward(x),
            bijector.inverse(y),
            bijector.forward_log_det_jacobian(x, x_ndims),
            bijector.inverse_log_det_jacobian(y, y_ndims),
        )

    for inputs in ((x, y), (tf.stack([x, -x]), tf.stack([y, -y]))):
        for actual, expected in zip(traced(*inputs), function(*inputs)):
            actual = tf.broadcast_to(actual, expected.shape)
            np.testing.assert_allclose(actual, expected, atol=1e-10)


@pytest.mark.parametrize("name", COMPOSITES)
def test_composites_pass_through_functions_and_make_composites(name):
    bijector = COMPOSITES[name]
    flat = tf.nest.flatten(bijector, expand_composites=True)
    assert len(flat) == len(bijector.variables)
    again = tf.nest.pack_sequence_as(bijector, flat, expand_composites=True)
    x = helpers.normal([2, 4, 4, 4], dtype=tf.float32)
    y = bijector.forward(x)
    np.testing.assert_array_equal(again.forward(x), y)
    traced = tf.function(lambda bijector, x: bijector.forward(x))
    np.testing.assert_allclose(traced(bijector, x), y, atol=1e-6)
    assert isinstance(tfb.Chain([bijector]), tfb.Chain)
    assert isinstance(tfb.Invert(bijector), tfb.Invert)
    base = tfd.Sample(tfd.Normal(0.0, 1.0), [4, 4, 4])
    flow = tfd.TransformedDistribution(base, tfb.Invert(bijector))
    assert isinstance(flow, tfd.TransformedDistribution)


@pytest.mark.parametrize("conv", CONVS)
@pytest.mark.parametrize("batch_shape", [[], [5], [2, 5]])
def test_tfp_makes_trainable_convolutions_of_any_batch_shape(conv, batch_shape):
    made = tfp.experimental.util.make_trainable(
        conv, batch_and_event_shape=[*batch_shape, 3], validate_args=True
    )
    assert made.matrix().shape == [*batch_shape, 3, 3]
    assert made.experimental_batch_shape() == batch_shape
    assert len(made.trainable_variables) == len(made.variables)
    x = helpers.normal([*batch_shape, 3], dtype=tf.float32)
    y = registry.fresh(made.forward(x))
    np.testing.assert_allclose(made.inverse(y), x, atol=1e-2)


def test_batch_shapes_of_the_factors_broadcast():
    shapes = ([4, 1, 3, 3], [3, 3], [1, 3], [2, 3])
    lower, upper, sign, log_diagonal = (
        helpers.normal(shape, i) for i, shape in enumerate(shapes)
    )
    sign, permutation = tf.sign(sign), np.array([[2, 0, 1], [0, 2, 1]])
    conv = tfg.Invertible1x1Conv(
        permutation[:, None, None], lower, upper, sign, log_diagonal
    )
    assert conv.experimental_batch_shape() == [2, 4, 2]
    for row in np.ndindex(2, 4, 2):
        p, i, j = row
        one = tfg.Invertible1x1Conv(
            permutation[p], lower[i, 0], upper, sign[0], log_diagonal[j]
        )
        np.testing.assert_allclose(conv.matrix()[row], one.matrix(), atol=1e-14)
        inverse = one.inverse_matrix()
        atol = 1e-12 * np.max(np.abs(inverse))
        np.testing.assert_allclose(
            conv.inverse_matrix()[row], inverse, rtol=0, atol=atol
        )


def test_tfp_trains_no_permutation_and_no_sign():
    made = tfp.experimental.util.make_trainable(
        tfg.Invertible1x1Conv,
        permutation=[1, 0],
        sign=[1.0, -1.0],
        batch_and_event_shape=[2],
    )
    names = {variable.name for variable in made.trainable_variables}
    assert len(names) == 3
    np.testing.assert_array_equal(made.permutation, [1, 0])
    np.testing.assert_array_equal(made.sign, [1.0, -1.0])


@pytest.mark.parametrize("maker", [tfg.ActNorm, *CONVS])
def test_slices_are_bijectors_of_slices_of_the_parameters(maker):
    bijector = helpers.perturb(maker.trainable(3, batch_shape=[4, 2]))
    x = helpers.normal([4, 2, 3], dtype=tf.float32)
    y = bijector.forward(x)
    for slices in (slice(1, 3), 2, (..., 1), (slice(None), 0), tf.newaxis):
        sliced = bijector[slices]
        found = np.zeros([4, 2])[slices].shape
        assert sliced.experimental_batch_shape() == found
        event = slices if isinstance(slices, tuple) else (slices, ...)
        event += (slice(None),)
        np.testing.assert_allclose(
            sliced.forward(x[event]), y[event], atol=1e-6
        )


@pytest.mark.parametrize(
    "bijector, shape, other",
    [
        (tfg.Squeeze(), [4, 6, 3], [2, 3, 12]),
        (tfg.Glow([4, 4, 1], 1, 1, 2), [16], [4, 4, 1]),
    ],
    ids=["squeeze", "glow"],
)
def test_event_shapes_keep_leading_dimensions_as_those_of_reshape_do(
    bijector, shape, other
):
    for lead in ([], [7], [None, 7]):
        forward = bijector.forward_event_shape([*lead, *shape])
        inverse = bijector.inverse_event_shape([*lead, *other])
        assert forward.as_list() == [*lead, *other]
        assert inverse.as_list() == [*lead, *shape]
        if None in lead:
            continue
        np.testing.assert_array_equal(
            bijector.forward_event_shape_tensor([*lead, *shape]), forward
        )
        np.testing.assert_array_equal(
            bijector.inverse_event_shape_tensor([*lead, *other]), inverse
        )
    with pytest.raises(ValueError, match="Expected"):
        bijector.forward_event_shape([7, 5])


@pytest.mark.parametrize("shape", [[4], [3, 3, 4]])
def test_a_coupling_of_another_size_is_refused_in_words(shape):
    coupling = tfg.AffineCoupling.trainable(shape, num_filters=3)
    for num_channels in (6, 8):
        with pytest.raises(ValueError, match="Expected 2 channels"):
            coupling.forward(tf.zeros([2, *shape[:-1], num_channels]))


def test_levels_of_latents_of_unknown_rank():
    glow = tfg.Glow([4, 4, 1], 1, 1, 2)
    unknown = tf.TensorSpec(None)
    split = tf.function(glow.split_latents, input_signature=[unknown])
    assert split(tf.zeros([2, 3, 16]))[0].shape == [2, 3, 2, 2, 4]


def test_a_wrong_event_size_is_named_whatever_was_evaluated_before():
    flow = tfg.vector_flow(4, num_steps=1, num_filters=4)
    for batch_size in (2, 3):
        flow.log_prob(tf.zeros([batch_size, 4]))
    with pytest.raises(ValueError, match=r"Expected 4 channels.*\(3, 5\)"):
        flow.log_prob(tf.zeros([3, 5]))
    assert flow.log_prob(tf.zeros([3, 4])).shape == [3]
    traced = tf.function(flow.log_prob, input_signature=[tf.TensorSpec(None)])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[\?,4\]"):
        traced(tf.zeros([4, 5]))
