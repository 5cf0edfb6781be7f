# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Distributions: flows, integer images, toy densities and baselines."""

from tfp_glow.distributions.dequantized import Dequantized
from tfp_glow.distributions.flows import glow_distribution
from tfp_glow.distributions.flows import vector_flow
from tfp_glow.distributions.noise_flow import NoiseFlow
from tfp_glow.distributions.units import bits_per_dim
