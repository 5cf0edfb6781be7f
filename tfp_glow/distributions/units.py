# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Unit conversion of log-probabilities."""

import math


def bits_per_dim(log_prob, event_size):
    """Converts log-probabilities in nats to bits per dimension of an event.

    Returns `-log_prob / (event_size * ln 2)`.
    """
    return -log_prob / (event_size * math.log(2.0))
