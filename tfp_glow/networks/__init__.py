# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The networks inside couplings and priors, as Keras layers."""

from tfp_glow.networks.keras_layer import check_network
from tfp_glow.networks.keras_layer import LayerNetwork
from tfp_glow.networks.keras_layer import make_network
from tfp_glow.networks.keras_layer import make_prior_network
from tfp_glow.networks.linear import ScaledLinear
from tfp_glow.networks.paper import CouplingNetwork
from tfp_glow.networks.paper import FeatureNetwork
from tfp_glow.networks.paper import PriorNetwork
from tfp_glow.networks.stacked import StackedLayer
