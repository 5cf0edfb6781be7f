# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Attributes: directions in the latent space, from labels of images."""

import dataclasses

import numpy as np
import sklearn.covariance
import sklearn.linear_model

from tfp_glow import _checks
from tfp_glow.analysis.latents import codes

METHODS = ("mean", "logistic")


@dataclasses.dataclass(frozen=True, eq=False)
class Attribute:
    """A direction in which images get more of an attribute.

    The unit is the distance between the means of the two classes: a projection
    is 0 at the mean of the negative class and 1 at that of the positive one,
    and a strength of 1 moves by as much.

    Attributes:
        direction: float64 `[D]`, the change of a latent vector at strength 1.
        normal: float64 `[D]`. `normal @ direction` is 1.
        origin: float64 `[D]`, the mean of the negative class.
        name: `str`.
    """

    direction: np.ndarray
    normal: np.ndarray
    origin: np.ndarray
    name: str

    def apply(self, latents, strength):
        """Returns latents `[..., D]` with more of the attribute.

        Args:
            latents: array `[..., D]`.
            strength: finite `float`, or an array that broadcasts to `[...]`.
        """
        strength = np.asarray(strength, np.float64)
        if not np.all(np.isfinite(strength)):
            raise _checks.invalid_value("strength", strength, "finite numbers")
        return latents + strength[..., np.newaxis] * self.direction

    def project(self, latents):
        """Returns how much latents `[..., D]` have of the attribute, `[...]`."""
        return (np.asarray(latents) - self.origin) @ self.normal


def attribute(
    model,
    images,
    labels,
    positive,
    negative=None,
    method="mean",
    conditioning=None,
):
    """Finds the direction from one class of images to another.

    With the covariance `S` of the latents within the classes, shrunk by Ledoit
    and Wolf (2004), the latents are whitened. There, the direction is the
    difference of the means or the normal of a logistic regression.

    ```none
    mean:      direction = m1 - m0         normal = S^-1 (m1 - m0)
    logistic:  direction = S^(1/2) c       normal = S^(-1/2) c
    ```

    both scaled to the unit of `Attribute`, where `c` are the coefficients in
    the whitened space.

    Args:
        model: `GlowModel`.
        images: integers `[N, H, W, C]`.
        labels: `[N]`, of any kind that can be compared.
        positive: label, or list of labels, of the positive class.
        negative: the same of the negative class; `None` for all others.
        method: `"mean"` or `"logistic"`.
        conditioning: as in `encode`, if the model is conditional. The latents
            of a model that was given the class hardly tell the class, so use
            `morph` to change it, and an attribute for anything else.

    Returns:
        `Attribute`.

    Raises:
        ValueError: if there are not two images of each class.
    """
    _checks.choice("method", method, METHODS)
    if labels is None:
        raise ValueError(
            "Expected `labels` of the images, an array [N], by which they have "
            "the attribute or not. Received: None"
        )
    labels = np.asarray(labels)
    if labels.shape != (len(images),):
        expected = f"an array of one label for each of {len(images)} images"
        raise _checks.invalid_value("labels", labels.shape, expected)
    is_positive = np.isin(labels, positive)
    is_negative = (
        ~is_positive if negative is None else np.isin(labels, negative)
    )
    if min(np.sum(is_positive), np.sum(is_negative)) < 2 or np.any(
        is_positive & is_negative
    ):
        raise ValueError(
            "Expected two different classes with at least 2 images each. "
            f"Received: {np.sum(is_positive)} images of positive={positive!r}, "
            f"{np.sum(is_negative)} of negative={negative!r}, of the labels "
            f"{np.unique(labels).tolist()}"
        )
    used = is_positive | is_negative
    latents = codes.encoded(
        model,
        np.asarray(images)[used],
        None if conditioning is None else np.asarray(conditioning)[used],
    )
    name = f"{_listed(positive)} rather than "
    name += "others" if negative is None else _listed(negative)
    return _fit(latents, is_positive[used], method, name)


def _listed(labels):
    return ", ".join(map(str, np.atleast_1d(labels)))


def _fit(latents, is_positive, method, name):
    """Returns the `Attribute` of latents `[N, D]`."""
    low, high = (latents[is_positive == sign].mean(0) for sign in (False, True))
    centered = latents - np.where(is_positive[:, np.newaxis], high, low)
    estimator = sklearn.covariance.LedoitWolf(assume_centered=True)
    scale = np.linalg.cholesky(estimator.fit(centered).covariance_)
    # Whitening with a Cholesky factor gives the same results as with a root.
    slope = np.linalg.solve(scale, high - low)
    if method == "logistic":
        classifier = sklearn.linear_model.LogisticRegression(max_iter=1000)
        whitened = np.linalg.solve(scale, (latents - low).T).T
        [slope] = classifier.fit(whitened, is_positive).coef_
    normal, direction = np.linalg.solve(scale.T, slope), scale @ slope
    normal /= normal @ (high - low)
    return Attribute(direction / (normal @ direction), normal, low, name)
