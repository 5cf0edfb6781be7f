# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Keras' dtype policies for the networks of a flow, whose density is float32."""

import keras

from tfp_glow import _checks
from tfp_glow import networks

# All of them keep weights of 32 bits, because 16 bits would lose small steps.
NAMES = ("float32", "mixed_bfloat16", "mixed_float16")


def of_networks(arguments):
    """Moves `dtype` in arguments of `Glow` to `network`, as a policy.

    Returns the policy's name. Without `dtype` it is Keras' global policy.
    """
    network = arguments.get("network", "paper")
    dtype = arguments.pop("dtype", None)
    if network != "paper":
        if dtype is not None:
            expected = "None with `network`, which has its own policy"
            raise _checks.invalid_value("dtype", dtype, expected)
        return getattr(
            getattr(network, "dtype_policy", None), "name", "float32"
        )
    dtype = keras.config.dtype_policy() if dtype is None else dtype
    name = getattr(dtype, "name", dtype)
    _checks.choice("dtype", name, NAMES)
    if name != "float32":
        arguments["network"] = networks.CouplingNetwork(dtype=name)
    return name
