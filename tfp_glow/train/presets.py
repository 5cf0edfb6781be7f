# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The paper's trainings by name: models, recipes and published bits/dim.

```python
preset = tfg.presets.get("cifar10")
preset.published_bits_per_dim  # 3.35
model = preset.model()
model.compile(preset.optimizer())
```

or `python -m tfp_glow train --preset=cifar10`, where flags override it.

What they have in common, unless the commands of the reference code say
otherwise: networks of 512 channels, affine couplings, learned 1x1 convolutions;
Adamax at 1e-3 with a memory of one epoch, linear warm-up over 10, neither
clipping nor averaged weights. There an epoch is 50,000 images of 32x32, or as
many pixels of larger ones, on 8 devices 98 steps.

What differs here: networks have bounds; 1x1 convolutions are kept as LU
factors; the prior at the top has a mean and a scale for every element, not for
every channel and distance to the edge. Keras' Adamax does not scale its first
steps by `sqrt(1 - beta_2**t)`. The reference code shifts CIFAR-10 by up to
a tenth at random and trains on all 50,000 images, our splits leave 45,000. Text
and code disagree about the optimizer, which the paper calls Adam.

References:
    Kingma and Dhariwal, Glow, 2018, sections 5 and 6, table 2, figure 3, and
    the appendix's hyperparameters; the paper's code, github.com/openai/glow:
    the commands of `README.md`, the defaults of `train.py`, and `optim.py`.
"""

import dataclasses
import functools
import types
from collections.abc import Mapping

from tfp_glow import _checks
from tfp_glow import models
from tfp_glow.train import recipe
from tfp_glow.train import training

_PRESETS = {}


@dataclasses.dataclass(frozen=True)
class Preset:
    """A training of the paper.

    Attributes:
        name: `str`.
        image_shape: `(H, W, C)`.
        settings: settings of `train` that are not its defaults; `dataset` is a
            name of TFDS.
        published_bits_per_dim: `float`, on images that were not trained on, or
            `None` if no number was published.
        num_classes: `int`, of those data; `None` if the images are modelled
            without.
    """

    name: str
    image_shape: tuple
    settings: Mapping
    published_bits_per_dim: float | None
    num_classes: int | None

    def model(self, **overrides):
        """The model, not trained: a `GlowModel`.

        Args:
            **overrides: arguments of `GlowModel` that shall differ.
        """
        settings = training.complete(self.settings)
        arguments = training.model_settings(settings)
        arguments["bins"] = settings["bins"]
        arguments["image_shape"] = self.image_shape
        arguments["num_classes"] = self.num_classes
        return models.GlowModel(**{**arguments, **overrides})

    def optimizer(self, **overrides):
        """The optimizer, a Keras one.

        Args:
            **overrides: arguments of `recipe.make_optimizer` that shall differ.
        """
        arguments = training.recipe_settings(training.complete(self.settings))
        return recipe.make_optimizer(**{**arguments, **overrides})


def names():
    """The names of all presets, a list of `str`."""
    return list(_PRESETS)


def get(name):
    """The `Preset` of a name.

    Raises:
        ValueError: if there is none, with the nearest name.
    """
    _checks.choice("name", name, names())
    return _PRESETS[name]()


def _preset(function):
    """Registers a function of no arguments that returns a preset's fields."""

    @functools.wraps(function)
    def make():
        return Preset(name=function.__name__, **function())

    _PRESETS[function.__name__] = make
    return make


def _fields(
    size,
    bits=8,
    published=None,
    coupling="affine",
    num_classes=None,
    **settings,
):
    if num_classes is not None:
        settings.update(
            conditional=True, conditioned="priors", classifier_weight=0.01
        )
    return dict(
        image_shape=(size, size, 3),
        num_classes=num_classes,
        published_bits_per_dim=published,
        settings=types.MappingProxyType(
            dict(
                image_size=size,
                bins=2**bits,
                num_filters=512,
                coupling=coupling,
                init_batches=1,
                optimizer="adamax",
                learning_rate=1e-3,
                clipnorm=0.0,
                ema=0.0,
            )
            | settings
        ),
    )


# Of 8 devices, which see 512 images of 32x32 in a step, and of 40.
_ON_8 = dict(warmup_steps=977, beta_2=1 - 1 / 98)
_ON_40 = dict(warmup_steps=196, beta_2=1 - 1 / 20)


def _cifar10(**fields):
    return _fields(
        32,
        dataset="cifar10",
        num_levels=3,
        num_steps=32,
        batch_size=512,
        epochs=1800,
        **_ON_8,
        **fields,
    )


@_preset
def cifar10():
    """CIFAR-10: 3.35 bits/dim, in table 2."""
    return _cifar10(published=3.35)


@_preset
def imagenet32():
    """ImageNet reduced to 32x32: 4.09 bits/dim, in table 2."""
    return _fields(
        32,
        published=4.09,
        dataset="downsampled_imagenet/32x32",
        num_levels=3,
        num_steps=48,
        batch_size=512,
        **_ON_8,
    )


@_preset
def imagenet64():
    """ImageNet reduced to 64x64: 3.81 bits/dim, in table 2."""
    return _fields(
        64,
        published=3.81,
        dataset="downsampled_imagenet/64x64",
        num_levels=4,
        num_steps=48,
        batch_size=128,
        **_ON_8,
    )


def _lsun64(category, published):
    return _fields(
        64,
        published=published,
        dataset=f"lsun/{category}",
        num_levels=3,
        num_steps=48,
        batch_size=128,
        **_ON_8,
    )


@_preset
def lsun64():
    """LSUN's bedrooms at 64x64: 2.38 bits/dim, in table 2.

    Of images reduced to 96 pixels and cropped to 64 at random. TFDS has them
    larger, and `train` would crop them as they are: give it a folder of reduced
    ones by `--dataset`.
    """
    return _lsun64("bedroom", 2.38)


@_preset
def lsun64_tower():
    """LSUN's towers at 64x64: 2.46 bits/dim, in table 2. See `lsun64`."""
    return _lsun64("tower", 2.46)


@_preset
def lsun64_church():
    """LSUN's churches at 64x64: 2.67 bits/dim, in table 2. See `lsun64`."""
    return _lsun64("church_outdoor", 2.67)


@_preset
def celebahq256():
    """CelebA-HQ at 256x256, 5 bits, additive: 1.03 bits/dim.

    The paper shows samples of it, and no number; this one is what later papers
    say of it: Menick and Kalchbrenner, Generating High Fidelity Images with
    Subscale Pixel Networks, 2019; Chen et al., Residual Flows, 2019.
    """
    return _fields(
        256,
        bits=5,
        published=1.03,
        coupling="additive",
        dataset="celeb_a_hq/256",
        num_levels=6,
        num_steps=32,
        batch_size=40,
        **_ON_40,
    )


@_preset
def cifar10_conditional():
    """CIFAR-10 given its classes, 5 bits, additive: no bits/dim published.

    The classes move the priors: the one at the top alone there, those of all
    levels here. A classifier is trained too, with the weight 0.01.
    """
    return _cifar10(bits=5, coupling="additive", num_classes=10)


@_preset
def imagenet32_conditional():
    """ImageNet at 32x32 given its classes, 5 bits, additive: no bits/dim.

    See `cifar10_conditional`.
    """
    return _fields(
        32,
        bits=5,
        coupling="additive",
        dataset="imagenet_resized/32x32",
        num_levels=3,
        num_steps=48,
        batch_size=512,
        num_classes=1000,
        **_ON_8,
    )


@_preset
def cifar10_additive():
    """The ablation with additive couplings: no bits/dim but figure 3's curve.

    The ablation with affine couplings and 1x1 convolutions is `cifar10`.
    """
    return _cifar10(coupling="additive")


@_preset
def cifar10_shuffle():
    """The ablation with fixed shuffles of the channels: figure 3's curve."""
    return _cifar10(permutation="shuffle")


@_preset
def cifar10_shuffle_additive():
    """The ablation with shuffles and additive couplings: figure 3's curve."""
    return _cifar10(permutation="shuffle", coupling="additive")


@_preset
def cifar10_reverse():
    """The ablation that reverses the channels: figure 3's curve."""
    return _cifar10(permutation="reverse")


@_preset
def cifar10_reverse_additive():
    """The ablation that reverses, with additive couplings: figure 3's curve."""
    return _cifar10(permutation="reverse", coupling="additive")
