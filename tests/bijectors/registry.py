# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""All bijectors of the package, for tests that run through each of them.

A function of `BIJECTORS` takes a dtype and returns a bijector and an example
input of shape `[2, *event_shape]`. The bijector's trainable variables have moved
from their initial values.
"""

import functools

import keras
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers

tfb = tfp.bijectors

BIJECTORS = {}
NUM_VARIABLES = {}

# Bijectors that take inputs of any dtype. A Keras layer casts its input.
WITHOUT_DTYPE = (
    "coupling_of_a_function",
    "coupling_of_keras_layers",
    "squeeze",
    "squeeze_by_3",
)

# Variables of a coupling's network: kernel, shift and scale of three layers.
# With padded edges two layers have one more kernel.
PADDED, UNPADDED = 11, 9


def register(name, event_shape, num_variables, make):
    """Adds a function from a dtype to a bijector, as a row of the table."""

    def entry(dtype, seed=0):
        bijector = helpers.perturb(make(dtype), stddev=0.1, seed=seed)
        return bijector, helpers.normal([2, *event_shape], 1, dtype)

    BIJECTORS[name] = entry
    NUM_VARIABLES[name] = num_variables


def register_coupling(
    name, event_shape, num_variables, coupling=tfg.AffineCoupling, **kwargs
):
    kwargs = dict(num_filters=5, seed=0) | kwargs
    register(
        f"coupling_{name}",
        event_shape,
        num_variables,
        lambda dtype: coupling.trainable(event_shape, dtype=dtype, **kwargs),
    )


def norm(num_channels):
    return lambda dtype: tfg.ActNorm.trainable(num_channels, dtype)


def batched_norm(shape):
    def make(dtype):
        zeros = tf.zeros(shape, dtype)
        return tfg.ActNorm(tf.Variable(zeros), tf.Variable(zeros))

    return make


def conv(num_channels=4, cls=tfg.Invertible1x1Conv, **kwargs):
    return lambda dtype: cls.trainable(
        num_channels, seed=3, dtype=dtype, **kwargs
    )


FULL = tfg.FullInvertible1x1Conv
register("act_norm", [4, 4, 3], 2, norm(3))
register("act_norm_of_vectors", [5], 2, norm(5))
register("act_norm_batched", [3], 2, batched_norm([2, 3]))
register("act_norm_batched_of_images", [4, 2, 3], 2, batched_norm([2, 1, 1, 3]))
register("conv_learned", [3, 2, 4], 3, conv())
register("conv_batched", [4], 3, conv(batch_shape=[2]))
register("conv_reverse", [3, 2, 4], 0, conv(permutation="reverse"))
register("conv_shuffle", [5], 0, conv(5, permutation="shuffle"))
register("conv_full", [3, 2, 4], 1, conv(cls=FULL))
register("conv_full_batched", [4], 1, conv(cls=FULL, batch_shape=[2]))
register("squeeze", [4, 4, 3], 0, lambda dtype: tfg.Squeeze())
register("squeeze_by_3", [3, 6, 2], 0, lambda dtype: tfg.Squeeze(factor=3))


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


def template(dtype):
    return tfg.networks.CouplingNetwork(edge_padding=False, dtype=dtype.name)


register(
    "coupling_unpadded",
    [4, 4, 2],
    UNPADDED,
    lambda dtype: tfg.AffineCoupling.trainable(
        [4, 4, 2], num_filters=5, seed=0, dtype=dtype, network=template(dtype)
    ),
)


def any_bijector(outputs):
    scale = tf.range(2, 2 + outputs.shape[-1], dtype=outputs.dtype)
    return tfb.Chain([tfb.Shift(outputs), tfb.Scale(scale)])


register_coupling(
    "of_any_bijector",
    [4],
    UNPADDED,
    tfg.Coupling,
    transformer=tfg.Elementwise(1, any_bijector),
)


def keras_layers(dtype):
    dense = functools.partial(keras.layers.Dense, dtype=dtype.name)
    network = keras.Sequential([dense(6, activation="tanh"), dense(4)])
    network.build((None, 2))
    return tfg.AffineCoupling(network, event_ndims=1)


class Linear(tf.Module):
    def __init__(self, dtype):
        super().__init__()
        self.kernel = tf.Variable(tf.ones([1, 4], dtype))

    def __call__(self, x):
        return tf.tanh(x @ self.kernel)


def function(x):
    return tf.concat([tf.sin(x), tf.cos(2.0 * x)], axis=-1)


register("coupling_of_keras_layers", [4], 4, keras_layers)
register(
    "coupling_of_a_function",
    [4, 2, 2],
    0,
    lambda dtype: tfg.AffineCoupling(function),
)
register(
    "coupling_of_a_module",
    [3],
    1,
    lambda dtype: tfg.AffineCoupling(Linear(dtype), event_ndims=1),
)

# The event shapes are those of the latent vectors.
register(
    "glow_of_2_levels",
    [4 * 4 * 3],
    2 * (PADDED + 3 + 2) + 6 + 4,
    lambda dtype: tfg.Glow([4, 4, 3], 2, 2, 4, seed=0, dtype=dtype),
)
# This one has one level and one channel, and its images are not square.
register(
    "glow_additive_with_reversals",
    [4 * 2],
    PADDED + 2 + 4,
    lambda dtype: tfg.Glow(
        [2, 4, 1], 1, 1, 4, "additive", "reverse", seed=0, dtype=dtype
    ),
)


def repeated(dtype):
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


def chain(dtype):
    coupling = tfg.AffineCoupling.trainable(
        [2, 2, 8], num_filters=4, seed=0, dtype=dtype
    )
    parts = [coupling, conv(8)(dtype), norm(8)(dtype), tfg.Squeeze()]
    return tfb.Chain(parts)


register("repeated", [4], 3, repeated)
register("chain", [4, 4, 2], PADDED + 3 + 2, chain)
register(
    "inverted_chain",
    [2, 2, 8],
    PADDED + 3 + 2,
    lambda dtype: tfb.Invert(chain(dtype)),
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
