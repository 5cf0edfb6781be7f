# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.bijectors.repeated` and `pull_back`."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers
from tests import processes
from tfp_glow.bijectors import repeated as repeated_lib

tfb = tfp.bijectors
tfd = tfp.distributions

K = 4
GRADIENTS = repeated_lib.GRADIENTS


def variables(shapes, dtype, stddev=0.3):
    return {
        name: tf.Variable(
            stddev * helpers.normal([K, *shape], seed, dtype), name=name
        )
        for seed, (name, shape) in enumerate(shapes.items())
    }


def affine_of_tfp(dtype, **kwargs):
    """A chain of TFP's own bijectors, over vectors."""

    def step_fn(p):
        return tfb.Chain(
            [tfb.Shift(p["shift"]), tfb.Scale(log_scale=p["log_scale"])]
        )

    parameters = variables({"shift": [3], "log_scale": [3]}, dtype)
    return tfg.Repeated(step_fn, parameters, event_ndims=1, **kwargs), [3]


def real_nvp_of_tfp(dtype, **kwargs):
    """TFP's coupling, which offers no inverse with gradient of its own."""

    def step_fn(p):
        def shift_and_log_scale(x, _, **__):
            y = tf.tanh(tf.linalg.matmul(x, p["kernel"]) + p["bias"])
            return y, 0.5 * y

        return tfb.Chain(
            [
                tfb.RealNVP(
                    num_masked=2, shift_and_log_scale_fn=shift_and_log_scale
                ),
                tfb.Permute([2, 3, 0, 1]),
            ]
        )

    parameters = variables({"kernel": [2, 2], "bias": [2]}, dtype)
    return tfg.Repeated(step_fn, parameters, **kwargs), [4]


def vectors(dtype, **kwargs):
    """Our blocks over vectors, the network a Keras layer, called stateless."""
    layer = keras.layers.Dense(4, activation="tanh", dtype=dtype.name)
    layer.build([None, 2])

    def step_fn(p):
        def network(x):
            return layer.stateless_call([p["kernel"], p["bias"]], [], x)[0]

        return tfb.Chain(
            [
                tfg.AffineCoupling(network, event_ndims=1),
                tfb.Permute([2, 0, 3, 1]),
                tfg.ActNorm(p["shift"], p["log_scale"]),
            ]
        )

    shapes = {"kernel": [2, 4], "bias": [4], "shift": [4], "log_scale": [4]}
    return tfg.Repeated(step_fn, variables(shapes, dtype), **kwargs), [4]


def images(dtype, mask="channel", **kwargs):
    def step_fn(p):
        def network(x):
            return tf.tanh(tf.nn.conv2d(x, p["kernel"], 1, "SAME"))

        coupling = tfg.AffineCoupling(network, mask=mask)
        return tfb.Chain([coupling, tfg.ActNorm(p["shift"], p["log_scale"])])

    seen, outputs = (4, 8) if mask == "checkerboard" else (2, 4)
    shapes = {"kernel": [3, 3, seen, outputs], "shift": [4], "log_scale": [4]}
    return tfg.Repeated(step_fn, variables(shapes, dtype), **kwargs), [4, 2, 4]


def checkerboards(dtype, **kwargs):
    return images(dtype, mask="checkerboard", **kwargs)


def inverted(dtype, **kwargs):
    """Steps that apply a coupling's inverse."""

    def step_fn(p):
        def network(x):
            return tf.tanh(tf.linalg.matmul(x, p["kernel"]))

        return tfb.Invert(
            tfb.Chain(
                [
                    tfg.AffineCoupling(network, event_ndims=1),
                    tfb.Permute([1, 2, 3, 0]),
                ]
            )
        )

    return (
        tfg.Repeated(step_fn, variables({"kernel": [2, 4]}, dtype), **kwargs),
        [4],
    )


MAKERS = [
    affine_of_tfp,
    real_nvp_of_tfp,
    vectors,
    images,
    checkerboards,
    inverted,
]


def unrolled(repeated):
    return tfb.Chain([step.bijector() for step in reversed(repeated.steps)])


def gradients(evaluate, x, sources):
    """Gradients of a function of both results, which uses every element."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y, log_det = evaluate(x)
        log_det = tf.broadcast_to(log_det, x.shape[:1])
        loss = tf.reduce_sum(tf.sin(y)) + tf.reduce_sum(tf.cos(log_det))
    return tape.gradient(loss, [x, *sources])


def evaluations(bijector, event_ndims):
    def forward(x):
        return bijector().forward(x), bijector().forward_log_det_jacobian(
            x, event_ndims
        )

    def inverse(x):
        return bijector().inverse(x), bijector().inverse_log_det_jacobian(
            x, event_ndims
        )

    return {"forward": forward, "inverse": inverse}


@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize(
    ("make", "dtype", "tolerance"),
    [(make, tf.float64, 1e-10) for make in MAKERS]
    + [(images, tf.float32, 1e-4)],
)
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_values_and_gradients_are_those_of_the_unrolled_chain(
    make, dtype, tolerance, gradient, direction
):
    repeated, shape = make(dtype, gradient=gradient)
    x = helpers.normal([3, *shape], 9, dtype)
    sources = list(repeated.trainable_variables)
    loop = evaluations(lambda: repeated, len(shape))[direction]
    chain = evaluations(lambda: unrolled(repeated), len(shape))[direction]
    for a, b in zip(loop(x), chain(tf.identity(x))):
        np.testing.assert_allclose(
            a, np.broadcast_to(b, a.shape), tolerance, tolerance
        )
    expected = gradients(chain, tf.identity(x), sources)
    # Without a function around it a loop is traced as one all the same.
    for run in [tf.function(loop)] + [loop] * (make is images):
        received = gradients(run, tf.identity(x), sources)
        for a, b in zip(received, expected):
            scale = np.max(np.abs(b))
            np.testing.assert_allclose(a, b, atol=tolerance * scale)


@pytest.mark.parametrize("make", MAKERS)
def test_log_det_is_that_of_autodiff(make):
    repeated, shape = make(tf.float64, gradient="store")
    x = helpers.normal([2, *shape], 5)
    np.testing.assert_allclose(
        repeated.forward_log_det_jacobian(x, len(shape)),
        helpers.log_det_by_autodiff(repeated.forward, x),
        atol=1e-8,
    )


@pytest.mark.parametrize("make", MAKERS)
def test_inverse_is_the_inverse(make):
    repeated, shape = make(tf.float64)
    x = helpers.normal([2, *shape], 5)
    y = tf.identity(repeated.forward(x))
    np.testing.assert_allclose(repeated.inverse(y), x, atol=1e-10)


@pytest.mark.parametrize("batch", [[], [5], [2, 3]])
@pytest.mark.parametrize("gradient", GRADIENTS)
def test_any_batch_static_or_not(batch, gradient):
    repeated, shape = images(tf.float64, gradient=gradient)
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


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_xla_computes_the_same(gradient):
    repeated, shape = vectors(tf.float64, gradient=gradient)
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
    parameters = variables({"kernel": [2, 4], "more": [3, 4]}, tf.float64)

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
def test_conditioning_receives_gradients_alike_in_all_modes(direction):
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
def test_a_training_step_evaluates_each_network_so_often(gradient, networks):
    repeated, shape = images(tf.float32, gradient=gradient)

    def step(x):
        with tf.GradientTape() as tape:
            y = repeated.forward(x)
            log_det = repeated.forward_log_det_jacobian(x, 3)
            loss = tf.reduce_sum(y**2) - tf.reduce_sum(log_det)
        return tape.gradient(loss, repeated.trainable_variables)

    assert helpers.count_ops(step, tf.zeros([2, *shape])) == networks


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


def test_unrolled_is_the_same():
    repeated, shape = vectors(tf.float64, gradient="store")
    other = repeated.copy(unroll=True)
    x = helpers.normal([3, *shape], 5)
    for direction in ("forward", "inverse"):
        np.testing.assert_allclose(
            getattr(repeated, direction)(x),
            getattr(other, direction)(tf.identity(x)),
            atol=1e-12,
        )


def test_a_second_order_gradient_works_or_is_refused():
    x = helpers.normal([2, 4], 3)

    def second_order(gradient):
        repeated, _ = vectors(tf.float64, gradient=gradient)

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


def test_steps_share_the_variables():
    repeated, shape = vectors(tf.float64)
    x = helpers.normal([3, *shape], 5)
    before = repeated.steps[1].forward(x)
    repeated.stacked_parameters["shift"].assign_add(tf.ones([K, 4], x.dtype))
    after = repeated.steps[1].forward(tf.identity(x))
    assert np.max(np.abs(before - after)) > 0.1
    h = x
    for step in repeated.steps:
        h = step.forward(tf.identity(h))
    np.testing.assert_allclose(h, repeated.forward(x), atol=1e-12)


def test_initialize_walks_the_loop():
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

    parameters = variables({"shift": [3], "log_scale": [3]}, tf.float64)
    repeated = tfg.Repeated(
        step_fn, parameters, initialize_fn=initialize_fn, event_ndims=1
    )
    h = helpers.normal([200, 3], 2)
    repeated.initialize(h)
    for k, step in enumerate(repeated.steps):
        h = step.forward(tf.identity(h))
        np.testing.assert_allclose(np.mean(h, 0), 0.0, atol=1e-10)
        np.testing.assert_allclose(np.std(h, 0), k + 1, atol=1e-10)


def test_prepare_fn_is_run_once_for_all_steps():
    parameters = {"log_scale": tf.Variable(helpers.normal([K, 3]))}
    seen = []

    def prepare_fn(p):
        seen.append(p["log_scale"].shape)
        return {"scale": tf.exp(p["log_scale"])}

    repeated = tfg.Repeated(
        lambda p: tfb.Scale(p["scale"]),
        parameters,
        prepare_fn=prepare_fn,
        event_ndims=1,
    )
    x = helpers.normal([2, 3], 5)
    expected = x * np.exp(np.sum(parameters["log_scale"], axis=0))
    np.testing.assert_allclose(repeated.forward(x), expected, atol=1e-12)
    assert set(map(tuple, seen)) == {(K, 3)}


def test_two_of_equal_configuration_do_not_share_a_result():
    one, shape = vectors(tf.float64)
    other, _ = vectors(tf.float64)
    helpers.perturb(other)
    x = helpers.normal([3, *shape], 5)
    assert np.max(np.abs(one.forward(x) - other.forward(x))) > 1e-3


def test_keras_fits_it():
    repeated, _ = vectors(tf.float32)
    normal = tfd.Sample(tfd.Normal(0.0, 1.0), sample_shape=[4])
    model = tfg.FlowModel(
        tfd.TransformedDistribution(normal, tfb.Invert(repeated))
    )
    model.compile(keras.optimizers.Adam(1e-2))
    x = 3.0 + 2.0 * np.float32(helpers.normal([256, 4], 1))
    history = model.fit(x, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]


def two_replicas():
    """For a process of its own: devices are chosen before TensorFlow starts."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    for mode in GRADIENTS:
        with strategy.scope():
            repeated, shape = vectors(tf.float64, gradient=mode)
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
        **variables({"shift": [3, 4]}, tf.float64),
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
    # The last shift is followed by one permutation.
    by_row = tf.gather(last, np.argsort(rows[-1]), axis=-1)
    np.testing.assert_allclose(
        found[-1],
        tf.math.unsorted_segment_sum(by_row, label, 3),
        atol=1e-10,
    )


def test_initialize_sees_what_is_prepared_and_the_conditioning():
    parameters = variables({"shift": [3], "log_scale": [3]}, tf.float64)

    def step_fn(p, offset):
        return tfb.Chain(
            [tfb.Scale(p["scale"]), tfb.Shift(p["shift"] + offset)]
        )

    repeated = tfg.Repeated(
        step_fn,
        parameters,
        prepare_fn=lambda p: {**p, "scale": tf.exp(p["log_scale"])},
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
    # The first step leaves a mean of 1 / std, and the next ones a mean of 1.
    np.testing.assert_allclose(parameters["shift"][2:], -1.0, atol=1e-10)


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_only_store_keeps_what_the_steps_computed(gradient):
    repeated, shape = images(tf.float32, gradient=gradient)

    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(repeated.forward(x) ** 2)
        return tape.gradient(loss, repeated.trainable_variables)

    kept, stacks = (
        helpers.count_ops(step, tf.zeros([2, *shape]), op_type=op)
        for op in ("TensorListPushBack", "TensorListReserve")
    )
    assert (kept > 0) == (gradient == "store")
    # One for the gradient of each parameter, and one for the inputs.
    if gradient != "store":
        assert stacks == 3 + (gradient == "recompute")


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
    with pytest.raises(ValueError, match="gradient='store' with it"):
        tfg.Repeated(tfb.Shift, ones, unroll=True)
    with pytest.raises(TypeError, match=r"`tfb.Bijector`. Received: int"):
        tfg.Repeated(lambda p: 3, ones)
    with pytest.raises(ValueError, match="keeps the rank"):
        tfg.Repeated(lambda p: tfb.Reshape([2, 1], [2]), ones)


def test_a_variable_that_is_no_parameter_raises():
    hidden = tf.Variable(tf.ones([2]), name="hidden")
    repeated = tfg.Repeated(lambda p: tfb.Shift(p + hidden), tf.ones([3, 2]))
    with pytest.raises(ValueError, match="variables hidden"):
        repeated.forward(tf.ones([1, 2]))
