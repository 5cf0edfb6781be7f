# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Distributions: flows, integer images, toy densities and baselines."""
