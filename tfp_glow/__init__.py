# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Glow normalizing flows for TensorFlow Probability and Keras 3."""

from tfp_glow import callbacks as callbacks
from tfp_glow import datasets as datasets
from tfp_glow import layers as layers
from tfp_glow import presets as presets
from tfp_glow import recipe as recipe
from tfp_glow import toy as toy
from tfp_glow.bijectors import ActNorm as ActNorm
from tfp_glow.bijectors import AffineCoupling as AffineCoupling
from tfp_glow.bijectors import Coupling as Coupling
from tfp_glow.bijectors import FullInvertible1x1Conv as FullInvertible1x1Conv
from tfp_glow.bijectors import Glow as Glow
from tfp_glow.bijectors import (
    HouseholderInvertible1x1Conv as HouseholderInvertible1x1Conv,
)
from tfp_glow.bijectors import Invertible1x1Conv as Invertible1x1Conv
from tfp_glow.bijectors import MixtureCoupling as MixtureCoupling
from tfp_glow.bijectors import MixtureOfLogistics as MixtureOfLogistics
from tfp_glow.bijectors import Repeated as Repeated
from tfp_glow.bijectors import SplineCoupling as SplineCoupling
from tfp_glow.bijectors import Squeeze as Squeeze
from tfp_glow.dequantized import Dequantized as Dequantized
from tfp_glow.dequantizer import Dequantizer as Dequantizer
from tfp_glow.distributions import bits_per_dim as bits_per_dim
from tfp_glow.distributions import glow_distribution as glow_distribution
from tfp_glow.models import FlowModel as FlowModel
from tfp_glow.models import GlowModel as GlowModel
from tfp_glow.vectors import vector_flow as vector_flow
from tfp_glow.version import __version__ as __version__
