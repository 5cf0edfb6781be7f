# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Data, model and optimizer of a training, made from its settings."""

import collections
import math

import numpy as np

from tfp_glow import datasets
from tfp_glow import models
from tfp_glow.train import recipe

Setting = collections.namedtuple("Setting", ["kind", "default", "help"])

# The settings of `train`, with absl's names for their kinds. What resumes a run
# of a version that lacked one takes its default for what was done then.
SETTINGS = {
    "dataset": Setting(
        "string",
        "digits",
        "digits, photos, a TFDS name, a folder of images, an .npy or .npz file",
    ),
    "image_size": Setting("integer", None, "side to crop or pad images to"),
    "bins": Setting("integer", None, "grey levels (the data set's own)"),
    "flip": Setting("boolean", False, "flip training images at random"),
    "num_levels": Setting(
        "integer", None, "levels, L in the paper (up to 3, as the size allows)"
    ),
    "num_steps": Setting("integer", 8, "steps of a level, K in the paper"),
    "num_filters": Setting("integer", 64, "width of the couplings' networks"),
    "permutation": Setting(
        "string",
        "learned",
        "learned, full or householder (1x1 convolutions), reverse, shuffle",
    ),
    "coupling": Setting(
        "string", "affine", "affine, additive, spline or mixture couplings"
    ),
    "scale": Setting(
        "string",
        "sigmoid",
        "scale of affine couplings: sigmoid, half_sigmoid, bounded_exp or exp",
    ),
    "network": Setting("string", "paper", "the couplings' network: paper"),
    "initialization": Setting(
        "string",
        "normalize",
        "what the first batches set: normalize (activation norms) or whiten "
        "(1x1 convolutions too)",
    ),
    "conditional": Setting(
        "boolean", False, "model images given their classes, the data's labels"
    ),
    "conditioned": Setting(
        "string", "all", "what knows the class: all, or the priors alone"
    ),
    "classifier_weight": Setting(
        "float",
        0.0,
        "weight of a classifier that is trained beside, where the priors alone "
        "know the class (0: none; the paper's is 0.01)",
    ),
    "dequantizer": Setting(
        "string", "uniform", "noise inside a grey level: uniform or learned"
    ),
    "num_noise_samples": Setting(
        "integer", 1, "draws of that noise in the bound that is trained"
    ),
    "batch_size": Setting("integer", 64, "images in a step"),
    "init_batches": Setting("integer", 4, "batches that initialise ActNorm"),
    "optimizer": Setting("string", "adam", "adam or adamax"),
    "learning_rate": Setting("float", 2e-3, "after the warm-up"),
    "warmup_steps": Setting("integer", 100, "steps of linear warm-up"),
    "decay": Setting(
        "string",
        "constant",
        "constant after the warm-up, or cosine down to 0 at the last of the "
        "epochs, whether or not max_minutes or patience end it before",
    ),
    "beta_2": Setting("float", 0.999, "memory of the gradients' size"),
    "clipnorm": Setting(
        "float", 100.0, "largest norm of the whole gradient (0: no limit)"
    ),
    "ema": Setting(
        "float",
        0.99,
        "momentum of the weights' average that is evaluated (0: no average)",
    ),
    "epochs": Setting("integer", 100, "epochs at most"),
    "max_minutes": Setting(
        "float", None, "minutes of training at most, resumed ones included"
    ),
    "patience": Setting(
        "integer", None, "epochs without a better validation before stopping"
    ),
    "seed": Setting("integer", 0, "seed of weights, data order and noise"),
    "strategy": Setting(
        "string",
        "none",
        "none (one device), mirrored (all of this machine's), multi_worker "
        "(the machines of the environment's TF_CONFIG)",
    ),
}


def complete(settings):
    """The settings, and the defaults of those that are left out."""
    defaults = {name: setting.default for name, setting in SETTINGS.items()}
    return {**defaults, **settings}


def describe_data(settings):
    """The `DatasetInfo` of the data.

    Raises:
        ValueError: if there are no such data, or a split is missing, or the
            labels of a conditional run, or if a run that is not conditional
            says where the condition is to enter.
    """
    if settings["conditioned"] == "priors" and not settings["conditional"]:
        raise ValueError(
            "Invalid value received for setting `conditioned`. Expected 'all' "
            "without `conditional`. Received: conditioned='priors'"
        )
    info = datasets.info(
        settings["dataset"],
        bins=settings["bins"],
        image_size=settings["image_size"],
    )
    for split in ("train", "validation", "test"):
        if not info.num_examples.get(split):
            raise ValueError(
                f"Expected images in the splits train, validation and test of "
                f"{settings['dataset']!r}. Received: {info.num_examples}"
            )
    if settings["conditional"] and info.num_classes is None:
        raise ValueError(
            "Invalid value received for setting `conditional`. Expected False "
            f"for {info.name!r}, which has no labels. Received: "
            f"conditional={settings['conditional']}"
        )
    return info


def fill_in(settings, info):
    """Replaces what settings leave to the data by values."""
    settings["dataset"] = info.name  # A `str`, for a path too.
    settings["bins"] = info.bins
    if settings["num_levels"] is None:
        settings["num_levels"] = default_num_levels(info.image_shape)


def default_num_levels(image_shape):
    """At most 3, and as many as leave at least 2 x 2 pixels at the top."""
    height, width, _ = image_shape
    for levels in (3, 2):
        size = 2 ** (levels + 1)
        if min(height, width) >= size and not (
            height % 2**levels or width % 2**levels
        ):
            return levels
    return 1


def make_model(settings, info):
    """A `GlowModel` of images as `info` describes them."""
    return models.GlowModel(
        info.image_shape,
        bins=info.bins,
        num_classes=info.num_classes if settings["conditional"] else None,
        **model_settings(settings),
    )


def model_settings(settings):
    """Those of the settings that are the model's, whatever the images."""
    names = (
        "num_levels",
        "num_steps",
        "num_filters",
        "permutation",
        "coupling",
        "scale",
        "network",
        "initialization",
        "conditioned",
        "classifier_weight",
        "dequantizer",
        "num_noise_samples",
        "seed",
    )
    return {name: settings[name] for name in names}


def make_optimizer(settings, info):
    """The optimizer of a run, see `recipe.make_optimizer`."""
    return recipe.make_optimizer(
        **recipe_settings(settings),
        total_steps=settings["epochs"] * steps_per_epoch(settings, info),
    )


def recipe_settings(settings):
    """Those of the settings that are the optimizer's."""
    names = (
        "optimizer",
        "learning_rate",
        "warmup_steps",
        "decay",
        "beta_2",
        "clipnorm",
        "ema",
    )
    return {name: settings[name] for name in names}


def load(settings, split, initial_epoch=None):
    """The batches of a split, with labels if conditional: `datasets.load`'s."""
    return datasets.load(
        settings["dataset"],
        split,
        batch_size=settings["batch_size"],
        bins=settings["bins"],
        image_size=settings["image_size"],
        seed=settings["seed"],
        initial_epoch=initial_epoch,
        as_supervised=settings["conditional"],
        flip=settings["flip"] and split == "train",
    )


def labels_in_turn(num, num_classes):
    """Labels 0, 1, 2, ... round and round, `[num]`; `None` without classes."""
    return None if num_classes is None else np.arange(num) % num_classes


def steps_per_epoch(settings, info):
    """The number of batches of training in an epoch."""
    return info.num_examples["train"] // settings["batch_size"]


def time_limit(settings):
    """The seconds of training at most."""
    minutes = settings["max_minutes"]
    return math.inf if minutes is None else 60.0 * minutes
