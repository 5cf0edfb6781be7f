# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Properties of every bijector: every test runs through one registry.

An entry of `BIJECTORS` takes a dtype and returns a bijector with an example
input of shape `[2, *event_shape]`. Its trainable variables are moved away from
their initial values.
"""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers
from tfp_glow.bijectors import precision

tfb = tfp.bijectors

BIJECTORS = {}
NUM_VARIABLES = {}

# These bijectors take inputs of any dtype. A Keras layer casts its input.
WITHOUT_DTYPE = (
    "coupling_of_a_function",
    "coupling_of_keras_layers",
    "squeeze",
    "squeeze_by_3",
)

# Variables of a coupling's network: kernel, shift and scale of three layers.
# With padded edges two layers have one more kernel.
PADDED, UNPADDED = 11, 9


def register(name, event_shape, num_variables):
    """Returns a decorator that adds a function of a dtype to the registry."""

    def add(make):
        def entry(dtype, seed=0):
            bijector = helpers.perturb(make(dtype), stddev=0.1, seed=seed)
            return bijector, helpers.normal([2, *event_shape], 1, dtype)

        BIJECTORS[name] = entry
        NUM_VARIABLES[name] = num_variables
        return make

    return add


def register_coupling(
    name, event_shape, num_variables, coupling=tfg.AffineCoupling, **kwargs
):
    @register(f"coupling_{name}", event_shape, num_variables)
    def _(dtype):
        return coupling.trainable(
            event_shape, num_filters=5, seed=0, dtype=dtype, **kwargs
        )


@register("act_norm", [4, 4, 3], 2)
def _(dtype):
    return tfg.ActNorm.trainable(3, dtype=dtype)


@register("act_norm_of_vectors", [5], 2)
def _(dtype):
    return tfg.ActNorm.trainable(5, dtype=dtype)


@register("act_norm_batched", [3], 2)
def _(dtype):
    zeros = tf.zeros([2, 3], dtype)
    return tfg.ActNorm(tf.Variable(zeros), tf.Variable(zeros))


@register("act_norm_batched_of_images", [4, 2, 3], 2)
def _(dtype):
    zeros = tf.zeros([2, 1, 1, 3], dtype)
    return tfg.ActNorm(tf.Variable(zeros), tf.Variable(zeros))


@register("conv_learned", [3, 2, 4], 3)
def _(dtype):
    return tfg.Invertible1x1Conv.trainable(4, seed=0, dtype=dtype)


@register("conv_batched", [4], 3)
def _(dtype):
    one = tfg.Invertible1x1Conv.trainable(4, seed=0, dtype=dtype)
    other = tfg.Invertible1x1Conv.trainable(4, seed=1, dtype=dtype)
    return tfg.Invertible1x1Conv(
        one.permutation,
        lower=tf.Variable(tf.stack([one.lower, other.lower])),
        upper=tf.Variable(tf.stack([one.upper, other.upper])),
        sign=tf.stack([one.sign, other.sign]),
        log_diagonal=tf.Variable(
            tf.stack([one.log_diagonal, other.log_diagonal])
        ),
    )


@register("conv_reverse", [3, 2, 4], 0)
def _(dtype):
    return tfg.Invertible1x1Conv.trainable(
        4, dtype=dtype, permutation="reverse"
    )


@register("conv_shuffle", [5], 0)
def _(dtype):
    return tfg.Invertible1x1Conv.trainable(
        5, seed=3, dtype=dtype, permutation="shuffle"
    )


@register("conv_full", [3, 2, 4], 1)
def _(dtype):
    return tfg.FullInvertible1x1Conv.trainable(4, seed=0, dtype=dtype)


@register("conv_full_batched", [4], 1)
def _(dtype):
    return tfg.FullInvertible1x1Conv.trainable(
        4, seed=0, dtype=dtype, batch_shape=[2]
    )


# `transformers_test` tests all transformers. Here each kind of event, half and
# mask occurs with some of them.
register_coupling("sigmoid_of_vectors", [4], UNPADDED)
register_coupling("bounded_exp_of_vectors", [4], UNPADDED, scale="bounded_exp")
register_coupling("additive_of_vectors", [4], UNPADDED, additive=True)
register_coupling("first_of_odd_vectors", [5], UNPADDED, change="first")
register_coupling("of_images", [4, 4, 4], PADDED)
register_coupling(
    "first", [4, 4, 4], PADDED, change="first", scale="half_sigmoid"
)
register_coupling("of_odd_channels", [4, 4, 3], PADDED, scale="bounded_exp")
register_coupling("of_odd_sizes", [3, 5, 2], PADDED)
register_coupling(
    "checkerboard", [4, 4, 2], PADDED, mask="checkerboard", scale="exp"
)
register_coupling(
    "checkerboard_first",
    [3, 5, 1],
    PADDED,
    mask="checkerboard",
    change="first",
)
register_coupling("spline_of_vectors", [3], UNPADDED, tfg.SplineCoupling)
register_coupling(
    "spline_checkerboard",
    [3, 2, 1],
    PADDED,
    tfg.SplineCoupling,
    mask="checkerboard",
)
register_coupling(
    "mixture_first_of_images",
    [2, 3, 3],
    PADDED,
    tfg.MixtureCoupling,
    change="first",
)


@register("coupling_unpadded", [4, 4, 2], UNPADDED)
def _(dtype):
    network = tfg.networks.CouplingNetwork(edge_padding=False, dtype=dtype.name)
    return tfg.AffineCoupling.trainable(
        [4, 4, 2], num_filters=5, seed=0, dtype=dtype, network=network
    )


@register("coupling_of_any_bijector", [4], UNPADDED)
def _(dtype):
    def make_bijector(outputs):
        scale = tf.range(2, 2 + outputs.shape[-1], dtype=outputs.dtype)
        return tfb.Chain([tfb.Shift(outputs), tfb.Scale(scale)])

    return tfg.Coupling.trainable(
        [4],
        transformer=tfg.Elementwise(1, make_bijector),
        num_filters=5,
        seed=0,
        dtype=dtype,
    )


@register("coupling_of_keras_layers", [4], 4)
def _(dtype):
    name = dtype.name
    network = keras.Sequential(
        [
            keras.layers.Dense(6, activation="tanh", dtype=name),
            keras.layers.Dense(4, dtype=name),
        ]
    )
    network.build((None, 2))
    return tfg.AffineCoupling(network, event_ndims=1)


@register("coupling_of_a_function", [4, 2, 2], 0)
def _(dtype):
    def network(x):
        return tf.concat([tf.sin(x), tf.cos(2.0 * x)], axis=-1)

    return tfg.AffineCoupling(network)


@register("coupling_of_a_module", [3], 1)
def _(dtype):
    class Linear(tf.Module):
        def __init__(self):
            super().__init__()
            self.kernel = tf.Variable(tf.ones([1, 4], dtype))

        def __call__(self, x):
            return tf.tanh(x @ self.kernel)

    return tfg.AffineCoupling(Linear(), event_ndims=1)


@register("squeeze", [4, 4, 3], 0)
def _(dtype):
    return tfg.Squeeze()


@register("squeeze_by_3", [3, 6, 2], 0)
def _(dtype):
    return tfg.Squeeze(factor=3)


def make_glow(dtype, image_shape, **kwargs):
    return tfg.Glow(image_shape, num_filters=4, seed=0, dtype=dtype, **kwargs)


# The event shapes are those of the latent vectors.
@register("glow_of_2_levels", [4 * 4 * 3], 2 * (PADDED + 3 + 2) + 4 + 2)
def _(dtype):
    return make_glow(dtype, [4, 4, 3], num_levels=2, num_steps=2)


# This one has one level and one channel, and its images are not square.
@register("glow_additive_with_reversals", [4 * 2], PADDED + 2 + 2)
def _(dtype):
    return make_glow(
        dtype,
        [2, 4, 1],
        num_levels=1,
        num_steps=1,
        permutation="reverse",
        coupling="additive",
    )


@register("repeated", [4], 3)
def _(dtype):
    def step_fn(p):
        def network(x):
            return tf.tanh(tf.linalg.matmul(x, p["kernel"]))

        return tfb.Chain(
            [
                tfg.AffineCoupling(network, event_ndims=1),
                tfb.Permute([2, 0, 3, 1]),
                tfg.ActNorm(p["shift"], p["log_scale"]),
            ]
        )

    shapes = {"kernel": [3, 2, 4], "shift": [3, 4], "log_scale": [3, 4]}
    return tfg.Repeated(
        step_fn,
        {name: tf.Variable(tf.zeros(s, dtype)) for name, s in shapes.items()},
        dtype=dtype,
    )


def make_step(dtype):
    return tfb.Chain(
        [
            tfg.AffineCoupling.trainable(
                [2, 2, 8], num_filters=4, seed=0, dtype=dtype
            ),
            tfg.Invertible1x1Conv.trainable(8, seed=0, dtype=dtype),
            tfg.ActNorm.trainable(8, dtype=dtype),
            tfg.Squeeze(),
        ]
    )


@register("chain", [4, 4, 2], PADDED + 3 + 2)
def _(dtype):
    return make_step(dtype)


@register("inverted_chain", [2, 2, 8], PADDED + 3 + 2)
def _(dtype):
    return tfb.Invert(make_step(dtype))


@register("inverted_coupling", [4], UNPADDED)
def _(dtype):
    return tfb.Invert(
        tfg.AffineCoupling.trainable([4], num_filters=5, seed=0, dtype=dtype)
    )


@functools.cache
def make(name, dtype=tf.float64):
    """Returns a bijector, an input, its output, and the event ranks of the two.

    The tests share them, so they must not change the variables.
    """
    bijector, x = BIJECTORS[name](dtype)
    y = bijector.forward(x)
    return bijector, x, y, x.shape.rank - 1, y.shape.rank - 1


def fresh(x):
    """Returns a copy, which TFP's cache does not know."""
    return tf.identity(x)


def forward_log_det(bijector, x, event_ndims):
    """Returns one log-det for every event, even where it is constant."""
    log_det = bijector.forward_log_det_jacobian(fresh(x), event_ndims)
    return tf.broadcast_to(log_det, x.shape[: x.shape.rank - event_ndims])


def inverse_log_det(bijector, y, event_ndims):
    return forward_log_det(tfb.Invert(bijector), y, event_ndims)


def loss(bijector, x, event_ndims):
    """Returns a number that depends on every output and on the log-det."""
    y = bijector.forward(x)
    return tf.reduce_sum(
        helpers.normal(y.shape, 5, y.dtype) * y
    ) + tf.reduce_sum(forward_log_det(bijector, x, event_ndims))


for_every_bijector = pytest.mark.parametrize("name", BIJECTORS)
for_every_bijector_with_variables = pytest.mark.parametrize(
    "name", [name for name, number in NUM_VARIABLES.items() if number]
)
# For slow tests, such as those that compile.
for_one_of_each_kind = pytest.mark.parametrize(
    "name",
    [
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
    ],
)


@for_every_bijector
@pytest.mark.parametrize(
    "dtype, tolerance",
    [(tf.float64, 1e-10), (tf.float32, 1e-4)],
    ids=["float64", "float32"],
)
def test_forward_and_inverse_undo_each_other(name, dtype, tolerance):
    bijector, x, y, _, _ = make(name, dtype)
    x_back = bijector.inverse(fresh(y))
    np.testing.assert_allclose(x_back, x, atol=tolerance)
    other_y = helpers.normal(y.shape, 2, dtype)
    y_back = bijector.forward(fresh(bijector.inverse(other_y)))
    np.testing.assert_allclose(y_back, other_y, atol=tolerance)


@for_every_bijector
def test_forward_changes_its_input(name):
    _, x, y, _, _ = make(name)
    assert x.shape != y.shape or np.max(np.abs(x - y)) > 1e-2


@for_every_bijector
def test_log_dets_are_those_of_the_jacobian(name):
    bijector, x, y, x_ndims, y_ndims = make(name)
    np.testing.assert_allclose(
        forward_log_det(bijector, x, x_ndims),
        helpers.log_det_by_autodiff(bijector.forward, x),
        atol=1e-8,
    )
    other_y = helpers.normal(y.shape, 2)
    np.testing.assert_allclose(
        inverse_log_det(bijector, other_y, y_ndims),
        helpers.log_det_by_autodiff(bijector.inverse, other_y),
        atol=1e-8,
    )


@for_every_bijector
def test_log_det_of_the_inverse_is_minus_that_of_the_forward(name):
    bijector, x, y, x_ndims, y_ndims = make(name)
    np.testing.assert_allclose(
        inverse_log_det(bijector, y, y_ndims),
        -forward_log_det(bijector, x, x_ndims),
        atol=1e-10,
    )


@for_every_bijector
def test_float32_is_kept(name):
    bijector, x, y, x_ndims, y_ndims = make(name, tf.float32)
    assert y.dtype == tf.float32
    assert bijector.inverse(fresh(y)).dtype == tf.float32
    assert forward_log_det(bijector, x, x_ndims).dtype == tf.float32
    assert inverse_log_det(bijector, y, y_ndims).dtype == tf.float32


@for_every_bijector
def test_declared_event_shapes_are_those_of_the_results(name):
    bijector, x, y, _, _ = make(name)
    x_shape, y_shape = x.shape[1:], y.shape[1:]
    assert bijector.forward_event_shape(x_shape) == y_shape
    assert bijector.inverse_event_shape(y_shape) == x_shape
    assert bijector.inverse(fresh(y)).shape == x.shape
    np.testing.assert_array_equal(
        bijector.forward_event_shape_tensor(x_shape), y_shape
    )
    np.testing.assert_array_equal(
        bijector.inverse_event_shape_tensor(y_shape), x_shape
    )


@for_every_bijector
def test_any_batch_shape_gives_the_numbers_of_one_event_at_a_time(name):
    bijector, x, y, x_ndims, y_ndims = make(name)
    log_det = forward_log_det(bijector, x, x_ndims)
    many = tf.stack([x, 2.0 * x, -x])
    many_y = bijector.forward(many)
    many_log_det = forward_log_det(bijector, many, x_ndims)
    assert many_log_det.shape == [3, 2]
    np.testing.assert_allclose(many_y[0], y, atol=1e-12)
    np.testing.assert_allclose(many_log_det[0], log_det, atol=1e-12)
    np.testing.assert_allclose(bijector.inverse(many_y), many, atol=1e-10)
    np.testing.assert_allclose(
        inverse_log_det(bijector, many_y, y_ndims), -many_log_det, atol=1e-10
    )
    if "batched" in name:  # The parameters themselves have a batch shape.
        return
    for i in range(2):
        one_y = bijector.forward(x[i])
        np.testing.assert_allclose(one_y, y[i], atol=1e-12)
        np.testing.assert_allclose(
            bijector.inverse(fresh(one_y)), x[i], atol=1e-10
        )
        np.testing.assert_allclose(
            forward_log_det(bijector, x[i], x_ndims), log_det[i], atol=1e-12
        )
        np.testing.assert_allclose(
            inverse_log_det(bijector, one_y, y_ndims), -log_det[i], atol=1e-10
        )


@for_every_bijector
def test_larger_event_ndims_sum_the_log_det(name):
    bijector, x, _, ndims, _ = make(name)
    per_event = forward_log_det(bijector, x, ndims)
    smallest = forward_log_det(bijector, x, bijector.forward_min_event_ndims)
    np.testing.assert_allclose(
        tf.reduce_sum(smallest, axis=list(range(1, smallest.shape.rank))),
        per_event,
        atol=1e-12,
    )
    np.testing.assert_allclose(
        forward_log_det(bijector, x, ndims + 1),
        tf.reduce_sum(per_event),
        atol=1e-12,
    )


@for_every_bijector
def test_a_traced_unknown_batch_size_changes_no_number_and_no_event_shape(
    name,
):
    bijector, x, y, x_ndims, y_ndims = make(name)
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

    log_det = bijector.forward_log_det_jacobian(fresh(x), x_ndims)
    for actual, expected in zip(
        forward(x) + inverse(y), [y, log_det, x, -log_det]
    ):
        np.testing.assert_allclose(actual, expected, atol=1e-10)
    assert shapes == [y.shape[1:], x.shape[1:]]


@for_one_of_each_kind
def test_xla_changes_no_number(name):
    bijector, x, y, ndims, _ = make(name)

    @tf.function(jit_compile=True)
    def forward(x):
        return bijector.forward(x), bijector.forward_log_det_jacobian(x, ndims)

    actual_y, actual_log_det = forward(x)
    np.testing.assert_allclose(actual_y, y, atol=1e-10)
    np.testing.assert_allclose(
        actual_log_det,
        bijector.forward_log_det_jacobian(fresh(x), ndims),
        atol=1e-10,
    )


@for_every_bijector
def test_invert_swaps_the_directions(name):
    bijector, x, y, _, y_ndims = make(name)
    inverted = tfb.Invert(bijector)
    np.testing.assert_array_equal(
        inverted.forward(fresh(y)), bijector.inverse(fresh(y))
    )
    np.testing.assert_array_equal(inverted.inverse(fresh(x)), y)
    np.testing.assert_array_equal(
        inverted.forward_log_det_jacobian(fresh(y), y_ndims),
        bijector.inverse_log_det_jacobian(fresh(y), y_ndims),
    )
    assert inverted.forward_min_event_ndims == bijector.inverse_min_event_ndims
    assert inverted.forward_event_shape(y.shape[1:]) == x.shape[1:]


@for_every_bijector
def test_a_copy_is_equal_and_shares_its_variables(name):
    bijector, x, y, _, _ = make(name)
    copy = bijector.copy()
    assert copy is not bijector
    assert copy == bijector
    assert hash(copy) == hash(bijector)
    assert ids(copy.variables) == ids(bijector.variables)
    renamed = bijector.copy(name="renamed")
    assert renamed.name == "renamed"
    assert ids(renamed.variables) == ids(bijector.variables)
    np.testing.assert_array_equal(renamed.forward(fresh(x)), y)


@for_every_bijector
def test_parameters_are_arguments_that_make_the_bijector_again(name):
    bijector, x, y, _, _ = make(name)
    again = type(bijector)(**bijector.parameters)
    assert again == bijector
    assert ids(again.variables) == ids(bijector.variables)
    np.testing.assert_array_equal(again.forward(fresh(x)), y)


@for_every_bijector_with_variables
def test_two_bijectors_of_equal_configuration_never_share_a_result(name):
    one, x = BIJECTORS[name](tf.float64, seed=0)
    other, _ = BIJECTORS[name](tf.float64, seed=1)
    ndims = x.shape.rank - 1
    y = one.forward(x)
    other_y = other.forward(x)
    assert np.max(np.abs(y - other_y)) > 1e-3
    np.testing.assert_array_equal(other_y, other.forward(fresh(x)))
    x_back = one.inverse(y)
    assert np.max(np.abs(x_back - other.inverse(y))) > 1e-3
    np.testing.assert_array_equal(
        other.forward_log_det_jacobian(x, ndims),
        other.forward_log_det_jacobian(fresh(x), ndims),
    )


@for_every_bijector
def test_trainable_variables_are_all_there_each_once(name):
    bijector, _, _, _, _ = make(name)
    variables = bijector.trainable_variables
    assert len(variables) == NUM_VARIABLES[name]
    assert len(ids(variables)) == len(variables)
    assert all(isinstance(v, tf.Variable) for v in variables)


@for_every_bijector_with_variables
def test_every_trainable_variable_receives_a_gradient(name):
    bijector, x, _, ndims, _ = make(name)
    with tf.GradientTape() as tape:
        value = loss(bijector, fresh(x), ndims)
    gradients = tape.gradient(value, bijector.trainable_variables)
    for variable, gradient in zip(bijector.trainable_variables, gradients):
        assert gradient is not None, variable.name
        assert np.all(np.isfinite(gradient)), variable.name
        assert np.any(gradient), variable.name


@for_one_of_each_kind
def test_gradients_agree_with_finite_differences(name):
    bijector, x = BIJECTORS[name](tf.float64)
    ndims = x.shape.rank - 1
    # The input is moved along with the variables.
    variables = [tf.Variable(x), *bijector.trainable_variables]
    directions = [helpers.normal(v.shape, i) for i, v in enumerate(variables)]
    with tf.GradientTape() as tape:
        value = loss(bijector, fresh(variables[0]), ndims)
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
        values.append(loss(bijector, fresh(variables[0]), ndims))
    expected = (values[0] - values[1]) / (2.0 * step)
    np.testing.assert_allclose(slope, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    # `tfb.Invert` has no scope of its own.
    "name",
    [name for name in BIJECTORS if not name.startswith("inverted")],
)
def test_graph_operations_carry_the_name_of_the_bijector(name):
    bijector, x, _, _, _ = make(name)
    bijector = bijector.copy(name="with_this_name")
    graph = tf.function(bijector.forward).get_concrete_function(fresh(x)).graph
    names = [op.name for op in graph.get_operations()]
    assert any(name.startswith("with_this_name/forward/") for name in names)


@pytest.mark.parametrize("name", WITHOUT_DTYPE)
def test_a_bijector_without_a_dtype_takes_any_and_keeps_it(name):
    bijector, x, _, ndims, _ = make(name, tf.float32)
    assert bijector.dtype is None
    x = tf.cast(x, tf.float64)
    assert bijector.forward(x).dtype == tf.float64
    assert bijector.forward_log_det_jacobian(x, ndims).dtype == tf.float64


@pytest.mark.parametrize(
    "name", [name for name in BIJECTORS if name not in WITHOUT_DTYPE]
)
def test_an_input_of_another_dtype_raises(name):
    bijector, x, _, ndims, _ = make(name, tf.float32)
    errors = (TypeError, ValueError, tf.errors.InvalidArgumentError)
    with pytest.raises(errors, match=r"float|double"):
        bijector.forward(tf.cast(x, tf.float64))
    with pytest.raises(errors, match=r"float|double"):
        bijector.forward_log_det_jacobian(tf.cast(x, tf.float64), ndims)


@pytest.mark.parametrize(
    # A `tf.Module` does not cast its input or its variables.
    "name",
    [name for name in BIJECTORS if name != "coupling_of_a_module"],
)
def test_float64_around_float32_variables_is_nearly_the_same_bijector(name):
    bijector, x, y, x_ndims, y_ndims = make(name, tf.float32)
    exact = precision.astype(bijector, tf.float64)
    exact_x = tf.cast(x, tf.float64)
    exact_y = exact.forward(exact_x)
    assert exact_y.dtype == tf.float64
    np.testing.assert_allclose(exact_y, y, atol=1e-3)
    np.testing.assert_allclose(
        exact.inverse(fresh(exact_y)), exact_x, atol=1e-8
    )
    np.testing.assert_allclose(
        forward_log_det(exact, exact_x, x_ndims),
        forward_log_det(bijector, x, x_ndims),
        atol=1e-3,
    )
    np.testing.assert_allclose(
        inverse_log_det(exact, exact_y, y_ndims),
        -forward_log_det(exact, exact_x, x_ndims),
        atol=1e-8,
    )


def ids(variables):
    return {id(variable) for variable in variables}
