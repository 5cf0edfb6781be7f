# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Latents: the latent space of a trained Glow, to look at and to play with."""

from tfp_glow.analysis.latents.attributes import Attribute
from tfp_glow.analysis.latents.attributes import attribute
from tfp_glow.analysis.latents.codes import decode
from tfp_glow.analysis.latents.codes import encode
from tfp_glow.analysis.latents.directions import Directions
from tfp_glow.analysis.latents.directions import principal_directions
from tfp_glow.analysis.latents.grids import Grid
from tfp_glow.analysis.latents.inpainting import inpaint
from tfp_glow.analysis.latents.inpainting import Inpainted
from tfp_glow.analysis.latents.interpolation import interpolate
from tfp_glow.analysis.latents.morphs import morph
from tfp_glow.analysis.latents.neighbors import nearest
from tfp_glow.analysis.latents.neighbors import Neighbors
from tfp_glow.analysis.latents.resampling import resample
from tfp_glow.analysis.latents.variation import vary
