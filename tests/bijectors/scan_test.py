# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.bijectors.scan`."""

import numpy as np
import pytest
import tensorflow as tf

from tests import helpers
from tfp_glow.bijectors import scan

K = 4
X = np.array([2.0, -1.0])


def stacked():
    return {
        "scale": helpers.normal([K, 2], 1),
        "shift": helpers.normal([K, 2], 2),
    }


def step(k, x, p, offset):
    y = tf.sin(p["scale"] * x) + p["shift"] + offset
    return y, {"index": k, "input": x}


OUTS = {
    "index": tf.TensorSpec([], tf.int32),
    "input": tf.TensorSpec([2], tf.float64),
}


def run(stacked, x, offset, **kwargs):
    return scan.scan(step, x, stacked, offset, num_steps=K, outs=OUTS, **kwargs)


def python_loop(stacked, x, offset, reverse):
    inputs = [None] * K
    for k in reversed(range(K)) if reverse else range(K):
        inputs[k] = x
        p = {name: value[k] for name, value in stacked.items()}
        x, _ = step(k, x, p, offset)
    return x, tf.stack(inputs)


@pytest.mark.parametrize("jit_compile", [None, True])
@pytest.mark.parametrize("differentiable", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_carry_and_outputs_are_those_of_a_python_loop(
    reverse, differentiable, jit_compile
):
    p, x, offset = stacked(), tf.constant(X), tf.constant(0.5, tf.float64)
    function = tf.function(run, jit_compile=jit_compile)
    y, out = function(
        p, x, offset, reverse=reverse, differentiable=differentiable
    )
    expected, inputs = python_loop(p, x, offset, reverse)
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    np.testing.assert_allclose(out["input"], inputs, rtol=1e-12)
    # The outputs are in the order of the slices.
    np.testing.assert_array_equal(out["index"], range(K))


@pytest.mark.parametrize("reverse", [False, True])
def test_a_differentiable_scan_has_the_gradients_of_a_python_loop(reverse):
    p, x, offset = stacked(), tf.constant(X), tf.constant(0.5, tf.float64)
    sources = [*p.values(), x, offset]

    @tf.function
    def gradients(differentiable):
        with tf.GradientTape() as tape:
            tape.watch(sources)
            if differentiable:
                y, _ = run(p, x, offset, reverse=reverse, differentiable=True)
            else:
                y, _ = python_loop(p, x, offset, reverse)
            loss = tf.reduce_sum(y**2)
        return tape.gradient(loss, sources)

    for found, expected in zip(gradients(True), gradients(False)):
        assert np.any(expected)
        np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_shapes_are_static():
    @tf.function
    def function(p, x):
        y, out = run(p, x, tf.constant(0.0, tf.float64))
        assert y.shape == [2]
        assert out["input"].shape == [K, 2]
        assert out["index"].shape == [K]
        return y

    function(stacked(), tf.constant(X))


def test_the_graph_holds_the_step_once():
    def sines(num_steps):
        p = {name: tf.zeros([num_steps, 2]) for name in ("scale", "shift")}

        def function():
            return scan.scan(
                lambda k, x, p: (tf.sin(p["scale"] * x), ()),
                tf.zeros([2]),
                p,
                num_steps=num_steps,
            )[0]

        return helpers.count_ops(function, op_type="Sin")

    assert sines(2) == sines(20) == 1


@pytest.mark.parametrize("differentiable", [False, True])
def test_slices_of_all_sizes_and_types_are_read(differentiable):
    values = {
        "scalars": helpers.normal([K], 1),
        "matrices": helpers.normal([K, 2, 3], 2),
        "empty": tf.zeros([K, 0, 2], tf.float64),
        "large": helpers.normal([K, 2, 2500], 3),
        "also_large": helpers.normal([K, 5000], 4),
        "integers": tf.range(2 * K)[:, tf.newaxis][::2],
        "bytes": tf.cast(tf.range(K), tf.uint8),
        "float32": helpers.normal([K, 3], 5, tf.float32),
    }

    @tf.function
    def copy(p):
        _, out = scan.scan(
            lambda k, carry, p: (carry, p),
            (),
            p,
            num_steps=K,
            outs=scan.specs(p),
            differentiable=differentiable,
        )
        return out

    found = copy(values)
    assert found.keys() == values.keys()
    for name, value in values.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)
