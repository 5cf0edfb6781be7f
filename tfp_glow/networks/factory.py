# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The network of a coupling, by name or around a Keras layer."""

import math

import keras

from tfp_glow import _checks
from tfp_glow.networks import coupling_network
from tfp_glow.networks import gated
from tfp_glow.networks import layer_network

NETWORKS = ("paper", "gated", "attention")


def check_network(network):
    """Raises `ValueError` unless `network` is a name or a Keras layer."""
    if not isinstance(network, keras.layers.Layer):
        _checks.choice("network", network, NETWORKS)


def make_network(
    network, num_outputs, num_filters, spatial_shape, dtype, **kwargs
):
    """Makes a network, not yet built.

    Args:
        network: `"paper"`, `"gated"` or `"attention"`, or a Keras layer.
        num_outputs: `int`.
        num_filters: `int`, width; a layer has its own.
        spatial_shape: `(H, W)` of images, `()` of vectors.
        dtype: dtype or Keras dtype policy; a layer has its own.
        **kwargs: further arguments that `CouplingNetwork` and `LayerNetwork`
            both have.

    Returns:
        A `CouplingNetwork` or a `LayerNetwork`.
    """
    check_network(network)
    kernel_size = 3 if spatial_shape else None
    if network == "paper":
        return coupling_network.CouplingNetwork(
            num_outputs,
            num_filters,
            kernel_size=kernel_size,
            dtype=dtype,
            **kwargs,
        )
    if isinstance(network, str):
        num_heads = 0
        if network == "attention" and spatial_shape:
            num_heads = math.gcd(num_filters, 4)
        network = gated.GatedResidual(
            num_filters,
            num_heads=num_heads,
            kernel_size=kernel_size,
            dtype=dtype,
        )
    return layer_network.LayerNetwork(
        num_outputs, network, spatial_shape, **kwargs
    )
