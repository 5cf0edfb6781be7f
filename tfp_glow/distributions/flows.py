# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Flows as TFP distributions."""

import math

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _checks
from tfp_glow.bijectors import Glow
from tfp_glow.bijectors import steps

tfb = tfp.bijectors
tfd = tfp.distributions


def glow_distribution(image_shape, *, dtype=tf.float32, **kwargs):
    """Returns a Glow as a TFP distribution over continuous images.

    Takes the arguments of `Glow`. Returns a `tfd.TransformedDistribution` of a
    standard normal of `H * W * C` dimensions, with event shape `(H, W, C)`.

    Example:

    ```python
    flow = tfg.glow_distribution([8, 8, 3], num_levels=2, num_steps=4)
    images = flow.sample(5, seed=0)  # [5, 8, 8, 3]
    flow.log_prob(images)  # [5], in nats
    ```
    """
    glow = Glow(image_shape, dtype=dtype, **kwargs)
    normal = _standard_normal(math.prod(image_shape), dtype)
    return tfd.TransformedDistribution(normal, glow, name="glow")


def vector_flow(
    event_size,
    num_steps=8,
    num_filters=64,
    coupling="spline",
    network="paper",
    conditioning_size=None,
    initialization="normalize",
    seed=None,
    dtype=tf.float32,
    gradient="store",
):
    """Returns the steps of a Glow as a TFP distribution over vectors.

    ```none
    h = x
    num_steps times:  h = coupling(W actnorm(h))
    log p(x) = log N(h; 0, 1) + log|det dh/dx|
    ```

    The vectors can be the rows of a table. `tfg.FlowModel` trains the flow, and
    initializes its norms from data before the first step.

    Args:
        event_size: `int` of at least 2, D.
        num_steps: positive `int`, K.
        num_filters: positive `int`, width of the couplings' networks.
        coupling: see `Glow`. Splines fit densities with edges or several modes
            best.
        network, initialization, seed, dtype: see `Glow`. The network `"paper"`
            has no convolutions. Use `"whiten"` for correlated columns.
        conditioning_size: `int`, size of the vectors on which the flow is
            conditioned, or `None`. If given, the methods of the distribution
            need them, `[N, size]` for events `[N, D]`:
            `bijector_kwargs={"conditioning": vectors}`.
        gradient: see `Glow`. The default is fastest; vectors are small.

    Returns:
        `tfd.TransformedDistribution` of a standard normal, event shape `(D,)`.

    Example:

    ```python
    density = tfg.toy.distribution("8gaussians")
    flow = tfg.vector_flow(2, num_steps=4)
    model = tfg.FlowModel(flow)
    model.compile(keras.optimizers.Adam(2e-3))
    model.fit(density.sample(100_000, seed=0), batch_size=500, epochs=4)
    flow.log_prob([[2.0, 2.0]])  # [1], in nats
    ```
    """
    event_size, num_steps, num_filters = _checks.positive_integer(
        event_size=event_size, num_steps=num_steps, num_filters=num_filters
    )
    if event_size < 2:
        expected = "at least 2, to split in two"
        raise _checks.invalid_value("event_size", event_size, expected)
    if conditioning_size is not None:
        [conditioning_size] = _checks.positive_integer(
            conditioning_size=conditioning_size
        )
    with tf.name_scope("vector_flow"):
        repeated = steps.make_steps(
            (event_size,),
            num_steps,
            num_filters,
            seed=seed,
            dtype=dtype,
            coupling=coupling,
            network=network,
            conditioning_size=conditioning_size,
            initialization=initialization,
            gradient=gradient,
        )
    normal, flow = _standard_normal(event_size, dtype), tfb.Invert(repeated)
    return tfd.TransformedDistribution(normal, flow, name="vector_flow")


def _standard_normal(size, dtype):
    normal = tfd.Normal(tf.zeros([], dtype), tf.ones([], dtype))
    return tfd.Sample(normal, sample_shape=[size])
