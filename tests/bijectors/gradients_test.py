# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.bijectors.gradients`, through `tfp_glow.Repeated`."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers
from tests import processes
from tests.bijectors import loops
from tfp_glow.bijectors import gradients as gradients_lib

tfb = tfp.bijectors

K = loops.K
GRADIENTS = gradients_lib.GRADIENTS


def gradients(evaluate, x, sources):
    """Returns the gradients of a loss that depends on every element."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y, log_det = evaluate(x)
        log_det = tf.broadcast_to(log_det, x.shape[:1])
        loss = tf.reduce_sum(tf.sin(y)) + tf.reduce_sum(tf.cos(log_det))
    return tape.gradient(loss, [x, *sources])


def evaluation(bijector, direction, event_ndims):
    """Returns a function of `x` that gives the value and the log-det."""

    def evaluate(x):
        # A chain of steps must be made inside the tape.
        made = bijector()
        y = getattr(made, direction)(x)
        log_det = getattr(made, f"{direction}_log_det_jacobian")
        return y, log_det(x, event_ndims)

    return evaluate


@pytest.mark.parametrize(
    ("make", "dtype", "tolerance"),
    [
        (loops.images, tf.float64, 1e-10),
        (loops.real_nvp_of_tfp, tf.float64, 1e-10),
        pytest.param(loops.images, tf.float32, 1e-4, marks=pytest.mark.slow),
    ]
    + [
        pytest.param(make, tf.float64, 1e-10, marks=pytest.mark.slow)
        for make in loops.MAKERS
        if make not in (loops.images, loops.real_nvp_of_tfp)
    ],
)
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_values_and_gradients_are_those_of_the_unrolled_chain(
    make, dtype, tolerance, direction
):
    repeated, shape = make(dtype)
    x = helpers.normal([3, *shape], 9, dtype)
    sources = list(repeated.trainable_variables)
    chain = evaluation(lambda: loops.unrolled(repeated), direction, len(shape))
    values = chain(tf.identity(x))
    expected = gradients(chain, tf.identity(x), sources)
    for gradient in GRADIENTS:
        copy = repeated.copy(gradient=gradient)
        loop = evaluation(lambda copy=copy: copy, direction, len(shape))
        for a, b in zip(loop(tf.identity(x)), values):
            np.testing.assert_allclose(
                a, np.broadcast_to(b, a.shape), tolerance, tolerance
            )
        # Eager calls trace a function of their own.
        for run in [tf.function(loop)] + [loop] * (make is loops.images):
            received = gradients(run, tf.identity(x), sources)
            for a, b in zip(received, expected):
                scale = np.max(np.abs(b))
                np.testing.assert_allclose(a, b, atol=tolerance * scale)


@pytest.mark.parametrize(
    "transformer, inverse",
    [
        (tfg.Spline(), False),
        (tfg.Mixture(), False),
        (tfg.Mixture(), True),
        (tfg.Elementwise(1, tfb.Shift), False),
    ],
)
def test_gradients_by_inversion_are_those_of_a_loop_that_stores(
    transformer, inverse
):
    kernels = helpers.normal([3, 1, transformer.outputs_per_channel], 3)

    def step_fn(kernel):
        step = tfg.Coupling(
            lambda x: tf.tanh(x @ kernel), transformer, event_ndims=1
        )
        step = tfb.Chain([step, tfb.Permute([1, 0])])
        return tfb.Invert(step) if inverse else step

    def pull_back(gradient):
        flow = tfg.Repeated(step_fn, kernels, gradient=gradient, event_ndims=1)
        x = helpers.normal([4, 2], 1)
        with tf.GradientTape() as tape:
            tape.watch([x, kernels])
            y = flow.forward(x)
            log_det = flow.forward_log_det_jacobian(x, 1)
            loss = tf.reduce_sum(y**2) + tf.reduce_sum(log_det**2)
        return tape.gradient(loss, [x, kernels])

    for by_store, by_inversion in zip(pull_back("store"), pull_back("invert")):
        assert np.all(np.any(by_store, axis=-1))
        np.testing.assert_allclose(by_inversion, by_store, atol=1e-8)


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_xla_computes_the_same(gradient):
    repeated, shape = loops.vectors(tf.float64, gradient=gradient)
    x = helpers.normal([3, *shape], 5)

    def value_and_gradient(x):
        with tf.GradientTape() as tape:
            log_det = repeated.forward_log_det_jacobian(x, 1)
            loss = tf.reduce_sum(log_det**2)
        return loss, *tape.gradient(loss, repeated.trainable_variables)

    compiled = tf.function(value_and_gradient, jit_compile=True)
    for a, b in zip(compiled(x), value_and_gradient(tf.identity(x))):
        np.testing.assert_allclose(a, b, atol=1e-10)


def conditioned(gradient):
    parameters = loops.variables({"kernel": [2, 4], "more": [3, 4]}, tf.float64)

    def step_fn(p, condition):
        def network(x):
            more = tf.linalg.matmul(condition, p["more"])
            return tf.tanh(tf.linalg.matmul(x, p["kernel"]) + more)

        return tfb.Chain(
            [
                tfg.AffineCoupling(network, event_ndims=1),
                tfb.Permute([2, 0, 3, 1]),
            ]
        )

    return tfg.Repeated(step_fn, parameters, gradient=gradient, event_ndims=1)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_conditioning_receives_equal_gradients_in_all_modes(direction):
    results = []
    for gradient in GRADIENTS:
        repeated = conditioned(gradient)
        x = helpers.normal([5, 4], 3)
        condition = helpers.normal([5, 3], 4)
        with tf.GradientTape() as tape:
            tape.watch([x, condition])
            y = getattr(repeated, direction)(x, condition=condition)
            log_det = getattr(repeated, f"{direction}_log_det_jacobian")(
                x, event_ndims=1, condition=condition
            )
            loss = tf.reduce_sum(y**2) + tf.reduce_sum(log_det**2)
        sources = [x, condition, *repeated.trainable_variables]
        results.append(tape.gradient(loss, sources))
    assert np.max(np.abs(results[0][1])) > 1e-3
    for a, b in itertools.product(results[1:], results[:1]):
        for one, other in zip(a, b):
            np.testing.assert_allclose(one, other, atol=1e-10)


@pytest.mark.parametrize(
    "gradient, networks", [("store", 1), ("recompute", 2), ("invert", 2)]
)
def test_how_often_a_training_step_evaluates_each_network(gradient, networks):
    repeated, shape = loops.images(tf.float32, gradient=gradient)

    def step(x):
        with tf.GradientTape() as tape:
            y = repeated.forward(x)
            log_det = repeated.forward_log_det_jacobian(x, 3)
            loss = tf.reduce_sum(y**2) - tf.reduce_sum(log_det)
        return tape.gradient(loss, repeated.trainable_variables)

    assert helpers.count_ops(step, tf.zeros([2, *shape])) == networks


def test_a_second_order_gradient_works_or_is_refused():
    x = helpers.normal([2, 4], 3)

    def second_order(gradient):
        repeated, _ = loops.vectors(tf.float64, gradient=gradient)

        @tf.function
        def run(x):
            with tf.GradientTape() as outer:
                outer.watch(x)
                with tf.GradientTape() as inner:
                    inner.watch(x)
                    y = tf.reduce_sum(repeated.forward(x) ** 2)
                dx = tf.reduce_sum(inner.gradient(y, x) ** 2)
            return outer.gradient(dx, x)

        return run(x)

    assert np.all(np.isfinite(second_order("store")))
    for gradient in ("recompute", "invert"):
        with pytest.raises(NotImplementedError, match="gradient='store'"):
            second_order(gradient)


def two_replicas():
    """Runs in a new process, because devices are set before TensorFlow starts."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    for mode in GRADIENTS:
        with strategy.scope():
            repeated, shape = loops.vectors(tf.float64, gradient=mode)
        x = helpers.normal([6, *shape], 5)

        def gradient(x, repeated=repeated):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(repeated.forward(x) ** 2)
            return tape.gradient(loss, repeated.trainable_variables)

        def replica(x=x, gradient=gradient):
            i = tf.distribute.get_replica_context().replica_id_in_sync_group
            return gradient(tf.reshape(x, [2, 3, 4])[i])

        of_replicas = strategy.reduce(
            "sum", tf.function(strategy.run)(replica), axis=None
        )
        for a, b in zip(of_replicas, gradient(x), strict=True):
            assert np.max(np.abs(a)) > 1e-3
            np.testing.assert_allclose(a, b, atol=1e-10)
    print("equal")


def test_two_replicas_give_the_gradient_of_the_whole_batch(tmp_path):
    with processes.Process(two_replicas, log=tmp_path / "log") as process:
        assert process.finish().endswith("equal\n")


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_integers_pass_through(gradient):
    rows = np.stack([np.random.default_rng(k).permutation(4) for k in range(K)])
    parameters = {
        "permutation": tf.Variable(rows, trainable=False),
        **loops.variables({"shift": [3, 4]}, tf.float64),
    }

    def step_fn(p, label):
        shift = tf.one_hot(label, 3, dtype=tf.float64) @ p["shift"]
        return tfb.Chain([tfb.Permute(p["permutation"]), tfb.Shift(shift)])

    repeated = tfg.Repeated(
        step_fn, parameters, gradient=gradient, event_ndims=1
    )
    x, label = helpers.normal([5, 4], 3), tf.constant([0, 1, 2, 1, 0])
    with tf.GradientTape() as tape:
        y = repeated.forward(x, label=label)
        loss = tf.reduce_sum(y**3)
    expected = x
    for k in range(K):
        expected = expected + tf.gather(parameters["shift"][k], label)
        expected = tf.gather(expected, rows[k], axis=-1)
    np.testing.assert_allclose(y, expected, atol=1e-12)
    found = tape.gradient(loss, parameters["shift"])
    with tf.GradientTape() as tape:
        tape.watch(expected)
        last = tape.gradient(tf.reduce_sum(expected**3), expected)
    # One permutation follows the last shift.
    by_row = tf.gather(last, np.argsort(rows[-1]), axis=-1)
    np.testing.assert_allclose(
        found[-1],
        tf.math.unsorted_segment_sum(by_row, label, 3),
        atol=1e-10,
    )


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_only_store_keeps_what_the_steps_computed(gradient):
    repeated, shape = loops.images(tf.float32, gradient=gradient)

    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(repeated.forward(x) ** 2)
        return tape.gradient(loss, repeated.trainable_variables)

    kept, stacks = (
        helpers.count_ops(step, tf.zeros([2, *shape]), op_type=op)
        for op in ("TensorListPushBack", "TensorListReserve")
    )
    assert (kept > 0) == (gradient == "store")
    # There is one list for each parameter's gradient, and one for the inputs.
    if gradient != "store":
        assert stacks == 3 + (gradient == "recompute")


@pytest.mark.parametrize("gradient", ["recompute", "invert"])
def test_validate_args_names_the_step_of_a_gradient_that_is_not_finite(
    gradient,
):
    def step_fn(p):
        return tfg.AffineCoupling(
            lambda x: p * tf.sqrt(x), additive=True, event_ndims=1
        )

    repeated = tfg.Repeated(
        step_fn,
        tf.Variable(tf.ones([3, 1])),
        gradient=gradient,
        validate_args=True,
        name="here",
    )
    x = tf.zeros([2, 2])
    repeated.forward(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(repeated.forward(x))
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=r"here: gradient not finite before step\] \[2\]",
    ):
        tape.gradient(loss, x)
