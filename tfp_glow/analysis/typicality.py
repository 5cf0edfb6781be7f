# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Typicality: scores that tell images like those of a training from others.

A higher score means a more unusual image. Flows give simple images a high
likelihood, so `bits_per_dim` does not find them, but other scores do:

| score | reference |
|---|---|
| `bits_per_dim` | Bishop, Novelty detection and neural network validation, 1994 |
| `typicality` | Nalisnick et al., Detecting out-of-distribution inputs to deep generative models using typicality, 2019 |
| `likelihood_ratio` | Ren et al., Likelihood ratios for out-of-distribution detection, 2019 |
| `input_complexity` | Serra et al., Input complexity and out-of-distribution detection with likelihood-based generative models, 2020 |

Example:

```python
model = tfg.GlowModel.from_preset("digits")
digits = np.stack(list(tfg.datasets.load("digits", "test")))
noise = np.random.default_rng(0).integers(0, 17, digits.shape)
scores = [tfg.typicality.input_complexity(model, x) for x in (digits, noise)]
tfg.typicality.roc(*scores).auroc
```

The images are integers `[N, H, W, C]` in `[0, bins)`. A model is whatever
`tfg.perception` takes: a `FlowModel`, or a distribution of images.
"""

import dataclasses
import io
import math

import numpy as np

from tfp_glow import _checks
from tfp_glow.analysis import density
from tfp_glow.distributions import units


def bits_per_dim(model, images, seed=0):
    """Computes the negative log-likelihood of images in bits per dimension.

    All images get the same dequantization noise, so that they are compared on
    equal terms. For a dequantized flow the result is an upper bound, up to the
    noise.

    Args:
        model: `FlowModel` without conditioning, or `tfd.Distribution` of images.
        images: integers `[N, H, W, C]`, the model's gray levels.
        seed: `int`, of the noise.

    Returns:
        float64 array `[N]`.

    Raises:
        TypeError, ValueError: for an empty batch, images of another size, dtype
            or range, or a model that is not a density of images.
    """
    own, images = density.of(model), np.asarray(images)
    _checks.events([(images.shape, images.dtype)], own.distribution)
    _checks.event_values(images, own.bins)
    log_probs = own.log_prob(images, own.draw_noise(_checks.seed(seed)))
    return np.asarray(units.bits_per_dim(log_probs, own.event_size))


def typicality(model, images, entropy, batch_size=1, seed=0):
    """Computes how far bits per dimension are from the training entropy.

    ```none
    score = |mean of bits_per_dim over a batch - entropy|
    ```

    Unlike the likelihood, it also finds images that are too likely. A batch of
    several images, of which all are usual or none is, tells more than one.

    Args:
        model, images, seed: see `bits_per_dim`.
        entropy: `float`, the mean of `bits_per_dim` over training images.
        batch_size: positive `int`, at most `N`. A last batch that is not full
            is left out.

    Returns:
        float64 array `[N // batch_size]`.
    """
    entropy = _checks.number(
        "entropy", entropy, "a finite number of bits per dim", math.isfinite
    )
    [size] = _checks.positive_integer(batch_size=batch_size)
    if size > len(images):
        expected = f"at most the number of images, {len(images)}"
        raise _checks.invalid_value("batch_size", size, expected)
    bits = bits_per_dim(model, images, seed)
    batches = bits[: len(bits) // size * size].reshape([-1, size])
    return np.abs(batches.mean(axis=1) - entropy)


def likelihood_ratio(model, background, images, seed=0):
    """Compares a model with a background model that sees less structure.

    ```none
    score = bits_per_dim(model) - bits_per_dim(background)
    ```

    Both models get the same noise.

    Args:
        model, images, seed: see `bits_per_dim`.
        background: another density of the same images, for example a model of
            the same kind that was trained on the images of `mutate`.

    Returns:
        float64 array `[N]`.
    """
    bits = bits_per_dim(model, images, seed)
    return bits - bits_per_dim(background, images, seed)


def mutate(images, rate, bins, seed=0):
    """Replaces a share of the values by uniformly random gray levels.

    A model of the result learns what is left of the images, their background.

    Args:
        images: integers `[N, H, W, C]` in `[0, bins)`.
        rate: `float` in [0, 1], the probability of a replacement.
        bins: `int`, number of gray levels.
        seed: `int`.
    """
    rate = _checks.number(
        "rate", rate, "a number in [0, 1]", lambda x: 0.0 <= x <= 1.0
    )
    [bins] = _checks.integers(2, "at least 2 gray levels", bins=bins)
    images = np.asarray(images)
    _checks.event_values(images, bins)
    random = np.random.default_rng(_checks.seed(seed))
    levels = random.integers(0, bins, images.shape, images.dtype)
    return np.where(random.random(images.shape) < rate, levels, images)


def input_complexity(model, images, seed=0):
    """Subtracts what a PNG file takes from the model's bits per dimension.

    ```none
    score = bits_per_dim(model) - png_bits_per_dim
    ```

    Simple images make a small file, so it takes away the advantage that the
    likelihood gives them. Args: see `bits_per_dim`.

    Returns:
        float64 array `[N]`.
    """
    return bits_per_dim(model, images, seed) - png_bits_per_dim(images)


def png_bits_per_dim(images):
    """Computes the sizes of images as PNG files, in bits per dimension.

    The files are those of Pillow with `optimize=True`. About 70 bytes are a
    header, which is the same for all images of a shape.

    Args:
        images: integers `[N, H, W, C]` in `[0, 256)`, with one channel or three.

    Returns:
        float64 array `[N]`.
    """
    from PIL import Image

    images = np.asarray(images)
    _checks.event_values(images, 256)
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            "Expected images [N, H, W, C] with one channel or three, because "
            f"PNG has no others. Received: shape {images.shape}"
        )
    sizes = []
    for image in images.astype(np.uint8):
        file = io.BytesIO()
        image = image[..., 0] if image.shape[-1] == 1 else image
        Image.fromarray(image).save(file, "png", optimize=True)
        sizes.append(8 * file.tell())
    return np.array(sizes) / images[0].size


@dataclasses.dataclass(frozen=True, eq=False)
class ROC:
    """A receiver operating characteristic.

    Attributes:
        false_positive_rate: array `[K]`, shares of usual images that are called
            unusual, from 0 to 1.
        true_positive_rate: array `[K]`, shares of unusual images that are.
        thresholds: array `[K]`, images of at least this score are called
            unusual.
        auroc: `float`, the area under the curve: the probability that an
            unusual image has a higher score than a usual one. 0.5 is chance.
    """

    false_positive_rate: np.ndarray
    true_positive_rate: np.ndarray
    thresholds: np.ndarray
    auroc: float


def roc(usual, unusual):
    """Computes the `ROC` with which scores tell unusual images from usual ones.

    Args:
        usual: finite scores `[N]`, of images like those of the training.
        unusual: finite scores `[M]`, of others.

    Raises:
        ValueError: if one of them is empty, or has values that are not finite.
    """
    from sklearn import metrics

    scores = [np.asarray(s, np.float64) for s in (usual, unusual)]
    for name, values in zip(("usual", "unusual"), scores):
        if values.ndim != 1 or not values.size:
            raise ValueError(
                "Expected scores [N] of both classes, at least one of each. "
                f"Received: `{name}` of shape {values.shape}"
            )
        if not np.isfinite(values).all():
            count = np.sum(~np.isfinite(values))
            raise ValueError(
                f"Expected finite scores. Received: {count} of {values.size} "
                f"in `{name}` that are not"
            )
    labels = np.repeat([0, 1], [len(s) for s in scores])
    curve = metrics.roc_curve(labels, np.concatenate(scores))
    return ROC(*curve, float(metrics.auc(*curve[:2])))
