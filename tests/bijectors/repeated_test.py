# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.Repeated`."""

import copy
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers
from tests.bijectors import loops

tfb = tfp.bijectors
tfd = tfp.distributions

K = loops.K


@pytest.mark.parametrize("make", loops.MAKERS)
def test_log_det_is_that_of_autodiff(make):
    repeated, shape = make(tf.float64, gradient="store")
    x = helpers.normal([2, *shape], 5)
    np.testing.assert_allclose(
        repeated.forward_log_det_jacobian(x, len(shape)),
        helpers.log_det_by_autodiff(repeated.forward, x),
        atol=1e-8,
    )


@pytest.mark.parametrize("make", loops.MAKERS)
def test_inverse_undoes_forward(make):
    repeated, shape = make(tf.float64)
    x = helpers.normal([2, *shape], 5)
    y = tf.identity(repeated.forward(x))
    np.testing.assert_allclose(repeated.inverse(y), x, atol=1e-10)


@pytest.mark.parametrize(
    "gradient, batch",
    [
        pytest.param("store", [2, 3], marks=pytest.mark.slow),
        pytest.param("recompute", [2, 3], marks=pytest.mark.slow),
        ("invert", []),
        pytest.param("invert", [5], marks=pytest.mark.slow),
        ("invert", [2, 3]),
    ],
)
def test_any_batch_shape_static_or_not(gradient, batch):
    repeated, shape = loops.images(tf.float64, gradient=gradient)
    x = helpers.normal([*batch, *shape], 5)
    spec = tf.TensorSpec([None] * len(batch) + shape, x.dtype)

    def value_and_gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = repeated.forward(x)
            log_det = repeated.forward_log_det_jacobian(x, 3)
            loss = tf.reduce_sum(y**2) + tf.reduce_sum(log_det)
        return log_det, tape.gradient(loss, x)

    eager = value_and_gradient(x)
    assert eager[0].shape == batch
    traced = tf.function(value_and_gradient, input_signature=[spec])(x)
    for a, b in zip(eager, traced):
        np.testing.assert_allclose(a, b, atol=1e-10)


def test_the_graph_does_not_grow_with_the_number_of_steps():
    sizes = []
    for num_steps in (2, 20):
        parameters = {"log_scale": tf.Variable(tf.zeros([num_steps, 3]))}
        repeated = tfg.Repeated(
            lambda p: tfb.Scale(log_scale=p["log_scale"]),
            parameters,
            event_ndims=1,
        )
        x = tf.zeros([2, 3])
        sizes.append(helpers.count_ops(repeated.forward, x, op_type="Exp"))
    assert sizes[0] == sizes[1] > 0


def test_eager_calls_trace_once():
    traces = []

    def step_fn(p):
        traces.append(1)
        return tfb.Shift(p)

    repeated = tfg.Repeated(step_fn, tf.Variable(tf.zeros([50, 3])))
    repeated.forward(tf.zeros([2, 3]))
    count = len(traces)
    repeated.forward(tf.ones([2, 3]))
    assert len(traces) == count < 10


def test_steps_share_the_variables():
    repeated, shape = loops.vectors(tf.float64)
    x = helpers.normal([3, *shape], 5)
    before = repeated.step(1).forward(x)
    shift = repeated.parameters["parameters"]["shift"]
    shift.assign_add(tf.ones([K, 4], x.dtype))
    after = repeated.step(1).forward(tf.identity(x))
    assert np.max(np.abs(before - after)) > 0.1
    h = x
    for k in range(repeated.num_steps):
        h = repeated.step(k).forward(tf.identity(h))
    np.testing.assert_allclose(h, repeated.forward(x), atol=1e-12)


# Few steps are run as they are, and many are traced.
@pytest.mark.parametrize("num_steps", [1, 7, 8])
def test_initialize_sets_every_step_from_its_own_input(num_steps):
    def step_fn(p):
        return tfb.Chain(
            [
                tfb.Scale(log_scale=p["log_scale"]),
                tfb.Shift(p["shift"]),
                tfb.Softplus(),
            ]
        )

    def initialize_fn(p, x, k):
        mean, variance = tf.nn.moments(tf.nn.softplus(x), axes=[0])
        scale = tf.cast(k + 1, x.dtype)
        return {
            "shift": -mean,
            "log_scale": tf.math.log(scale) - tf.math.log(variance) / 2,
        }

    parameters = {
        name: tf.Variable(helpers.normal([num_steps, 3]))
        for name in ("shift", "log_scale")
    }
    repeated = tfg.Repeated(
        step_fn, parameters, initialize_fn=initialize_fn, event_ndims=1
    )
    h = helpers.normal([200, 3], 2)
    repeated.initialize(h)
    for k in range(num_steps):
        h = repeated.step(k).forward(tf.identity(h))
        np.testing.assert_allclose(np.mean(h, 0), 0.0, atol=1e-10)
        np.testing.assert_allclose(np.std(h, 0), k + 1, atol=1e-10)


def test_prepare_fn_is_run_once_for_all_steps():
    parameters = {"log_scale": tf.Variable(helpers.normal([K, 3]))}
    seen, directions = [], []

    def prepare_fn(p, inverse):
        seen.append(p["log_scale"].shape)
        directions.append(inverse)
        return {"scale": tf.exp(p["log_scale"])}

    repeated = tfg.Repeated(
        lambda p: tfb.Scale(p["scale"]),
        parameters,
        gradient="store",
        prepare_fn=prepare_fn,
        event_ndims=1,
    )
    x = helpers.normal([2, 3], 5)
    expected = x * np.exp(np.sum(parameters["log_scale"], axis=0))
    np.testing.assert_allclose(repeated.forward(x), expected, atol=1e-12)
    repeated.inverse(x)
    repeated.step(0)
    assert set(map(tuple, seen)) == {(K, 3), (1, 3)}
    assert set(directions) == {False, True, None}


def test_keras_fits_it():
    repeated, shape = loops.affine_of_tfp(tf.float32)
    normal = tfd.Sample(tfd.Normal(0.0, 1.0), sample_shape=shape)
    model = tfg.FlowModel(
        tfd.TransformedDistribution(normal, tfb.Invert(repeated))
    )
    model.compile(keras.optimizers.Adam(1e-2))
    x = 3.0 + 2.0 * np.float32(helpers.normal([256, 3], 1))
    history = model.fit(x, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_initialize_uses_prepare_fn_and_the_conditioning():
    parameters = loops.variables({"shift": [3], "log_scale": [3]}, tf.float64)

    def step_fn(p, offset):
        return tfb.Chain(
            [tfb.Scale(p["scale"]), tfb.Shift(p["shift"] + offset)]
        )

    repeated = tfg.Repeated(
        step_fn,
        parameters,
        prepare_fn=lambda p, inverse: {
            **p,
            "scale": tf.exp(p["log_scale"]),
        },
        initialize_fn=lambda p, x, k: {
            "shift": -tf.reduce_mean(x, axis=0),
            "log_scale": -tf.math.log(tf.math.reduce_std(x, axis=0)),
        },
        event_ndims=1,
    )
    x, offset = 5.0 + 3.0 * helpers.normal([200, 3], 2), tf.ones([200, 3])
    offset = tf.cast(offset, tf.float64)
    y = repeated.initialize(x, offset=offset)
    np.testing.assert_allclose(np.std(y, 0), 1.0, atol=1e-10)
    np.testing.assert_allclose(np.mean(y, 0), 1.0, atol=1e-10)
    np.testing.assert_allclose(
        repeated.forward(x, offset=offset), y, atol=1e-12
    )
    np.testing.assert_allclose(
        parameters["shift"][0], -np.mean(x, axis=0), atol=1e-12
    )
    # The first step outputs a mean of 1 / std, and the later ones a mean of 1.
    np.testing.assert_allclose(parameters["shift"][2:], -1.0, atol=1e-10)


def test_validate_args_names_the_step():
    parameters = tf.Variable(np.float64([[0.0], [0.0], [np.nan], [0.0]]))
    repeated = tfg.Repeated(
        tfb.Shift, parameters, validate_args=True, event_ndims=1, name="here"
    )
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=r"here: not finite after step\] \[2\]",
    ):
        repeated.forward(tf.zeros([2, 1], tf.float64))


def test_bad_arguments_raise():
    ones = tf.ones([3, 2])
    with pytest.raises(ValueError, match="Did you mean 'invert'"):
        tfg.Repeated(tfb.Shift, ones, gradient="inverse")
    with pytest.raises(ValueError, match=r"leading dimensions.*\(4, 2\)"):
        tfg.Repeated(lambda p: tfb.Shift(p[0]), [ones, tf.ones([4, 2])])
    with pytest.raises(ValueError, match="leading dimensions"):
        tfg.Repeated(tfb.Shift, tf.ones([]))
    with pytest.raises(ValueError, match="leading dimensions"):
        tfg.Repeated(tfb.Shift, {})
    with pytest.raises(TypeError, match=r"`tfb.Bijector`. Received: int"):
        tfg.Repeated(lambda p: 3, ones)
    with pytest.raises(ValueError, match="keeps the rank"):
        tfg.Repeated(lambda p: tfb.Reshape([2, 1], [2]), ones)


def test_a_deep_copy_after_a_call_has_variables_of_its_own():
    flow = tfg.Glow([4, 4, 1], num_levels=1, num_steps=2, num_filters=2)
    coupling = tfg.AffineCoupling.trainable([4], num_filters=2)
    for bijector, size in ((flow, 16), (coupling, 4)):
        helpers.perturb(bijector)
        x = tf.ones([1, size])
        y = bijector.forward(x)
        twin = copy.deepcopy(bijector)
        np.testing.assert_array_equal(twin.forward(tf.identity(x)), y)
        helpers.perturb(twin)
        assert np.any(twin.forward(tf.identity(x)) != y)
        np.testing.assert_array_equal(bijector.forward(tf.identity(x)), y)


def test_a_pickle_is_refused_in_words():
    repeated, _ = loops.images(tf.float32)
    with pytest.raises(TypeError, match=r"Save its variables with `tf.train"):
        pickle.dumps(repeated)
    x = tf.ones([2, 3])
    repeated = tfg.Repeated(tfb.Shift, tf.ones([3, 3]))
    np.testing.assert_array_equal(copy.copy(repeated).forward(x), x + 3.0)


def test_a_step_that_changes_the_shape_raises():
    repeated = tfg.Repeated(lambda p: tfg.Squeeze(), tf.ones([3]))
    with pytest.raises(
        ValueError, match=r"keep the shape.*\(2, 4, 1\). Received: \(1, 2, 4\)"
    ):
        repeated.forward(tf.ones([2, 4, 1]))


def test_a_variable_that_is_not_a_parameter_raises():
    hidden = tf.Variable(tf.ones([2]), name="hidden")
    repeated = tfg.Repeated(lambda p: tfb.Shift(p + hidden), tf.ones([3, 2]))
    with pytest.raises(ValueError, match="variables hidden"):
        repeated.forward(tf.ones([1, 2]))
