# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""A flow over vectors, of the blocks that make a Glow."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _checks
from tfp_glow import networks
from tfp_glow.bijectors import glow_steps

tfb = tfp.bijectors
tfd = tfp.distributions


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
    """The steps of a Glow as a TFP distribution over vectors.

    ```none
    h = x
    num_steps times:  h = coupling(W actnorm(h))
    log p(x) = log N(h; 0, 1) + log|det dh/dx|
    ```

    A row of a table is such a vector. `tfg.FlowModel` trains the flow, and first
    sets its activation norms from data.

    Args:
        event_size: `int` of at least 2, D.
        num_steps: positive `int`, K.
        num_filters: positive `int`, width of the couplings' networks.
        coupling: `"spline"`, `"mixture"`, `"affine"` or `"additive"`. Splines
            fit densities with edges or several modes best.
        network: `"paper"`, without convolutions, or a Keras layer; see
            `networks.make_network`.
        conditioning_size: `int`, size of the vectors on which the flow is
            conditioned, or `None`. Then its methods need them, `[N, size]` for
            events `[N, D]`: `bijector_kwargs={"conditioning": vectors}`.
        initialization: `"normalize"`, or `"whiten"` for correlated columns;
            see `Glow`.
        seed: `int` or `None`; the same seed gives the same variables.
        dtype: floating dtype of variables and events.
        gradient: `"store"`, `"recompute"` or `"invert"`; see `Repeated`. The
            default is the fastest, where memory is no matter.

    Returns:
        A `tfd.TransformedDistribution` of a standard normal, with event shape
        `(D,)`.

    Raises:
        ValueError: if an argument is not as described; for an unknown name,
            suggesting the nearest.

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
    _checks.positive_integer(
        event_size=event_size, num_steps=num_steps, num_filters=num_filters
    )
    if event_size < 2:
        raise ValueError(
            "Invalid value received for argument `event_size`. Expected at "
            f"least 2, to split in two. Received: event_size={event_size}"
        )
    _checks.choice("coupling", coupling, tuple(glow_steps.COUPLINGS))
    glow_steps.check_initialization(initialization, permutation="learned")
    if conditioning_size is not None:
        _checks.positive_integer(conditioning_size=conditioning_size)
    with tf.name_scope("vector_flow"):
        steps = glow_steps.make_steps(
            (event_size,),
            num_steps=num_steps,
            num_filters=num_filters,
            seed=np.random.SeedSequence(seed),
            dtype=dtype,
            permutation="learned",
            coupling=coupling,
            scale="sigmoid",
            mask="channel",
            network=network,
            initialization=initialization,
            network_arguments=dict(
                edge_padding=False,
                conditioning_size=conditioning_size,
                input_bound=networks.INPUT_BOUND,
                output_bound=networks.OUTPUT_BOUND,
                dtype=tf.as_dtype(dtype).name,
            ),
        )
    normal = tfd.Normal(tf.zeros([], dtype), tf.ones([], dtype))
    base = tfd.Sample(normal, sample_shape=[event_size])
    return tfd.TransformedDistribution(
        base,
        tfb.Invert(steps.copy(gradient=gradient)),
        name="vector_flow",
    )
