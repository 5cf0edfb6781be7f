# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Instruments for trained flows, and for anything that has `log_prob`."""
