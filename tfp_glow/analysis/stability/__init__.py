# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Stability: how exact are the likelihoods and inverses of a trained flow?"""

from tfp_glow.analysis.stability.attack import Attack
from tfp_glow.analysis.stability.check import check
from tfp_glow.analysis.stability.flows import exact_copy
from tfp_glow.analysis.stability.flows import Flow
from tfp_glow.analysis.stability.flows import of_model
from tfp_glow.analysis.stability.gradient_modes import compare_gradients
from tfp_glow.analysis.stability.gradient_modes import Difference
from tfp_glow.analysis.stability.jacobian import Exact
from tfp_glow.analysis.stability.jacobian import exact as exact_jacobian
from tfp_glow.analysis.stability.jacobian import largest_singular_values
from tfp_glow.analysis.stability.jacobian import Linearized
from tfp_glow.analysis.stability.parts import LinearizedParts
from tfp_glow.analysis.stability.parts import Part
from tfp_glow.analysis.stability.parts import take_apart
from tfp_glow.analysis.stability.report import Report
from tfp_glow.analysis.stability.round_trips import Errors
from tfp_glow.analysis.stability.round_trips import round_trip
from tfp_glow.analysis.stability.shadowing import Shadow
from tfp_glow.analysis.stability.shadowing import shadow
