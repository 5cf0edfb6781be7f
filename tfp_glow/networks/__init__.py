# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The networks inside couplings and priors, as Keras layers."""

from tfp_glow.networks import bounds
from tfp_glow.networks.bounds import INPUT_BOUND
from tfp_glow.networks.bounds import OUTPUT_BOUND
from tfp_glow.networks.conditioning import ConditioningLinear
from tfp_glow.networks.coupling_network import CouplingNetwork
from tfp_glow.networks.factory import check_network
from tfp_glow.networks.factory import make_network
from tfp_glow.networks.factory import NETWORKS
from tfp_glow.networks.feature_network import FeatureNetwork
from tfp_glow.networks.gated import GatedResidual
from tfp_glow.networks.layer_network import LayerNetwork
from tfp_glow.networks.prior_network import PriorNetwork
from tfp_glow.networks.scaled_linear import computed
from tfp_glow.networks.scaled_linear import ScaledLinear

__all__ = [
    "INPUT_BOUND",
    "NETWORKS",
    "OUTPUT_BOUND",
    "ConditioningLinear",
    "CouplingNetwork",
    "FeatureNetwork",
    "GatedResidual",
    "LayerNetwork",
    "PriorNetwork",
    "ScaledLinear",
    "bounds",
    "check_network",
    "computed",
    "make_network",
]
