# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the instruments of `tfg.stability`, with known answers."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tfp_glow.analysis.stability import attack
from tfp_glow.analysis.stability import inputs

tfb = tfp.bijectors
tfd = tfp.distributions
stability = tfg.stability


def linear_flow(matrix):
    """A flow whose encoder multiplies vectors by a triangular matrix."""
    normal = tfd.Sample(tfd.Normal(*tf.constant([0.0, 1.0], tf.float64)), [3])
    encoder = tfb.ScaleMatvecTriL(tf.constant(matrix, tf.float64))
    return stability.Flow(
        tfd.TransformedDistribution(normal, tfb.Invert(encoder))
    )


MATRIX = np.array([[2.0, 0.0, 0.0], [1.0, 0.5, 0.0], [-3.0, 1.0, 4.0]])
X = np.random.default_rng(0).normal(size=[5, 3])


@pytest.fixture(scope="module")
def model():
    model = tfg.GlowModel(
        [4, 4, 2], num_levels=2, num_steps=2, num_filters=4, seed=0
    )
    model.initialize(images(64))
    # Networks of zeros would make every step linear.
    random = np.random.default_rng(1)
    for variable in model.trainable_variables:
        noise = random.normal(0.0, 0.05, variable.shape)
        variable.assign_add(noise.astype(np.float32))
    return model


def images(count):
    return np.random.default_rng(0).integers(0, 256, [count, 4, 4, 2])


def test_extremes_are_the_singular_values_of_a_linear_flow():
    flow = linear_flow(MATRIX)
    linear = stability.Linearized(flow.inverse, X)
    np.testing.assert_allclose(linear.y, X @ MATRIX.T)
    np.testing.assert_allclose(linear.product(2.0 * X), 2.0 * X @ MATRIX.T)
    np.testing.assert_allclose(linear.transposed_product(X), X @ MATRIX)
    expected = np.linalg.svd(MATRIX, compute_uv=False)
    largest = stability.largest_singular_values(linear, 40)
    np.testing.assert_allclose(largest, expected[0], rtol=1e-9)
    of_inverse = stability.largest_singular_values(
        stability.Linearized(flow.forward, X), 40
    )
    np.testing.assert_allclose(of_inverse, 1.0 / expected[-1], rtol=1e-9)


def test_power_iteration_never_exceeds_the_singular_value():
    found = stability.Linearized(linear_flow(MATRIX).inverse, X)
    expected = np.linalg.svd(MATRIX, compute_uv=False)[0]
    found = [stability.largest_singular_values(found, n) for n in (1, 2, 4)]
    assert np.all(np.diff(found, axis=0) > 0.0)
    assert np.all(np.array(found) < expected * (1 + 1e-12))


def test_the_exact_jacobian_of_a_linear_flow():
    found = stability.exact_jacobian(linear_flow(MATRIX), X[:1])
    expected = np.linalg.svd(MATRIX, compute_uv=False)
    np.testing.assert_allclose(found.singular_values, expected)
    assert found.condition_number == pytest.approx(expected[0] / expected[2])
    assert found.log_det == pytest.approx(np.log(4.0))
    assert found.log_det_error < 1e-14


def test_a_wrong_log_det_is_found():
    encoder = tfb.Inline(
        forward_fn=lambda x: 2.0 * x,
        inverse_fn=lambda y: y / 2.0,
        # A volume of 3 instead of 2, per element.
        inverse_log_det_jacobian_fn=lambda y: -tf.math.log(3.0 + 0.0 * y),
        forward_min_event_ndims=0,
    )
    normal = tfd.Sample(tfd.Normal(0.0, 1.0), [3])
    flow = stability.Flow(
        tfd.TransformedDistribution(normal, tfb.Invert(encoder))
    )
    found = stability.exact_jacobian(flow, X[:1].astype(np.float32))
    assert found.log_det_error == pytest.approx(3.0 * np.log(1.5), rel=1e-5)


def test_a_jacobian_that_is_too_large_is_refused_before_work():
    with pytest.raises(ValueError, match=r"at most 1024 dim.*Received: 1025"):
        stability.exact_jacobian(linear_flow(MATRIX), np.zeros([1, 1025]))
    with pytest.raises(ValueError, match="a batch of one event"):
        stability.exact_jacobian(linear_flow(MATRIX), X)


@pytest.mark.parametrize("num_passes", [1, 9])
def test_the_error_of_round_trips_is_known(num_passes):
    normal = tfd.Sample(tfd.Normal(*tf.constant([0.0, 1.0], tf.float64)), [3])
    decoder = tfb.Inline(
        forward_fn=lambda z: z / 2.0 + 0.25,
        inverse_fn=lambda x: 2.0 * x,
        forward_log_det_jacobian_fn=lambda z: 0.0 * z,
        forward_min_event_ndims=0,
    )
    flow = stability.Flow(tfd.TransformedDistribution(normal, decoder))
    errors = stability.round_trip(flow, X, 256.0, num_passes)
    np.testing.assert_allclose(errors, np.full([5, 3], num_passes * 64.0))


def test_errors_leave_out_values_that_are_not_finite():
    values = [-3.0, 1.0, 1.0, 1.0, np.nan, -np.inf, 2.0, np.inf]
    errors = stability.Errors.of(values)
    assert (errors.mean, errors.median, errors.max) == (1.6, 1.0, 3.0)
    assert errors.share_not_finite == 3.0 / 8.0
    nothing = stability.Errors.of([np.nan])
    assert nothing.share_not_finite == 1.0 and np.isnan(nothing.max)


@pytest.mark.slow
def test_the_parts_of_a_glow_have_the_singular_values_of_jacobians(model):
    flow = stability.of_model(model)["float64"]
    x = tf.cast(model.distribution.dequantize(images(1)), tf.float64)
    parts = stability.take_apart(flow.bijector)
    assert [part.name for part in parts] == [
        "level 0, step 0",
        "level 0, step 1",
        "level 0, prior",
        "level 1, step 0",
        "level 1, step 1",
        "level 1, prior",
    ]
    linear = stability.LinearizedParts(parts, x)
    h = tf.repeat(tfg.Squeeze().forward(x), 32, axis=0)

    def check(function, found):
        rows = stability.Linearized(function, h).transposed_product(
            np.reshape(np.eye(32), h.shape)
        )
        matrix = np.reshape(rows, [32, 32])
        expected = np.linalg.svd(matrix, compute_uv=False)[[0, -1]]
        np.testing.assert_allclose(np.ravel(found), expected, rtol=0.02)

    step, other, prior = (part.bijector for part in parts[:3])
    single = linear.extremes_of_parts(num_steps=30)
    check(step.forward, single["level 0, step 0"])
    check(
        lambda h: prior.forward(other.forward(step.forward(h))),
        linear.of_level(0).extremes(num_steps=30),
    )
    exact = stability.exact_jacobian(flow, x)
    assert exact.log_det_error < 1e-11
    np.testing.assert_allclose(
        np.ravel(linear.extremes(num_steps=30)),
        exact.singular_values[[0, -1]],
        rtol=0.02,
    )


def test_a_shadow_is_an_exact_trajectory_of_least_norm(model):
    flows = stability.of_model(model)
    exact = flows["float64"].bijector
    x = model.distribution.dequantize(images(1))
    found = stability.shadow(exact, flows["float32"].bijector, x)
    parts = stability.take_apart(exact)
    size, count = 32, len(parts)
    assert found.trajectory.shape == (count + 1, size)
    np.testing.assert_array_equal(found.trajectory[0], np.ravel(x))

    def residuals(trajectory):
        after = [p.forward(t[None])[0] for p, t in zip(parts, trajectory)]
        return trajectory[1:] - np.stack(after)

    errors = residuals(found.trajectory)
    near = residuals(found.trajectory + found.displacement)
    assert np.linalg.norm(near) < 1e-5 * np.linalg.norm(errors)
    # The same equations as one matrix.
    matrix = np.zeros([count * size, (count + 1) * size])
    for k, (part, t) in enumerate(zip(parts, found.trajectory)):
        rows = stability.Linearized(
            part.forward, np.repeat(t[None], size, axis=0)
        ).transposed_product(np.eye(size))
        block = matrix[k * size : (k + 1) * size]
        block[:, k * size : (k + 1) * size] = -rows
        block[:, (k + 1) * size : (k + 2) * size] = np.eye(size)
    expected = np.linalg.pinv(matrix) @ -errors.ravel()
    np.testing.assert_allclose(found.displacement.ravel(), expected, atol=1e-12)
    sigma = np.linalg.svd(matrix, compute_uv=False)[-1]
    window = 2.0 * np.linalg.norm(errors) / sigma
    assert found.window == pytest.approx(window, rel=1e-2)
    assert found.distance < found.window


def test_a_badly_conditioned_step_is_named(model):
    bad = tfg.GlowModel.from_config(model.get_config())
    bad.set_weights(model.get_weights())
    scale = next(
        v
        for v in bad.glow.steps(1).trainable_variables
        if "log_scale" in v.name and v.shape == [2, 16]
    )
    values = scale.numpy()
    values[1] += np.linspace(-6.0, 6.0, 16)
    scale.assign(values)
    flow = stability.of_model(bad)["float32"]
    x = bad.distribution.dequantize(images(2))
    parts = stability.take_apart(flow.bijector)
    found = stability.LinearizedParts(parts, x).extremes_of_parts(num_steps=4)
    conditions = {name: np.max(a / b) for name, (a, b) in found.items()}
    assert max(conditions, key=conditions.get) == "level 1, step 1"
    assert conditions["level 1, step 1"] > 1e4


def test_three_precisions_agree_and_float64_is_exact():
    model = tfg.GlowModel(
        [2, 2, 1], num_levels=1, num_steps=1, num_filters=2, seed=0
    )
    small = images(3)[:, :2, :2, :1]
    model.initialize(small)
    found = stability.of_model(model)
    x = model.distribution.dequantize(small)
    nats = {name: flow.log_prob(x).numpy() for name, flow in found.items()}
    expected = model.distribution.distribution.log_prob(x)
    np.testing.assert_allclose(nats["float32"], expected, rtol=1e-6)
    np.testing.assert_allclose(nats["float64"], expected, rtol=1e-6)
    np.testing.assert_allclose(
        found["float64 flow"].encode(x), model.encode(small), atol=1e-12
    )
    exact = found["float64"]
    errors = stability.round_trip(exact, tf.cast(x, tf.float64))
    assert np.max(np.abs(errors)) < 1e-13


def test_angles_and_distances_of_gradients():
    difference = stability.Difference.of([1.0, 1e-9], [2.0, 0.0])
    assert difference.angle == pytest.approx(np.degrees(1e-9))
    assert difference.relative_distance == pytest.approx(0.5)
    assert stability.Difference.of([0.0, 1.0], [1.0, 0.0]).angle == 90.0


@pytest.mark.slow
def test_gradient_modes_agree():
    glow = tfg.Glow([2, 2, 2], num_levels=1, num_steps=2, num_filters=4, seed=0)
    x = np.random.default_rng(0).normal(size=[4, 2, 2, 2])
    glow.initialize(x)
    found = stability.compare_gradients(glow, x, ["store", "invert"])
    assert found["store"]["store"].relative_distance == 0.0
    assert 0.0 < found["invert"]["store"].relative_distance < 1e-4
    assert 0.0 < found["invert"]["float64"].angle < 1e-2
    with pytest.raises(ValueError, match="'invert'"):
        stability.compare_gradients(glow, x, ["inverts"])


def test_an_attack_finds_the_corner_with_the_largest_error():
    target = np.array([[0.1, -0.1, 0.1], [-0.1, -0.1, 0.1]])

    def measure(x):
        return -np.max(np.abs(x - target), axis=1)

    found = attack.search(
        measure,
        lambda x, _: -tf.reduce_sum((x - target) ** 2, axis=1),
        np.zeros([2, 3]),
        radius=0.1,
        num_steps=10,
    )
    assert found.attacked.shape == found.random.shape == (11, 2)
    np.testing.assert_allclose(found.attacked[0], -0.1)
    np.testing.assert_allclose(found.attacked[-1], 0.0, atol=1e-15)
    assert np.all(np.diff(found.attacked, axis=0) >= 0.0)
    assert np.all(found.random <= found.attacked[-1] + 1e-15)


def test_an_attack_on_round_trips_goes_where_the_inverse_is_steep():
    centers = np.array([[1.0, 2.0], [3.0, 1.0]])
    # The slope of the inverse is x.
    found = attack.search(
        lambda x: np.min(x - centers, axis=1),
        attack.growth(tf.math.log, tf.math.exp),
        centers,
        radius=0.5,
        num_steps=10,
    )
    np.testing.assert_allclose(found.attacked[-1], 0.5)


def test_inputs_are_gray_levels_of_the_kinds_that_their_names_say(model):
    flow = stability.of_model(model)["float32"]
    found = inputs.make(model, flow, images(2), None, 3, (0.7,), seed=0)
    assert list(found)[:2] == ["data", "samples, T = 0.7"]
    for kind, given in found.items():
        assert given.images.dtype == np.int32, kind
        assert given.images.shape[1:] == (4, 4, 2), kind
        assert 0 <= given.images.min() <= given.images.max() <= 255, kind
    assert set(np.unique(found["Rademacher"].images)) == {0, 255}
    np.testing.assert_array_equal(found["constant max"].images, 255)
    board = found["checkerboard"].images[0, ..., 0]
    np.testing.assert_array_equal(board[:2, :2], [[0, 255], [255, 0]])
    assert len({given.images.tobytes() for given in found.values()}) == 11


def test_conditioning_is_used_in_turn():
    model = tfg.GlowModel(
        [4, 4, 1], num_levels=1, num_steps=1, num_filters=2, num_classes=3
    )
    found = inputs.make(
        model, None, images(2)[..., :1], np.array([2, 0]), 3, (), seed=0
    )
    np.testing.assert_array_equal(found["uniform"].conditioning, [2, 0, 2])
    np.testing.assert_array_equal(found["constant 0"].conditioning, [2])
