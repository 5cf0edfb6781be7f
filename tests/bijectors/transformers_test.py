# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.bijectors.transformers`."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers
from tfp_glow.bijectors import transformers

tfb = tfp.bijectors


@keras.saving.register_keras_serializable(package="tests")
@dataclasses.dataclass(frozen=True)
class Scale(tfg.Transformer):
    """A user's transformer: a dataclass with the two methods."""

    factor: float = 1.0
    outputs_per_channel = 1

    def forward(self, x, outputs):
        return x * tf.exp(self.factor * outputs), self.factor * outputs

    def inverse(self, y, outputs):
        return y * tf.exp(-self.factor * outputs), -self.factor * outputs


def shift_and_double(outputs):
    return tfb.Chain([tfb.Shift(outputs), tfb.Scale(tf.cast(2.0, "float64"))])


SERIALIZABLE = {
    **transformers.TRANSFORMERS,
    "spline_of_2_bins": tfg.Spline(num_bins=2, bound=3.0),
    "mixture_of_1_component": tfg.Mixture(num_components=1),
    "users": Scale(0.5),
}
TRANSFORMERS = {
    **SERIALIZABLE,
    "elementwise": tfg.Elementwise(1, shift_and_double),
}
for_every_transformer = pytest.mark.parametrize("name", TRANSFORMERS)

# The table in the docstring of `Affine`.
SCALES = {
    "sigmoid": lambda r: 1.0 / (1.0 + np.exp(-(r + 2.0))),
    "half_sigmoid": lambda r: 0.5 / (1.0 + np.exp(-(r + 2.0))) + 0.5,
    "bounded_exp": lambda r: 2.0 ** np.tanh(r),
    "exp": np.exp,
}


def outputs_of(transformer, shape, seed=1, dtype=tf.float64):
    """Returns random outputs of a network for inputs of a shape."""
    *batch, num_channels = shape
    size = num_channels * transformer.outputs_per_channel
    return helpers.normal([*batch, size], seed, dtype)


@for_every_transformer
def test_forward_and_inverse_undo_each_other(name):
    transformer = TRANSFORMERS[name]
    x = helpers.normal([5, 2, 3])
    outputs = outputs_of(transformer, x.shape)
    y, log_det = transformer.forward(x, outputs)
    assert y.shape == x.shape
    assert np.max(np.abs(y - x)) > 0.1
    back, back_log_det = transformer.inverse(tf.identity(y), outputs)
    np.testing.assert_allclose(back, x, atol=1e-12)
    np.testing.assert_allclose(back_log_det, -log_det, atol=1e-10)


@for_every_transformer
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_log_det_is_the_logarithm_of_the_slope(name, direction):
    transformer = TRANSFORMERS[name]
    x = helpers.normal([20, 3])
    outputs = outputs_of(transformer, x.shape)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y, log_det = getattr(transformer, direction)(x, outputs)
    slope = tape.gradient(y, x)
    np.testing.assert_allclose(
        tf.broadcast_to(log_det, x.shape), tf.math.log(slope), atol=1e-10
    )
    if transformer.is_constant_jacobian:
        assert log_det.shape == []


@for_every_transformer
def test_elements_do_not_depend_on_each_other(name):
    transformer = TRANSFORMERS[name]
    x = helpers.normal([4, 3])
    outputs = outputs_of(transformer, x.shape)
    y, _ = transformer.forward(x, outputs)
    moved, _ = transformer.forward(x + [[0.0, 1.0, 0.0]], outputs)
    np.testing.assert_array_equal(
        np.any(y != moved, axis=0), [False, True, False]
    )


# The largest distance from the identity for |x| <= 20.
@pytest.mark.parametrize(
    "name, limit",
    [
        ("affine", 2.4),
        ("affine_half_sigmoid", 1.2),
        ("affine_bounded_exp", 0.0),
        ("affine_exp", 0.0),
        ("additive", 0.0),
        ("spline", 1e-14),
        ("spline_of_2_bins", 1e-14),
        ("mixture", 0.27),
        ("mixture_of_1_component", 1e-12),
        ("users", 0.0),
    ],
)
def test_outputs_of_zeros_are_near_the_identity(name, limit):
    transformer = TRANSFORMERS[name]
    x = tf.cast(tf.linspace(-20.0, 20.0, 101), tf.float64)[:, tf.newaxis]
    zeros = tf.zeros_like(outputs_of(transformer, x.shape))
    for direction in (transformer.forward, transformer.inverse):
        y, log_det = direction(x, zeros)
        assert np.max(np.abs(y - x)) <= 1.2 * limit
        assert np.max(np.abs(log_det)) <= 1.2 * limit + 1e-13


def test_mixtures_of_any_size_start_near_the_identity():
    x = tf.linspace(-20.0, 20.0, 101)[:, tf.newaxis]
    for size, limit in {2: 0.44, 4: 0.27, 8: 0.21}.items():
        y, _ = tfg.Mixture(size).forward(x, tf.zeros([101, 3 * size + 2]))
        np.testing.assert_allclose(y, x, atol=limit)


@pytest.mark.parametrize("name", SERIALIZABLE)
def test_keras_saves_and_restores_a_transformer(name):
    transformer = SERIALIZABLE[name]
    config = keras.saving.serialize_keras_object(transformer)
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(transformer)
    assert again == transformer
    assert hash(again) == hash(transformer)


def test_get_takes_names_and_transformers():
    for name, transformer in transformers.TRANSFORMERS.items():
        assert transformers.get(name) is transformer
    users = Scale(3.0)
    assert transformers.get(users) is users


@pytest.mark.parametrize(
    "wrong, nearest",
    [("splines", "spline"), ("afine", "affine"), ("additiv", "additive")],
)
def test_an_unknown_name_suggests_the_nearest(wrong, nearest):
    with pytest.raises(
        ValueError, match=f"coupling='{wrong}'. Did you mean '{nearest}'"
    ):
        transformers.get(wrong)


def test_a_transformer_without_an_inverse_cannot_be_made():
    class Incomplete(tfg.Transformer):
        outputs_per_channel = 1

        def forward(self, x, outputs):
            return x + outputs, tf.zeros([])

    with pytest.raises(TypeError, match="inverse"):
        Incomplete()


def test_every_documented_scale_exists():
    assert set(transformers.SCALES) == set(SCALES)


@pytest.mark.parametrize("scale", SCALES)
def test_affine_is_the_formula(scale):
    x, shift = np.linspace(2.0, -1.0, 9), np.linspace(-6.0, 6.0, 9)
    y, log_det = tfg.Affine(scale).forward(
        tf.constant(x[:, np.newaxis]),
        tf.constant(np.stack([shift, shift - 1.0], axis=-1)),
    )
    expected = SCALES[scale](shift - 1.0)
    np.testing.assert_allclose(y[:, 0], expected * x + shift, rtol=1e-12)
    np.testing.assert_allclose(tf.exp(log_det)[:, 0], expected, rtol=1e-12)


@pytest.mark.parametrize("scale", SCALES)
def test_scales_are_finite_and_positive_for_extreme_outputs(scale):
    raw = tf.constant([-80.0, -20.0, 20.0, 80.0], tf.float64)
    values, log_values = transformers.SCALES[scale](raw)
    assert np.all(np.isfinite(log_values))
    expected = SCALES[scale](raw.numpy())
    np.testing.assert_allclose(values, expected, rtol=1e-10)
    np.testing.assert_allclose(tf.exp(log_values), expected, rtol=1e-10)


def softmax(raw):
    return np.exp(raw) / np.sum(np.exp(raw))


def test_spline_outputs_are_widths_heights_and_slopes_of_each_channel():
    raw = helpers.normal([2, 3 * 4 - 1]).numpy()
    x = 1.5 * helpers.normal([50, 2])
    outputs = tf.broadcast_to(np.reshape(raw, [-1]), [50, 22])
    y, _ = tfg.Spline(num_bins=4, bound=3.0).forward(x, outputs)
    for channel in range(2):
        w, h, d = np.split(raw[channel], [4, 8])
        expected = tfb.RationalQuadraticSpline(
            6.0 * (0.01 / 4 + 0.99 * softmax(w)),
            6.0 * (0.01 / 4 + 0.99 * softmax(h)),
            0.01 + np.log1p(np.expm1(0.99) * np.exp(d)),
            range_min=-3.0,
        ).forward(x[:, channel])
        np.testing.assert_allclose(y[:, channel], expected, atol=1e-12)
        assert np.max(np.abs(y[:, channel] - x[:, channel])) > 0.1


def test_mixture_outputs_are_the_documented_ones_of_each_channel():
    raw = helpers.normal([2, 3 * 2 + 2]).numpy()
    x = 1.5 * helpers.normal([50, 2])
    outputs = tf.broadcast_to(np.reshape(raw, [-1]), [50, 16])
    y, _ = tfg.Mixture(num_components=2).forward(x, outputs)
    for channel, (a, b, *rest) in enumerate(raw):
        p, m, r = np.split(np.array(rest), 3)
        loc, scale = m + [1.0, -1.0], np.exp(np.tanh(r))
        x_c = x.numpy()[:, channel, np.newaxis]
        cdf = softmax(p) / (1.0 + np.exp((loc - x_c) / scale))
        cdf = np.sum(cdf, axis=-1)
        expected = 2.0 ** np.tanh(a) * np.log(cdf / (1 - cdf)) + b
        np.testing.assert_allclose(y[:, channel], expected, atol=1e-10)


def test_components_of_a_new_mixture_receive_different_gradients():
    x = helpers.normal([50, 1])
    outputs = tf.zeros([50, 14], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        y, _ = tfg.Mixture().forward(x, outputs)
        loss = tf.reduce_sum(y**3)
    gradient = tf.reduce_sum(tape.gradient(loss, outputs), axis=0)[2:]
    values = np.reshape(gradient, [3, 4])
    assert np.min(np.abs(np.diff(np.sort(values, axis=-1)))) > 1e-3


def test_a_spline_changes_nothing_outside_its_bound():
    x = tf.constant([-1e30, -1e4, -2.1, 2.1, 1e4, 1e30])[:, tf.newaxis]
    spline = tfg.Spline(num_bins=2, bound=2.0)
    outputs = outputs_of(spline, x.shape, dtype=tf.float32)
    for direction in (spline.forward, spline.inverse):
        y, log_det = direction(x, outputs)
        np.testing.assert_array_equal(y, x)
        np.testing.assert_array_equal(log_det, tf.zeros_like(x))


@pytest.mark.parametrize("size", [5.0, 1e3])
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_extreme_outputs_leave_splines_and_their_gradients_finite(
    size, direction
):
    x = 2.0 * helpers.normal([500, 1], dtype=tf.float32)
    outputs = size * outputs_of(tfg.Spline(), x.shape, dtype=tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y, log_det = getattr(tfg.Spline(), direction)(x, outputs)
    assert np.all(np.abs(y - x) <= 10.0)
    assert np.all(np.isfinite(log_det))
    assert np.all(np.isfinite(tape.gradient([y, log_det], x)))


@pytest.mark.parametrize("size", [5.0, 100.0])
def test_extreme_outputs_leave_mixtures_finite_and_their_growth_bounded(size):
    x = tf.constant([-1e4, -1e2, -1.0, 0.0, 1.0, 1e2, 1e4])[:, tf.newaxis]
    outputs = size * outputs_of(tfg.Mixture(), [1], 3, tf.float32)
    outputs = tf.broadcast_to(outputs, [7, 14])
    for direction in (tfg.Mixture().forward, tfg.Mixture().inverse):
        y, log_det = direction(x, outputs)
        assert np.all(np.isfinite(y))
        assert np.all(np.isfinite(log_det))
        growth = 2.0 * np.e
        assert np.all(np.abs(y) <= growth * (np.abs(x) + 4.0 * size) + size)


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: tfg.Affine("sigmoyd"),
            "`scale`.*'sigmoyd'. Did you mean 'sigmoid'",
        ),
        (lambda: tfg.Affine("half"), "Did you mean 'half_sigmoid'"),
        (lambda: tfg.Affine("expo"), "Did you mean 'exp'"),
        (
            lambda: tfg.Spline(num_bins=1),
            "`num_bins`. Expected an integer, at least 2. Received: .*=1",
        ),
        (
            lambda: tfg.Spline(num_bins=2.5),
            "`num_bins`. Expected an integer, at least 2",
        ),
        (
            lambda: tfg.Spline(bound=0.0),
            "`bound`. Expected a positive, finite number",
        ),
        (lambda: tfg.Spline(bound=-1.0), "`bound`.*Received: bound=-1.0"),
        (
            lambda: tfg.Spline(bound=float("inf")),
            "`bound`.*Received: bound=inf",
        ),
        (
            lambda: tfg.Spline(bound=float("nan")),
            "`bound`.*Received: bound=nan",
        ),
        (
            lambda: tfg.Mixture(0),
            "`num_components`. Expected a positive integer",
        ),
        (
            lambda: tfg.Elementwise(0, tfb.Shift),
            "`outputs_per_channel`. Expected a positive integer",
        ),
    ],
)
def test_bad_arguments_raise(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_only_dataclasses_of_plain_values_can_be_saved():
    class Plain(tfg.Transformer):
        outputs_per_channel = 1

        def forward(self, x, outputs):
            return x + outputs, tf.zeros([], x.dtype)

        def inverse(self, y, outputs):
            return y - outputs, tf.zeros([], y.dtype)

    with pytest.raises(
        TypeError, match=r"Expected a dataclass.*Received: Plain"
    ):
        keras.saving.serialize_keras_object(Plain())
