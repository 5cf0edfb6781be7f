# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Makes the networks of a flow from its argument `network`."""

import keras

from tfp_glow.networks import keras_layer
from tfp_glow.networks import paper
from tfp_glow.networks import stacked


def check_network(network):
    """Raises `ValueError` unless `network` is "paper" or a Keras layer."""
    if network != "paper" and not isinstance(network, keras.layers.Layer):
        raise ValueError(
            "Invalid value received for argument `network`. Expected 'paper', "
            "a Keras layer, or a network of `tfp_glow.networks` without "
            f"`num_outputs`. Received: network={network!r}"
        )


def make_network(
    network,
    *,
    num_outputs,
    num_filters,
    spatial_shape,
    conditioning_size=None,
    seed=None,
    dtype=None,
):
    """Makes the network of a coupling, not yet built.

    | `network` | result |
    |---|---|
    | `"paper"` | `CouplingNetwork` |
    | a Keras layer | `LayerNetwork` around it |
    | a `StackedLayer` | a copy of it, with the sizes below |

    Gated residual layers, with and without self-attention, were no better than
    `"paper"` after equal training time; see `LayerNetwork`, which also has an
    example of a residual layer. A `StackedLayer` carries options, as in
    `CouplingNetwork(input_bound=None)`.

    Args:
        network: `"paper"` or a Keras layer.
        num_outputs: `int`, channels of the output.
        num_filters: `int`, width of the hidden layers unless `network` has its
            own.
        spatial_shape: `(H, W)` for images, `()` for vectors.
        conditioning_size: `int`, channels of the conditioning, or `None`.
        seed: `int` or `None`.
        dtype: dtype or Keras dtype policy for `"paper"`. A layer has its own.

    Returns:
        A `StackedLayer`.

    Raises:
        ValueError: if `network` is something else.
    """
    return _template(network, dtype).sized(
        spatial_shape,
        num_filters,
        num_outputs=num_outputs,
        conditioning_size=conditioning_size,
        seed=seed,
        name="network",
    )


def make_prior_network(
    network, *, num_outputs, spatial_shape, conditioning_size=None, dtype=None
):
    """Makes the network of a split prior, not yet built.

    Args:
        network: the choice for the couplings. The prior's network has the same
            dtype policy, bounds and padding.
        num_outputs, spatial_shape, conditioning_size, dtype: see
            `make_network`.

    Returns:
        A `PriorNetwork`.
    """
    template = _template(network, dtype)
    return paper.PriorNetwork(
        num_outputs,
        kernel_size=3 if spatial_shape else None,
        edge_padding=template.edge_padding,
        input_bound=template.input_bound,
        output_bound=template.output_bound,
        conditioning_size=conditioning_size,
        dtype=template.dtype_policy,
        name="network",
    )


def _template(network, dtype):
    check_network(network)
    if isinstance(network, stacked.StackedLayer):
        return network
    if isinstance(network, keras.layers.Layer):
        return keras_layer.LayerNetwork(network)
    return paper.CouplingNetwork(dtype=dtype)
