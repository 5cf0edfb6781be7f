# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.Coupling` and its subclasses."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers
from tfp_glow.bijectors import coupling as coupling_lib

tfb = tfp.bijectors
tfd = tfp.distributions

COUPLINGS = {
    "affine": tfg.AffineCoupling,
    "spline": tfg.SplineCoupling,
    "mixture": tfg.MixtureCoupling,
}


def trainable(event_shape, **kwargs):
    return tfg.AffineCoupling.trainable(
        event_shape, num_filters=4, seed=0, dtype=tf.float64, **kwargs
    )


def test_paper_coupling_starts_with_shift_0_and_scale_sigmoid_2():
    coupling = trainable([4, 4, 3])
    x = helpers.normal([2, 4, 4, 3])
    y = coupling.forward(x)
    np.testing.assert_array_equal(y[..., :1], x[..., :1])
    np.testing.assert_allclose(
        y[..., 1:], x[..., 1:] / (1.0 + np.exp(-2.0)), rtol=1e-12
    )


@pytest.mark.parametrize("event_shape", [[5], [2, 3, 5]])
@pytest.mark.parametrize("change", ["first", "second"])
def test_the_half_that_is_seen_passes_bit_for_bit(event_shape, change):
    coupling = helpers.perturb(trainable(event_shape, change=change))
    x = helpers.normal([7, *event_shape])
    seen, changed = slice(0, 2), slice(2, 5)
    if change == "first":
        seen, changed = changed, seen
    for direction in (coupling.forward, coupling.inverse):
        y = direction(tf.identity(x)).numpy()
        np.testing.assert_array_equal(y[..., seen], x[..., seen])
        assert np.all(y[..., changed] != x[..., changed])


@pytest.mark.parametrize("change", ["first", "second"])
def test_a_checkerboard_passes_one_color_bit_for_bit(change):
    coupling = helpers.perturb(
        trainable([3, 4, 2], mask="checkerboard", change=change), stddev=0.5
    )
    x = helpers.normal([2, 3, 4, 2])
    odd = np.add.outer(np.arange(3), np.arange(4)) % 2 == 1
    seen = odd if change == "first" else ~odd
    for direction in (coupling.forward, coupling.inverse):
        y = direction(tf.identity(x)).numpy()
        np.testing.assert_array_equal(y[:, seen], x.numpy()[:, seen])
        assert np.all(y[:, ~seen] != x.numpy()[:, ~seen])


def test_a_checkerboard_network_sees_nothing_of_what_changes():
    seen = []

    def network(x):
        seen.append(x)
        return tf.concat([x, x], axis=-1)

    coupling = tfg.AffineCoupling(network, mask="checkerboard")
    coupling.forward(tf.ones([1, 2, 3, 1]))
    np.testing.assert_array_equal(
        seen[0][0, :, :, 0], [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    )


@pytest.mark.parametrize(
    "coupling, transformer",
    [
        (tfg.Coupling(tf.sin), tfg.Affine()),
        (tfg.Coupling(tf.sin, "spline"), tfg.Spline()),
        (tfg.Coupling(tf.sin, tfg.Mixture(2)), tfg.Mixture(2)),
        (tfg.AffineCoupling(tf.sin), tfg.Affine("sigmoid")),
        (tfg.AffineCoupling(tf.sin, scale="exp"), tfg.Affine("exp")),
        (tfg.AffineCoupling(tf.sin, additive=True), tfg.Additive()),
        (tfg.SplineCoupling(tf.sin), tfg.Spline(8, 5.0)),
        (tfg.SplineCoupling(tf.sin, 4, bound=3.0), tfg.Spline(4, 3.0)),
        (tfg.MixtureCoupling(tf.sin, 3), tfg.Mixture(3)),
    ],
)
def test_arguments_decide_the_transformer(coupling, transformer):
    assert coupling.transformer == transformer
    assert coupling.copy(name="other").transformer == transformer


@pytest.mark.parametrize("mask", ["channel", "checkerboard"])
@pytest.mark.parametrize("kind", COUPLINGS)
def test_the_transformer_gets_the_other_half_and_the_outputs(kind, mask):
    def network(x):
        size = coupling.transformer.outputs_per_channel
        return tf.repeat(tf.sin(x), size, axis=-1)

    coupling = COUPLINGS[kind](network, mask=mask)
    x = helpers.normal([2, 2, 2, 2])
    kept, rest = coupling.split(x)
    outputs = network(kept)
    changed, slopes = coupling.transformer.forward(rest, outputs)
    y = coupling.forward(x)
    if mask == "channel":
        expected = tf.concat([x[..., :1], changed], axis=-1)
        cells = 1.0
    else:
        cells = np.reshape([[0.0, 1.0], [1.0, 0.0]], [2, 2, 1])
        expected = tf.where(cells == 1.0, changed, x)
    np.testing.assert_allclose(y, expected, atol=1e-12)
    np.testing.assert_allclose(
        coupling.forward_log_det_jacobian(x, 3),
        tf.reduce_sum(slopes * cells, axis=[1, 2, 3]),
        atol=1e-12,
    )


def test_additive_coupling_adds_the_output_of_the_network():
    coupling = tfg.AffineCoupling(tf.sin, additive=True, event_ndims=1)
    y = coupling.forward(tf.constant([[2.0, 1.0]]))
    np.testing.assert_allclose(y, [[2.0, 1.0 + np.sin(2.0)]], rtol=1e-6)
    log_det = coupling.forward_log_det_jacobian(tf.zeros([3, 2]), 1)
    np.testing.assert_array_equal(log_det, [0.0])


def test_network_channels_are_what_a_network_sees_and_gives():
    spline = tfg.Spline()
    for arguments, expected in [
        ((spline,), (2, 3 * 23)),
        ((spline, "first"), (3, 2 * 23)),
        ((spline, "second", "checkerboard"), (5, 5 * 23)),
        ((tfg.Additive(),), (2, 3)),
    ]:
        found = coupling_lib.network_channels([4, 4, 5], *arguments)
        assert found == expected


@pytest.mark.parametrize("batch_shape", [[], [3], [3, 2]])
def test_network_sees_one_batch_dimension(batch_shape):
    shapes = []

    def network(x):
        shapes.append(x.shape.as_list())
        return tf.concat([x, x], axis=-1)

    coupling = tfg.AffineCoupling(network)
    coupling.forward(tf.zeros([*batch_shape, 4, 5, 2]))
    assert shapes == [[int(np.prod(batch_shape)), 4, 5, 1]]


# A padded edge adds one convolution of a single image with one channel.
@pytest.mark.parametrize("edge_padding, convolutions", [(False, 2), (True, 4)])
def test_graphs_hold_the_convolutions_of_one_network(
    edge_padding, convolutions
):
    coupling = trainable(
        [4, 4, 2],
        network=tfg.networks.CouplingNetwork(
            edge_padding=edge_padding, dtype="float64"
        ),
    )
    normal = tfd.Sample(tfd.Normal(tf.zeros([], tf.float64), 1.0), [4, 4, 2])
    flow = tfd.TransformedDistribution(normal, tfb.Invert(coupling))

    def sample_then_log_prob():
        x = flow.sample(5, seed=0)
        return x, flow.log_prob(x)

    x = helpers.normal([5, 4, 4, 2])
    # The 1x1 kernel is applied by a matrix product.
    for function, args in ((flow.log_prob, [x]), (sample_then_log_prob, [])):
        assert helpers.count_ops(function, *args) == convolutions
        assert helpers.count_ops(function, *args, op_type="MatMul") == 1


def test_variables_of_an_unbuilt_layer_appear_with_the_first_call():
    traced = tfg.AffineCoupling(keras.layers.Dense(2), event_ndims=1)
    tf.function(traced.forward)(tf.ones([3, 2]))
    assert len(traced.trainable_variables) == 2
    layer = keras.layers.Dense(2, kernel_initializer="ones")
    coupling = tfg.AffineCoupling(layer, event_ndims=1)
    assert coupling.trainable_variables == ()
    x = tf.ones([3, 2])
    y = coupling.forward(x)
    assert [v is w.value for v, w in zip(coupling.variables, layer.weights)]
    assert len(coupling.trainable_variables) == 2
    layer.kernel.assign([[5.0, 0.0]])
    assert np.all(coupling.forward(tf.identity(x)) != y, axis=0)[1]


def test_weights_that_do_not_train_are_variables_but_not_trainable():
    layer = keras.layers.Dense(2)
    layer.build((None, 1))
    layer.trainable = False
    coupling = tfg.AffineCoupling(layer, event_ndims=1)
    assert len(coupling.variables) == 2


def test_seed_decides_the_network():
    one, same, *others = (
        tfg.AffineCoupling.trainable([2], num_filters=4, seed=seed).variables[0]
        for seed in (0, 0, 1, None, None)
    )
    np.testing.assert_array_equal(one, same)
    for a, b in itertools.combinations([one, *others], 2):
        assert np.max(np.abs(a - b)) > 1e-3


def test_a_network_in_bfloat16_leaves_the_flow_in_float32():
    network = keras.layers.Dense(2, dtype="bfloat16")
    coupling = tfg.AffineCoupling(network, event_ndims=1)
    x = helpers.normal([4, 2], dtype=tf.float32)
    y = coupling.forward(x)
    assert y.dtype == tf.float32
    assert coupling.forward_log_det_jacobian(x, 1).dtype == tf.float32
    np.testing.assert_allclose(coupling.inverse(tf.identity(y)), x, atol=1e-5)


def test_initialize_hands_the_network_what_it_sees():
    coupling = trainable([2, 2, 4], change="first")
    received = []
    coupling.network.initialize = received.append
    # A function has nothing to initialize.
    tfg.AffineCoupling(tf.sin, additive=True).initialize(tf.ones([1, 2, 2, 2]))
    x = helpers.normal([3, 5, 2, 2, 4])
    coupling.initialize(x)
    np.testing.assert_array_equal(
        received[0], np.reshape(x[..., 2:], [15, 2, 2, 2])
    )


@pytest.mark.parametrize("batch_shape", [[2], [3, 2]])
def test_image_sizes_may_be_unknown_when_traced(batch_shape):
    coupling = helpers.perturb(trainable([4, 4, 2]))
    unknown = [None] * (len(batch_shape) + 2)
    shapes = []

    @tf.function(input_signature=[tf.TensorSpec([*unknown, 2], tf.float64)])
    def forward(x):
        y = coupling.forward(x)
        shapes.append(y.shape.as_list())
        return y

    for height, width in [(4, 4), (3, 6)]:
        x = helpers.normal([*batch_shape, height, width, 2])
        np.testing.assert_allclose(forward(x), coupling.forward(x), atol=1e-12)
    assert shapes == [[*unknown, 2]]


def test_a_network_sees_known_channels_of_images_of_unknown_size():
    seen = []

    def network(x):
        seen.append(x.shape.as_list())
        return tf.concat([x, x], axis=-1)

    coupling = tfg.AffineCoupling(network)
    spec = tf.TensorSpec([None, None, None, 5, 2])
    tf.function(coupling.forward).get_concrete_function(spec)
    assert seen == [[None, None, 5, 1]]


def test_a_network_that_cannot_be_called_raises():
    with pytest.raises(
        TypeError, match=r"`network`. Expected a callable. Received: int"
    ):
        tfg.AffineCoupling(3)


@pytest.mark.parametrize(
    "argument, value, nearest",
    [
        ("scale", "sigmoyd", "sigmoid"),
        ("change", "frist", "first"),
        ("mask", "checker_board", "checkerboard"),
        ("mask", "channels", "channel"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(argument, value, nearest):
    with pytest.raises(
        ValueError,
        match=f"`{argument}`.*{argument}='{value}'. Did you mean '{nearest}'",
    ):
        tfg.AffineCoupling(tf.sin, **{argument: value})


@pytest.mark.parametrize(
    "event_ndims, mask",
    [(2, "channel"), (0, "channel"), ("3", "channel"), (1, "checkerboard")],
)
def test_events_must_be_vectors_or_images(event_ndims, mask):
    with pytest.raises(
        ValueError, match=f"`event_ndims`.*event_ndims={event_ndims!r}"
    ):
        tfg.AffineCoupling(tf.sin, event_ndims=event_ndims, mask=mask)


@pytest.mark.parametrize("kind", COUPLINGS)
def test_a_network_of_the_wrong_number_of_outputs_names_the_right_one(kind):
    coupling = COUPLINGS[kind](tf.identity, event_ndims=1, name="the_third")
    size = coupling.transformer.outputs_per_channel
    for direction in (coupling.forward, coupling.inverse):
        with pytest.raises(
            ValueError,
            match=rf"`the_third`. Expected shape \[None, {3 * size}\], {size} "
            r"for each of 3 channels. Received: \(2, 3\)",
        ):
            direction(tf.zeros([2, 6]))


def test_a_network_that_changes_the_size_of_the_image_raises():
    coupling = tfg.AffineCoupling(lambda x: tf.repeat(x[:, :2], 2, axis=-1))
    with pytest.raises(ValueError, match=r"\[None, 4, 4, 2\].*\(5, 2, 4, 2\)"):
        coupling.forward(tf.zeros([5, 4, 4, 2]))


def test_an_unknown_transformer_suggests_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'spline'"):
        tfg.Coupling(tf.sin, "splines")


def test_one_channel_cannot_be_split():
    with pytest.raises(ValueError, match=r"at least 2 channels.*\(4, 4, 1\)"):
        trainable([4, 4, 1])
    coupling = tfg.AffineCoupling(tf.sin)
    with pytest.raises(ValueError, match=r"at least 2 channels.*\(5, 4, 4, 1"):
        coupling.forward(tf.zeros([5, 4, 4, 1]))


def test_a_coupling_of_all_channels_sees_only_its_conditioning():
    coupling = tfg.AffineCoupling(
        lambda x, c: tf.concat([x + c, x], axis=-1), mask="all", event_ndims=1
    )
    x = tf.constant([[1.0], [2.0]])
    y = coupling.forward(x, c=3.0)  # The network's outputs are 3 and 0.
    np.testing.assert_allclose(y, tf.sigmoid(2.0) * x + 3.0, rtol=1e-6)
    np.testing.assert_allclose(coupling.inverse(y, c=3.0), x, rtol=1e-6)


def test_too_few_dimensions_raise():
    coupling = tfg.AffineCoupling(tf.sin)
    with pytest.raises(ValueError, match=r"at least 3 dimensions.*\(4, 2\)"):
        coupling.forward(tf.zeros([4, 2]))


@pytest.mark.parametrize("event_shape", [[], [4, 2], [1, 4, 4, 2]])
def test_trainable_needs_the_shape_of_a_vector_or_image(event_shape):
    with pytest.raises(ValueError, match=r"Expected \[H, W, C\] or \[D\]"):
        trainable(event_shape)


def test_trainable_needs_a_positive_number_of_filters():
    with pytest.raises(ValueError, match=r"`num_filters`. Expected a positive"):
        tfg.AffineCoupling.trainable([2], num_filters=0)
