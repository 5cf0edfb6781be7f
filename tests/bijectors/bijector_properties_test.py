# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Properties of every bijector, tested on one table of all of them."""

import numpy as np
import pytest
import tensorflow as tf

from tests import helpers
from tests.bijectors import registry
from tfp_glow.bijectors import precision

for_every_bijector = pytest.mark.parametrize("name", registry.BIJECTORS)
for_every_bijector_with_variables = pytest.mark.parametrize(
    "name", [name for name, number in registry.NUM_VARIABLES.items() if number]
)
# These represent the others in tests that trace or compile.
OF_EACH_KIND = (
    "act_norm_batched",
    "conv_learned",
    "conv_shuffle",
    "conv_full",
    "coupling_of_images",
    "coupling_bounded_exp_of_vectors",
    "coupling_additive_of_vectors",
    "coupling_checkerboard_first",
    "coupling_spline_checkerboard",
    "coupling_mixture_first_of_images",
    "coupling_of_keras_layers",
    "coupling_of_a_function",
    "coupling_of_a_module",
    "squeeze",
    "glow_of_2_levels",
    "repeated",
    "inverted_chain",
)
for_one_of_each_kind = pytest.mark.parametrize("name", OF_EACH_KIND)


@for_every_bijector
@pytest.mark.parametrize(
    "dtype, tolerance",
    [(tf.float64, 1e-10), (tf.float32, 1e-4)],
    ids=["float64", "float32"],
)
def test_forward_and_inverse_undo_each_other(name, dtype, tolerance):
    bijector, x, y, x_ndims, y_ndims = registry.make(name, dtype)
    assert x.shape != y.shape or np.max(np.abs(x - y)) > 1e-2
    x_back = bijector.inverse(registry.fresh(y))
    np.testing.assert_allclose(x_back, x, atol=tolerance)
    other_y = helpers.normal(y.shape, 2, dtype)
    y_back = bijector.forward(registry.fresh(bijector.inverse(other_y)))
    np.testing.assert_allclose(y_back, other_y, atol=tolerance)
    log_det = registry.forward_log_det(bijector, x, x_ndims)
    back_log_det = registry.inverse_log_det(bijector, y, y_ndims)
    np.testing.assert_allclose(back_log_det, -log_det, atol=10 * tolerance)
    assert {t.dtype for t in (y, x_back, log_det, back_log_det)} == {dtype}


@for_every_bijector
def test_log_dets_are_those_of_the_jacobian(name):
    bijector, x, y, x_ndims, y_ndims = registry.make(name)
    np.testing.assert_allclose(
        registry.forward_log_det(bijector, x, x_ndims),
        helpers.log_det_by_autodiff(bijector.forward, x),
        atol=1e-8,
    )
    other_y = helpers.normal(y.shape, 2)
    np.testing.assert_allclose(
        registry.inverse_log_det(bijector, other_y, y_ndims),
        helpers.log_det_by_autodiff(bijector.inverse, other_y),
        atol=1e-8,
    )


@for_every_bijector
def test_declared_event_shapes_are_those_of_the_results(name):
    bijector, x, y, _, _ = registry.make(name)
    x_shape, y_shape = x.shape[1:], y.shape[1:]
    assert bijector.forward_event_shape(x_shape) == y_shape
    assert bijector.inverse_event_shape(y_shape) == x_shape
    assert bijector.inverse(registry.fresh(y)).shape == x.shape
    np.testing.assert_array_equal(
        bijector.forward_event_shape_tensor(x_shape), y_shape
    )
    np.testing.assert_array_equal(
        bijector.inverse_event_shape_tensor(y_shape), x_shape
    )


@for_every_bijector
def test_any_batch_shape_gives_the_numbers_of_one_event_at_a_time(name):
    bijector, x, y, x_ndims, y_ndims = registry.make(name)
    log_det = registry.forward_log_det(bijector, x, x_ndims)
    many = tf.stack([x, 2.0 * x, -x])
    many_y = bijector.forward(many)
    many_log_det = registry.forward_log_det(bijector, many, x_ndims)
    assert many_log_det.shape == [3, 2]
    np.testing.assert_allclose(many_y[0], y, atol=1e-12)
    np.testing.assert_allclose(many_log_det[0], log_det, atol=1e-12)
    np.testing.assert_allclose(bijector.inverse(many_y), many, atol=1e-10)
    np.testing.assert_allclose(
        registry.inverse_log_det(bijector, many_y, y_ndims),
        -many_log_det,
        atol=1e-10,
    )
    if "batched" in name:  # The parameters have a batch shape of their own.
        return
    for i in range(2):
        one_y = bijector.forward(x[i])
        np.testing.assert_allclose(one_y, y[i], atol=1e-12)
        np.testing.assert_allclose(
            bijector.inverse(registry.fresh(one_y)), x[i], atol=1e-10
        )
        np.testing.assert_allclose(
            registry.forward_log_det(bijector, x[i], x_ndims),
            log_det[i],
            atol=1e-12,
        )
        np.testing.assert_allclose(
            registry.inverse_log_det(bijector, one_y, y_ndims),
            -log_det[i],
            atol=1e-10,
        )


@for_every_bijector
def test_larger_event_ndims_sum_the_log_det(name):
    bijector, x, _, ndims, _ = registry.make(name)
    per_event = registry.forward_log_det(bijector, x, ndims)
    smallest = registry.forward_log_det(
        bijector, x, bijector.forward_min_event_ndims
    )
    np.testing.assert_allclose(
        tf.reduce_sum(smallest, axis=list(range(1, smallest.shape.rank))),
        per_event,
        atol=1e-12,
    )
    np.testing.assert_allclose(
        registry.forward_log_det(bijector, x, ndims + 1),
        tf.reduce_sum(per_event),
        atol=1e-12,
    )


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=[] if name in OF_EACH_KIND else [pytest.mark.slow]
        )
        for name in registry.BIJECTORS
    ],
)
def test_a_traced_unknown_batch_size_changes_no_number_and_no_event_shape(
    name,
):
    bijector, x, y, x_ndims, y_ndims = registry.make(name)
    shapes = []

    @tf.function(input_signature=[tf.TensorSpec([None, *x.shape[1:]], x.dtype)])
    def forward(x):
        y = bijector.forward(x)
        shapes.append(y.shape[1:])
        return y, bijector.forward_log_det_jacobian(x, x_ndims)

    @tf.function(input_signature=[tf.TensorSpec([None, *y.shape[1:]], y.dtype)])
    def inverse(y):
        x = bijector.inverse(y)
        shapes.append(x.shape[1:])
        return x, bijector.inverse_log_det_jacobian(y, y_ndims)

    log_det = bijector.forward_log_det_jacobian(registry.fresh(x), x_ndims)
    for actual, expected in zip(
        forward(x) + inverse(y), [y, log_det, x, -log_det]
    ):
        np.testing.assert_allclose(actual, expected, atol=1e-10)
    assert shapes == [y.shape[1:], x.shape[1:]]


@for_one_of_each_kind
def test_xla_changes_no_number(name):
    bijector, x, y, ndims, _ = registry.make(name)

    @tf.function(jit_compile=True)
    def forward(x):
        return bijector.forward(x), bijector.forward_log_det_jacobian(x, ndims)

    log_det = bijector.forward_log_det_jacobian(registry.fresh(x), ndims)
    for actual, expected in zip(forward(x), [y, log_det]):
        np.testing.assert_allclose(actual, expected, atol=1e-10)


@for_every_bijector
def test_a_copy_is_equal_and_shares_its_variables(name):
    bijector, x, y, _, _ = registry.make(name)
    copy = bijector.copy()
    assert copy is not bijector
    assert copy == bijector
    assert hash(copy) == hash(bijector)
    assert ids(copy.variables) == ids(bijector.variables)
    renamed = bijector.copy(name="renamed")
    assert renamed.name == "renamed"
    assert ids(renamed.variables) == ids(bijector.variables)
    np.testing.assert_array_equal(renamed.forward(registry.fresh(x)), y)


@for_every_bijector_with_variables
def test_two_bijectors_of_equal_configuration_never_share_a_result(name):
    one, x = registry.BIJECTORS[name](tf.float64, seed=0)
    other, _ = registry.BIJECTORS[name](tf.float64, seed=1)
    ndims = x.shape.rank - 1
    y = one.forward(x)
    other_y = other.forward(x)
    assert np.max(np.abs(y - other_y)) > 1e-3
    np.testing.assert_array_equal(other_y, other.forward(registry.fresh(x)))
    x_back = one.inverse(y)
    assert np.max(np.abs(x_back - other.inverse(y))) > 1e-3
    np.testing.assert_array_equal(
        other.forward_log_det_jacobian(x, ndims),
        other.forward_log_det_jacobian(registry.fresh(x), ndims),
    )


@for_every_bijector
def test_trainable_variables_are_all_there_each_once(name):
    bijector, _, _, _, _ = registry.make(name)
    variables = bijector.trainable_variables
    assert len(variables) == registry.NUM_VARIABLES[name]
    assert len(ids(variables)) == len(variables)
    assert all(isinstance(v, tf.Variable) for v in variables)


@for_every_bijector_with_variables
def test_every_trainable_variable_receives_a_gradient(name):
    bijector, x, _, ndims, _ = registry.make(name)
    with tf.GradientTape() as tape:
        value = registry.loss(bijector, registry.fresh(x), ndims)
    gradients = tape.gradient(value, bijector.trainable_variables)
    for variable, gradient in zip(bijector.trainable_variables, gradients):
        assert gradient is not None, variable.name
        assert np.all(np.isfinite(gradient)), variable.name
        assert np.any(gradient), variable.name


@for_one_of_each_kind
def test_gradients_agree_with_finite_differences(name):
    bijector, x = registry.BIJECTORS[name](tf.float64)
    ndims = x.shape.rank - 1
    # The input is moved along with the variables.
    variables = [tf.Variable(x), *bijector.trainable_variables]
    directions = [helpers.normal(v.shape, i) for i, v in enumerate(variables)]
    with tf.GradientTape() as tape:
        value = registry.loss(bijector, registry.fresh(variables[0]), ndims)
    slope = sum(
        tf.reduce_sum(gradient * direction)
        for gradient, direction in zip(
            tape.gradient(value, variables), directions
        )
    )
    step, values = 1e-6, []
    for move in (step, -2.0 * step):
        for variable, direction in zip(variables, directions):
            variable.assign_add(move * direction)
        values.append(
            registry.loss(bijector, registry.fresh(variables[0]), ndims)
        )
    expected = (values[0] - values[1]) / (2.0 * step)
    np.testing.assert_allclose(slope, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", registry.WITHOUT_DTYPE)
def test_a_bijector_without_a_dtype_takes_any_and_keeps_it(name):
    bijector, x, _, ndims, _ = registry.make(name, tf.float32)
    assert bijector.dtype is None
    x = tf.cast(x, tf.float64)
    assert bijector.forward(x).dtype == tf.float64
    assert bijector.forward_log_det_jacobian(x, ndims).dtype == tf.float64


@pytest.mark.parametrize(
    "name",
    [name for name in registry.BIJECTORS if name not in registry.WITHOUT_DTYPE],
)
def test_an_input_of_another_dtype_raises(name):
    bijector, x, _, ndims, _ = registry.make(name, tf.float32)
    errors = (TypeError, ValueError, tf.errors.InvalidArgumentError)
    with pytest.raises(errors, match=r"float|double"):
        bijector.forward(tf.cast(x, tf.float64))
    with pytest.raises(errors, match=r"float|double"):
        bijector.forward_log_det_jacobian(tf.cast(x, tf.float64), ndims)


@pytest.mark.parametrize(
    # A `tf.Module` does not cast its input or its variables.
    "name",
    [name for name in registry.BIJECTORS if name != "coupling_of_a_module"],
)
def test_float64_around_float32_variables_is_nearly_the_same_bijector(name):
    bijector, x, y, x_ndims, y_ndims = registry.make(name, tf.float32)
    exact = precision.astype(bijector, tf.float64)
    exact_x = tf.cast(x, tf.float64)
    exact_y = exact.forward(exact_x)
    assert exact_y.dtype == tf.float64
    np.testing.assert_allclose(exact_y, y, atol=1e-3)
    np.testing.assert_allclose(
        exact.inverse(registry.fresh(exact_y)), exact_x, atol=1e-8
    )
    np.testing.assert_allclose(
        registry.forward_log_det(exact, exact_x, x_ndims),
        registry.forward_log_det(bijector, x, x_ndims),
        atol=1e-3,
    )
    np.testing.assert_allclose(
        registry.inverse_log_det(exact, exact_y, y_ndims),
        -registry.forward_log_det(exact, exact_x, x_ndims),
        atol=1e-8,
    )


def ids(variables):
    return {id(variable) for variable in variables}
