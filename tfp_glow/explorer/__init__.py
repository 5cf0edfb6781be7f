# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The explorer: a page on which one plays with the latent space of a Glow."""

from tfp_glow.explorer.explorer import Explorer
from tfp_glow.explorer.server import Server
