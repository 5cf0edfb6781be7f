# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Keras models of distributions: the bridge from TFP to Keras 3."""

from tfp_glow.models.flow_model import FlowModel
from tfp_glow.models.glow_model import GlowModel
