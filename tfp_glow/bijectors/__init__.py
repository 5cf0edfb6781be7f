# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The bijectors, one a file."""

from tfp_glow.bijectors.actnorm import ActNorm
from tfp_glow.bijectors.affine_coupling import AffineCoupling
from tfp_glow.bijectors.coupling import Coupling
from tfp_glow.bijectors.full_1x1_conv import FullInvertible1x1Conv
from tfp_glow.bijectors.glow import Glow
from tfp_glow.bijectors.invertible_1x1_conv import Invertible1x1Conv
from tfp_glow.bijectors.mixture_coupling import MixtureCoupling
from tfp_glow.bijectors.mixture_of_logistics import MixtureOfLogistics
from tfp_glow.bijectors.repeated import Repeated
from tfp_glow.bijectors.spline_coupling import SplineCoupling
from tfp_glow.bijectors.squeeze import Squeeze
from tfp_glow.bijectors.tfb_glow import from_tfb_glow
from tfp_glow.bijectors.transformers import Additive
from tfp_glow.bijectors.transformers import Affine
from tfp_glow.bijectors.transformers import Elementwise
from tfp_glow.bijectors.transformers import Mixture
from tfp_glow.bijectors.transformers import Spline
from tfp_glow.bijectors.transformers import Transformer
