# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow._checks`."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tfp_glow import _checks

tfd = tfp.distributions


@pytest.mark.parametrize(
    "value",
    [
        *(0, -3, 1.0, "1", None, True, np.nan, [1], np.array([1])),
        *(np.float32(1.0), np.bool_(True), tf.constant(1.0), keras.Input([])),
    ],
)
def test_other_values_than_positive_integers_raise(value):
    with pytest.raises(ValueError, match=r"`size`.*positive integer.*size="):
        _checks.positive_integer(size=value)


def test_the_wrong_one_of_several_integers_is_named():
    assert _checks.positive_integer(a=1, b=200) == [1, 200]
    with pytest.raises(ValueError, match=r"`b`.*Received: b=0"):
        _checks.positive_integer(a=1, b=0, c=2)


SCALARS = [np.int64(8), np.uint8(8), np.array(8), tf.constant(8, tf.int64)]


@pytest.mark.parametrize("value", SCALARS)
def test_integers_of_numpy_and_tensorflow_become_python_numbers(value):
    [integer] = _checks.integers(8, "at least 8", value=value)
    number = _checks.number("value", value, "8", lambda x: x == 8)
    assert (type(integer), type(number)) == (int, float)
    assert integer == number == _checks.seed(value) == 8


@pytest.mark.parametrize(
    "value", [2.5, np.float32(2.5), np.array(2.5), tf.constant(2.5)]
)
def test_floats_of_numpy_and_tensorflow_become_python_floats(value):
    number = _checks.number("x", value, "a positive number", lambda x: x > 0)
    assert (type(number), number) == (float, 2.5)


@pytest.mark.parametrize(
    "value",
    [-1.0, np.nan, True, np.bool_(True), "1", None, [1.0], [[1], 2]]
    + [np.array([1.0]), keras.Input([])],
)
def test_other_values_than_numbers_raise(value):
    with pytest.raises(ValueError, match=r"`x`. Expected a positive number"):
        _checks.number("x", value, "a positive number", lambda x: x > 0)


def test_booleans_of_numpy_and_tensorflow_become_python_booleans():
    assert _checks.booleans(
        a=True, b=np.bool_(False), c=np.array(True), d=tf.constant(False)
    ) == dict(a=True, b=False, c=True, d=False)
    for value in (1, 0.0, "yes", None, [True]):
        with pytest.raises(ValueError, match=r"`b`. Expected True or False"):
            _checks.booleans(a=True, b=value)


def test_seeds_are_non_negative_integers():
    sequence = np.random.SeedSequence(0)
    assert _checks.seed(sequence) is sequence
    assert _checks.seed(None) is None
    for value in (-1, 1.0, True, "1"):
        with pytest.raises(
            ValueError, match=r"`seed`. Expected a non-negative"
        ):
            _checks.seed(value)


def test_unknown_names_suggest_the_nearest():
    _checks.choice("fruit", "pear", ("apple", "pear"))
    with pytest.raises(
        ValueError,
        match=r"`fruit`. Expected one of \['apple', 'pear'\]. "
        r"Received: fruit='appel'. Did you mean 'apple'\?",
    ):
        _checks.choice("fruit", "appel", ("pear", "apple"))


@pytest.mark.parametrize("value", ["", "xyz", None, 3])
def test_names_unlike_all_options_still_raise_with_a_suggestion(value):
    with pytest.raises(ValueError, match="Did you mean"):
        _checks.choice("fruit", value, ("pear", "apple"))


def test_an_invalid_value_is_shown_with_what_was_expected():
    error = _checks.invalid_value("split", "tests", "a split", ["test", "x"])
    assert str(error) == (
        "Invalid value received for argument `split`. Expected a split. "
        "Received: split='tests'. Did you mean 'test'?"
    )
    unlike = _checks.invalid_value("split", 3, "a split", ["test", "x"])
    assert str(unlike).endswith("Received: split=3")


def test_last_dimensions_must_agree_where_they_are_known():
    _checks.last_dimensions_agree(a=tf.zeros([2, 3]), b=tf.zeros([3]))
    with pytest.raises(ValueError, match=r"Received: a \(2, 3\), b \(2,\)"):
        _checks.last_dimensions_agree(a=tf.zeros([2, 3]), b=tf.zeros([2]))
    with pytest.raises(ValueError, match=r"a \(\), b \(2,\)"):
        _checks.last_dimensions_agree(a=tf.zeros([]), b=tf.zeros([2]))


def test_unknown_shapes_pass_and_are_found_at_run_time():
    unknown = tf.TensorSpec(None)

    @tf.function(input_signature=[unknown, unknown])
    def check(a, b):
        _checks.last_dimensions_agree(a=a, b=b)
        _checks.channels(tfg.Squeeze(), a, 3)
        return a

    check(tf.zeros([2]), tf.zeros([3]))


@pytest.mark.parametrize("shape", [[3, 4], [5], []])
def test_other_numbers_of_channels_raise(shape):
    bijector = tfg.Squeeze(name="its_name")
    _checks.channels(bijector, tf.zeros([3, 2]), 2)
    with pytest.raises(ValueError, match=r"`its_name`. Expected 2 channels"):
        _checks.channels(bijector, tf.zeros(shape), 2)


def test_other_event_shapes_raise():
    bijector = tfg.Squeeze(name="its_name")
    expected = tf.TensorShape([4, 2])
    _checks.event(bijector, tf.TensorShape([4, None]), expected)
    with pytest.raises(ValueError, match=r"\(4, 2\). Received: \(4, 3\)"):
        _checks.event(bijector, tf.TensorShape([4, 3]), expected)


def test_too_few_dimensions_raise():
    bijector = tfg.Squeeze(name="its_name")
    _checks.at_least_rank(bijector, tf.zeros([1, 2]), 2)
    with pytest.raises(ValueError, match=r"at least 2 dimensions.*\(1,\)"):
        _checks.at_least_rank(bijector, tf.zeros([1]), 2)


def test_parameters_that_are_not_variables_raise():
    _checks.variables(a=tf.Variable(1.0))
    with pytest.raises(TypeError, match=r"`b` to be a `tf.Variable`.*float"):
        _checks.variables(a=tf.Variable(1.0), b=1.0)


def images(bins=16):
    pixel = tfd.Uniform(-0.5 * tf.ones([2, 2, 1]), 0.5)
    return tfg.Dequantized(tfd.Independent(pixel, 3), bins=bins)


def test_events_of_the_other_kind_of_dtype_raise():
    distribution = images()
    _checks.events([([5, 2, 2, 1], np.uint8)], distribution)
    _checks.events([([5, 2, 2, 1], tf.float64)], distribution.distribution)
    with pytest.raises(
        TypeError, match=r"integers in \[0, 16\). Received: float32"
    ):
        _checks.events([([5, 2, 2, 1], tf.float32)], distribution)
    with pytest.raises(TypeError, match=r"Expected floats. Received: int64"):
        _checks.events([([5, 2, 2, 1], np.int64)], distribution.distribution)


@pytest.mark.parametrize("shape", [[2, 2, 1], [5, 2, 2, 3], [5, 1, 2, 2, 1]])
def test_events_of_another_shape_raise(shape):
    _checks.events([([None, 2, 2, None], tf.int32)], images())
    with pytest.raises(ValueError, match=r"\(None, 2, 2, 1\). Received"):
        _checks.events([(shape, tf.int32)], images())


def test_event_values_must_be_gray_levels_or_finite():
    _checks.event_values([0, 15], bins=16)
    _checks.event_values([-1e9, 1e9], bins=None)
    for values in ([-1, 3], [3, 16]):
        with pytest.raises(ValueError, match=rf"\[0, 16\).*{values[0]} to"):
            _checks.event_values(values, bins=16)
    with pytest.raises(ValueError, match=r"finite numbers. Received: 2 of 3"):
        _checks.event_values([np.nan, 1.0, np.inf], bins=None)
    with pytest.raises(ValueError, match=r"at least one event.*\(0, 4\)"):
        _checks.event_values(np.zeros([0, 4]), bins=None)


def test_symbolic_event_values_are_not_looked_at():
    @tf.function
    def check(x):
        _checks.event_values(x, bins=2)
        return x

    check(tf.constant([7]))


@pytest.mark.parametrize(
    ("values", "num_classes", "error", "message"),
    [
        ({"a": [1.0]}, None, TypeError, "one array. Received: dict"),
        ([["a"], ["b"]], None, TypeError, "numbers. Received: string"),
        ([1.0, 2.0], None, ValueError, r"\(2, 1\), one for .*: \(2,\)"),
        ([[1.0], [np.nan]], None, ValueError, "Received: 1 of 2"),
        ([[1.0], [2.0]], 3, TypeError, r"integers in \[0, 3\).*float64"),
        ([[0], [3]], 3, ValueError, r"\[0, 3\).*from 0 to 3"),
    ],
)
def test_conditioning_must_be_numbers_of_a_shape_or_labels(
    values, num_classes, error, message
):
    with pytest.raises(error, match=message):
        _checks.conditioning(values, (2, 1), num_classes)


def test_only_declared_shapes_of_symbolic_conditioning_are_checked():
    _checks.conditioning(tf.TensorSpec([None, 1]), (2, 1))
    _checks.conditioning(tf.TensorSpec([None], tf.int64), (2,), num_classes=3)
    with pytest.raises(ValueError, match=r"\(2, 1\).*Received: \(2, 4\)"):
        _checks.conditioning(tf.TensorSpec([2, 4]), (2, 1))


def test_a_model_takes_numbers_of_numpy_and_tensorflow():
    plain = tfg.GlowModel(
        [4, 4, 1],
        num_levels=1,
        num_steps=1,
        num_filters=2,
        bins=4,
        num_classes=3,
        seed=5,
    )
    other = tfg.GlowModel(
        np.array([4, 4, 1]),
        num_levels=np.int64(1),
        num_steps=np.array(1),
        num_filters=np.uint8(2),
        bins=tf.constant(4),
        num_classes=np.int32(3),
        seed=tf.constant(5, tf.int64),
    )
    one, two = tf.constant(1.0), np.int64(2)
    np.testing.assert_array_equal(
        other.sample(two, one, conditioning=[0, 2], seed=np.uint8(3)),
        plain.sample(2, 1.0, conditioning=[0, 2], seed=3),
    )
