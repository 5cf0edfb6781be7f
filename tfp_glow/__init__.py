# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Glow normalizing flows for TensorFlow Probability and Keras 3."""

import importlib
import os
import sys

from tfp_glow import _arguments
from tfp_glow.version import __version__ as __version__

# Public classes and functions, and their modules.
_NAMES = {
    "ActNorm": "bijectors.actnorm",
    "Additive": "bijectors.transformers",
    "Affine": "bijectors.transformers",
    "AffineCoupling": "bijectors.affine_coupling",
    "Coupling": "bijectors.coupling",
    "Elementwise": "bijectors.transformers",
    "FullInvertible1x1Conv": "bijectors.full_1x1_conv",
    "Glow": "bijectors.glow",
    "Invertible1x1Conv": "bijectors.invertible_1x1_conv",
    "Mixture": "bijectors.transformers",
    "MixtureCoupling": "bijectors.mixture_coupling",
    "MixtureOfLogistics": "bijectors.mixture_of_logistics",
    "Repeated": "bijectors.repeated",
    "Spline": "bijectors.transformers",
    "SplineCoupling": "bijectors.spline_coupling",
    "Squeeze": "bijectors.squeeze",
    "Transformer": "bijectors.transformers",
    "from_tfb_glow": "bijectors.tfb_glow",
    "Dequantized": "distributions.dequantized",
    "NoiseFlow": "distributions.noise_flow",
    "bits_per_dim": "distributions.units",
    "glow_distribution": "distributions.flows",
    "vector_flow": "distributions.flows",
    "FlowModel": "models.flow_model",
    "GlowModel": "models.glow_model",
}

# Public modules. They load on first use, because some of them import
# Matplotlib, scikit-learn, scikit-image or TFDS.
_MODULES = {
    "baselines": "distributions.baselines",
    "callbacks": "train.callbacks",
    "datasets": "datasets",
    "latents": "analysis.latents",
    "layers": "models.layers",
    "networks": "networks",
    "perception": "analysis.perception",
    "plots": "train.plots",
    "presets": "train.presets",
    "recipe": "models.recipe",
    "stability": "analysis.stability",
    "toy": "distributions.toy",
    "typicality": "analysis.typicality",
}


__all__ = sorted([*_NAMES, *_MODULES])


def __getattr__(name):
    if name in _NAMES:
        module = importlib.import_module(f"tfp_glow.{_NAMES[name]}")
        value = getattr(module, name)
    elif name in _MODULES:
        value = importlib.import_module(f"tfp_glow.{_MODULES[name]}")
    else:
        raise AttributeError(
            f"module 'tfp_glow' has no attribute {name!r}",
            name=name,
            obj=sys.modules[__name__],
        )
    globals()[name] = _arguments.suggest(value)
    return globals()[name]


def __dir__():
    hidden = [name for name in globals() if name.startswith("__")]
    return sorted({*hidden, *__all__})


# Keras can load a saved model only after its class was registered. The command
# line imports the models itself when a command needs them, so that `--help` does
# not wait for TensorFlow.
_started_by = sys.orig_argv[1:3]
if _started_by != ["-m", "tfp_glow"] and not (
    _started_by and os.path.basename(_started_by[0]) == "tfp-glow"
):
    importlib.import_module("tfp_glow.models")
