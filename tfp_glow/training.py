# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Data, model and optimizer of a training, made from its settings."""

import collections
import math

import keras

from tfp_glow import datasets
from tfp_glow import models

Setting = collections.namedtuple("Setting", ["kind", "default", "help"])

# The settings of `train`, with absl's names for their kinds.
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
        "string", "learned", "learned (1x1 convolution), reverse or shuffle"
    ),
    "coupling": Setting(
        "string", "affine", "affine, additive, spline or mixture couplings"
    ),
    "scale": Setting(
        "string",
        "sigmoid",
        "scale of affine couplings: sigmoid, half_sigmoid, bounded_exp or exp",
    ),
    "network": Setting(
        "string", "paper", "the couplings' network: paper, gated or attention"
    ),
    "batch_size": Setting("integer", 64, "images in a step"),
    "init_batches": Setting("integer", 4, "batches that initialise ActNorm"),
    "learning_rate": Setting("float", 2e-3, "Adam's, after the warm-up"),
    "warmup_steps": Setting("integer", 100, "steps of linear warm-up"),
    "ema": Setting(
        "float", 0.99, "momentum of the weights' average that is evaluated"
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


def describe_data(settings):
    """The `DatasetInfo` of the data.

    Raises:
        ValueError: if there are no such data, or a split is missing.
    """
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
    names = (
        "num_levels",
        "num_steps",
        "num_filters",
        "permutation",
        "coupling",
        "scale",
        "network",
        "seed",
    )
    return models.GlowModel(
        info.image_shape,
        bins=info.bins,
        **{name: settings[name] for name in names},
    )


def make_optimizer(settings):
    """Adam with a warm-up, which also averages the weights."""
    # Past its first step the cosine is over and `alpha` holds the rate, so
    # this is a linear warm-up and a constant rate from then on.
    rate = settings["learning_rate"]
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=1,
        alpha=1.0,
        warmup_target=rate,
        warmup_steps=settings["warmup_steps"],
    )
    return keras.optimizers.Adam(
        schedule,
        global_clipnorm=100.0,
        use_ema=True,
        ema_momentum=settings["ema"],
    )


def load(settings, split, initial_epoch=None):
    """The batches of a split, see `datasets.load`."""
    return datasets.load(
        settings["dataset"],
        split,
        batch_size=settings["batch_size"],
        bins=settings["bins"],
        image_size=settings["image_size"],
        seed=settings["seed"],
        initial_epoch=initial_epoch,
        flip=settings["flip"] and split == "train",
    )


def steps_per_epoch(settings, info):
    """The number of batches of training in an epoch."""
    return info.num_examples["train"] // settings["batch_size"]


def time_limit(settings):
    """The seconds of training at most."""
    minutes = settings["max_minutes"]
    return math.inf if minutes is None else 60.0 * minutes
