# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Examples of `tfp_glow.Repeated` that several test modules share.

A maker takes a dtype and arguments of `Repeated`, and returns a `Repeated` of
`K` steps and the shape of its events.
"""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers

tfb = tfp.bijectors

K = 4


def variables(shapes, dtype, stddev=0.3):
    return {
        name: tf.Variable(
            stddev * helpers.normal([K, *shape], seed, dtype), name=name
        )
        for seed, (name, shape) in enumerate(shapes.items())
    }


def affine_of_tfp(dtype, **kwargs):
    """Chains of TFP's own bijectors."""

    def step_fn(p):
        return tfb.Chain(
            [tfb.Shift(p["shift"]), tfb.Scale(log_scale=p["log_scale"])]
        )

    parameters = variables({"shift": [3], "log_scale": [3]}, dtype)
    return tfg.Repeated(step_fn, parameters, event_ndims=1, **kwargs), [3]


def real_nvp_of_tfp(dtype, **kwargs):
    """TFP's coupling, which is not a `SplitBijector`."""

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
    """The package's blocks over vectors, with a Keras layer as the network."""
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
    """Steps that apply the inverse of a coupling."""

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
    """Returns the chain of all steps, with the variables' current values."""
    steps = [repeated.step(k) for k in range(repeated.num_steps)]
    return tfb.Chain(steps[::-1])
