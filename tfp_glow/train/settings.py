# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The settings of a training run, and what is made from them."""

import dataclasses
import functools
import os
import typing
from typing import Literal

from tfp_glow import _lazy

# The command line reads the fields without waiting for these.
np = _lazy.module("numpy")
_checks = _lazy.module("tfp_glow._checks")
datasets = _lazy.module("tfp_glow.datasets")
files = _lazy.module("tfp_glow.datasets.files")
levels_ = _lazy.module("tfp_glow.bijectors.levels")
sources = _lazy.module("tfp_glow.datasets.sources")
models = _lazy.module("tfp_glow.models")
recipe = _lazy.module("tfp_glow.models.recipe")

# NumPy's seeds end here.
_MAX_INTEGER = 2**32 - 1
# The program computes each sample of the noise by operations of its own.
_MAXIMA = {"num_noise_samples": 1000}
# The square of a larger number may not be a float32.
_MAX_NUMBER = 1e18


def _setting(default, help, argument_of=None, may_change=False):
    metadata = dict(help=help, argument_of=argument_of, may_change=may_change)
    return dataclasses.field(default=default, metadata=metadata)


# A field with the name of an argument of `GlowModel`.
_model = functools.partial(_setting, argument_of="model")
# A field with the name and default of an argument of `make_optimizer`.
_recipe = functools.partial(_setting, argument_of="optimizer")
# A field that a resumed run may change.
_free = functools.partial(_setting, may_change=True)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that determines a training run.

    Flags, `config.json` and the arguments of `GlowModel` and
    `recipe.make_optimizer` derive from the fields. To make an option of `Glow`
    a setting, add one line, `name: type = _model(default, help)`. The type
    `Literal[...]` lists choices; tests compare them with the tables of names,
    which take long to import. Invalid values raise `ValueError` here, or in
    `data_info` and `make_model` if the data decide what is valid.
    """

    dataset: str = _setting(
        "digits",
        "digits, photos, photos_grey, a TFDS name, a folder of images, an .npy "
        "or .npz file",
    )
    image_size: int | None = _setting(
        None,
        "side in pixels, to which images are cropped and resized (their own if "
        "all have one size up to 256, or 64)",
    )
    crop: Literal["center", "random", "none"] = _setting(
        "center",
        "part of an image that is resized: its center, a random part in every "
        "epoch, or, with none, all of it, squeezed",
    )
    bins: int | None = _model(None, "number of gray levels (the data's own)")
    flip: bool = _setting(False, "flip training images at random")
    num_levels: int | None = _model(
        None, "levels, L in the paper (up to 3, as the image size allows)"
    )
    num_steps: int = _model(8, "steps per level, K in the paper")
    num_filters: int = _model(64, "width of the couplings' networks")
    permutation: Literal["learned", "reverse", "shuffle", "full"] = _model(
        "learned",
        "how a step mixes channels: learned (1x1 convolution, LU factors), "
        "full (1x1 convolution), reverse or shuffle (both fixed)",
    )
    coupling: Literal[
        "affine",
        "affine_half_sigmoid",
        "affine_bounded_exp",
        "affine_exp",
        "additive",
        "spline",
        "mixture",
    ] = _model(
        "affine",
        "transformation in the coupling layers; affine has the sigmoid scale of "
        "the paper's code, and affine_... another one",
    )
    initialization: Literal["normalize", "whiten"] = _model(
        "whiten",
        "what the first batches set: activation norms (normalize), or the 1x1 "
        "convolutions too (whiten)",
    )
    conditional: bool = _setting(False, "model images given their labels")
    conditioned: Literal["all", "priors"] = _model(
        "all", "parts of a conditional model that see the label"
    )
    classifier_weight: float = _model(
        0.0,
        "weight of an auxiliary classifier's loss; requires --conditional and "
        "--conditioned=priors (0: none; the paper uses 0.01)",
    )
    dequantizer: Literal["uniform", "learned"] = _model(
        "uniform", "noise added within a gray level"
    )
    num_noise_samples: int = _model(1, "noise samples in the training bound")
    stability_penalty: float = _setting(
        0.0,
        "weight of a penalty for stretched distances, in every tenth step "
        "(0: none; 1e-4 in the paper that proposes it)",
    )
    weight_noise: float = _model(
        0.2, "relative noise of the networks' kernels in training steps"
    )
    batch_size: int = _setting(32, "images per training step")
    init_batches: int = _setting(
        4, "batches that initialize the model (at most those of an epoch)"
    )
    optimizer: Literal["adam", "adamax"] = _recipe("adam", "optimizer")
    learning_rate: float = _recipe(2e-3, "rate after the warm-up")
    warmup_steps: int = _recipe(100, "steps of linear warm-up")
    decay: Literal["constant", "cosine"] = _recipe(
        "constant",
        "learning rate after the warm-up; cosine reaches 0 at the end of "
        "--epochs, even if --max_minutes or --patience stop training earlier",
    )
    beta_2: float = _recipe(0.999, "decay rate of the second moment")
    clipnorm: float = _recipe(100.0, "maximum gradient norm (0: no limit)")
    weight_decay: float = _recipe(1.0, "decay of the networks' kernels")
    ema: float = _recipe(
        0.999, "momentum of the averaged weights, which are evaluated (0: none)"
    )
    epochs: int = _free(100, "maximum number of epochs")
    max_minutes: float | None = _free(
        None,
        "maximum minutes of training, including earlier parts of a resumed run",
    )
    patience: int | None = _free(
        None, "epochs without a better validation loss before training stops"
    )
    seed: int = _model(0, "random seed of weights, data order and noise")
    strategy: Literal["none", "mirrored", "multi_worker"] = _free(
        "none",
        "devices: one (none), all of this machine (mirrored), or the machines "
        "in the environment variable TF_CONFIG (multi_worker)",
    )

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = checked(field.name, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        if self.conditioned == "priors" and not self.conditional:
            expected = "'all' without `conditional`"
            raise _checks.invalid_value("conditioned", "priors", expected)

    def updated(self, **changes):
        """Returns a copy with other values of some settings."""
        for name, value in changes.items():
            checked(name, value)
        return dataclasses.replace(self, **changes)

    def resumed(self, **given):
        """Returns a copy for a run that goes on with some settings `given`.

        Settings that shape the model or its training must be those of the run,
        or `None`. Raises `ValueError` that names the others.
        """
        fields = dataclasses.fields(self)
        free = {f.name for f in fields if f.metadata["may_change"]}
        if self.decay == "cosine":  # The number of epochs determines it.
            free.remove("epochs")
        changes, conflicts = {}, []
        for name, value in given.items():
            new, old = checked(name, value), getattr(self, name)
            if name == "dataset" and _absolute(new) == _absolute(old):
                continue
            if name in free:
                changes[name] = new
            elif new not in (None, old):
                conflicts.append(f"{name}={old!r} there, {new!r} here")
        if conflicts:
            raise ValueError(
                "Expected --out to be a new folder, or a run of the same "
                f"settings. Received: {'; '.join(conflicts)}"
            )
        return self.updated(**changes)

    def arguments(self, consumer):
        """Returns the arguments of the `"model"` or the `"optimizer"`."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.metadata["argument_of"] == consumer
        }

    def data_info(self):
        """Returns the `DatasetInfo` of the data, or raises `ValueError`."""
        info = datasets.info(
            self.dataset, bins=self.bins, image_size=self.image_size
        )
        if not all(info.num_examples.get(split) for split in datasets.SPLITS):
            raise ValueError(
                "Expected images in the splits train, validation and test of "
                f"{self.dataset!r}. Received: {info.num_examples}"
            )
        if self.conditional and info.num_classes is None:
            expected = f"False for {info.name!r}, which has no labels"
            raise _checks.invalid_value("conditional", True, expected)
        if info.image_shape[2] not in (1, 3):
            expected = (
                "images with one channel or three, such as gray or RGB without "
                f"alpha; their shape is {info.image_shape}"
            )
            raise _checks.invalid_value("dataset", self.dataset, expected)
        return info

    def completed(self, info):
        """Returns a copy with the values that depend on the `DatasetInfo`.

        A path of data is absolute, so that other commands find it from any
        folder.
        """
        changes = dict(bins=info.bins)
        if not sources.is_name(self.dataset):
            changes["dataset"] = _absolute(self.dataset)
        if self.num_levels is None:
            height, width, _ = info.image_shape
            levels = levels_.default_num_levels(info.image_shape)
            changes["num_levels"] = levels
            if levels < 3 and min(height, width) > 8:
                files.say(
                    f"Images of {width}x{height} pixels take {levels} of 3 "
                    "levels, because 3 need sides that are multiples of 8."
                )
        return self.updated(**changes)

    def load(self, split, **kwargs):
        """Loads a split as `datasets.load` does, with labels if conditional."""
        arguments = dict(
            bins=self.bins,
            image_size=self.image_size,
            crop=self.crop,
            as_supervised=self.conditional,
        )
        return datasets.load(self.dataset, split, **(arguments | kwargs))

    def examples(self, split, num=None, shuffle=False, seed=None):
        """Returns images, and labels or `None`, as arrays, in a fixed order.

        With `shuffle` it is the order of a seed.
        """
        crop = "center" if self.crop == "random" else self.crop
        dataset = self.load(split, shuffle=shuffle, seed=seed, crop=crop)
        dataset = dataset if num is None else dataset.take(num)
        examples = list(dataset.as_numpy_iterator())
        if not self.conditional:
            return np.stack(examples), None
        return tuple(np.stack(arrays) for arrays in zip(*examples))

    def make_model(self, info):
        """Returns a new `GlowModel` of images as `info` describes them."""
        return models.GlowModel(
            info.image_shape,
            num_classes=info.num_classes if self.conditional else None,
            **self.arguments("model"),
        )

    def make_optimizer(self, info):
        """Returns the optimizer; `info` tells the length of an epoch."""
        return recipe.make_optimizer(
            **self.arguments("optimizer"),
            total_steps=self.epochs * self.steps_per_epoch(info),
        )

    def steps_per_epoch(self, info):
        """Returns the number of training batches in an epoch, at least one."""
        return max(1, info.num_examples["train"] // self.batch_size)


def checked(name, value):
    """Returns a setting as a value for JSON, or raises `ValueError`."""
    fields = {field.name: field.type for field in dataclasses.fields(Settings)}
    _checks.choice("settings", name, fields)
    kind = fields[name]
    kinds = typing.get_args(kind) or (kind,)
    if typing.get_origin(kind) is Literal:
        _checks.choice(name, value, kinds)
    elif value is None and type(None) in kinds:
        return None
    elif int in kinds:
        minimum = 0 if name in ("seed", "warmup_steps", "patience") else 1
        maximum = _MAXIMA.get(name, _MAX_INTEGER)
        expected = f"an integer from {minimum} to {maximum}"
        [value] = _checks.integers(minimum, expected, **{name: value})
        if value > maximum:
            raise _checks.invalid_value(name, value, expected)
    elif float in kinds:
        is_positive = name == "max_minutes"
        sign = "a positive" if is_positive else "a non-negative"
        return _checks.number(
            name,
            value,
            f"{sign} number, at most {_MAX_NUMBER}",
            lambda x: 0.0 <= x <= _MAX_NUMBER and (x > 0.0 or not is_positive),
        )
    elif bool in kinds:
        return _checks.booleans(**{name: value})[name]
    elif isinstance(value, os.PathLike):
        # A relative path must not become the name of a data set.
        value = _absolute(value)
    elif not isinstance(value, str):
        raise _checks.invalid_value(name, value, "a name or a path")
    return value


def _absolute(path):
    return os.path.abspath(os.path.expanduser(os.fsdecode(path)))
