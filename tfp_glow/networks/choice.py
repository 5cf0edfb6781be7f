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

    Args:
        network: one of

            * `"paper"`: `CouplingNetwork`;
            * a Keras layer without state: `LayerNetwork`, whose documentation
              has an example and tells how residual and attention layers
              compared;
            * a `StackedLayer`, as `CouplingNetwork(input_bound=None)`: a copy
              of it with the sizes below. It carries the options.
        num_outputs: `int`, channels of the output.
        num_filters: `int`, width of the hidden layers where `network` does not
            set its own.
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
        network: the network of the couplings, as in `make_network`. The prior's
            network takes its dtype policy, its bounds and its padding.
        num_outputs: `int`, channels of the output.
        spatial_shape: `(H, W)` for images, `()` for vectors.
        conditioning_size: `int`, channels of the conditioning, or `None`.
        dtype: dtype or Keras dtype policy for `"paper"`.

    Returns:
        A `PriorNetwork`.

    Raises:
        ValueError: if `network` is something else.
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
