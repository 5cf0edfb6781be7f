# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`enhance`: a photograph whose latent vectors are more likely, or less."""

import dataclasses
import math

import numpy as np

from tfp_glow import _checks
from tfp_glow.analysis import density as density_
from tfp_glow.analysis.perception import maps
from tfp_glow.analysis.perception import patches
from tfp_glow.analysis.perception import plots


@dataclasses.dataclass(frozen=True, eq=False)
class Enhanced:
    """A photograph whose latent vectors were made more likely, or less.

    Attributes:
        image: array `[H, W, C]` in `[0, 1]`.
        original: array `[H, W, C]`, the photograph at the model's gray levels.
        mask: `bool` `[H, W]`, true where the photograph was kept, or `None`.
        eta: `float`.
        stride: `int`.
        bits_per_dim_before, bits_per_dim_after: `float`, means over patches
            that are half a patch apart.
        non_finite_share: `float`, share of the decoded values of all patches
            that were not finite. They are not part of the image.
        clipped_share: `float`, share that was outside the range of gray levels
            and was clipped.
        num_filled: `int`, pixels outside the mask for which no patch had a
            finite value. They show the photograph.
        round_trip_error: `float`, largest difference between photograph and
            image in the mask and in filled pixels, in gray levels. It is that of
            encoding and decoding, and 0 without any such pixels.
        notes: tuple of `str` that say how the image was converted.
    """

    image: np.ndarray
    original: np.ndarray
    mask: np.ndarray | None
    eta: float
    stride: int
    bits_per_dim_before: float
    bits_per_dim_after: float
    non_finite_share: float
    clipped_share: float
    num_filled: int
    round_trip_error: float
    notes: tuple = ()

    def plot(self):
        """Draws photograph, result and change as a Matplotlib `Figure`."""
        return plots.enhanced(self)

    def to_dict(self):
        """Returns the numbers, as plain values."""
        result = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if isinstance(getattr(self, field.name), int | float)
        }
        return result | {
            "mean_change": float(np.mean(np.abs(self.image - self.original))),
            "notes": list(self.notes),
        }


def enhance(model, image, mask=None, eta=0.6, stride=1, progress=False):
    """Makes the latent vectors of a photograph more likely, or less.

    ```none
    z = encode(patch),   z' = z - eta * z * exp(-z**2 / 2)
    image = mean of clip(decode(z')) over the patches that overlap
    ```

    In photographs the patches usually become more likely too. This is not certain,
    because the average is another image than the decoded ones, and because the
    Jacobian changes; flat figures can become less likely. Compare
    `bits_per_dim_before` and `bits_per_dim_after`.

    Pixels of the `mask` have `eta = 0`, so that equal targets stay equal and
    only their surround changes. The photograph is quantized to the model's gray
    levels first.

    Args:
        model: `GlowModel`, or another model with its `encode` and `decode`.
        image: float array `[H, W, C]` in `[0, 1]`, of any size. If it has other
            channels than the model's images, see `images.for_model`.
        mask: `bool` `[H, W]`, true where pixels are kept, or `None`.
        eta: `float`, above 0 for more likely latent vectors, below for less.
        stride: positive `int`, at most a side of a patch, from one patch to the
            next. The patches at the right and the lower border are always
            included.
        progress: `bool`, whether to show a progress bar.

    Returns:
        `Enhanced`.

    Raises:
        TypeError: for a distribution, and other models without `encode` and
            `decode`.
        ValueError: if an argument is invalid, or a patch is larger than the
            image.
        FloatingPointError: if some pixel has no finite value even with
            `eta = 0`.

    References:
        Hirsch and Tal, A statistical story of visual illusions, 2020.
    """
    if not (hasattr(model, "encode") and hasattr(model, "decode")):
        raise TypeError(
            "Expected a model with `encode` and `decode`, such as a GlowModel, "
            "whose latent vectors can be changed. Received: "
            f"{type(model).__name__}"
        )
    density = density_.of(model)
    image, notes = maps.check_image(image, density, stride)
    eta = _checks.number("eta", eta, "a finite number", math.isfinite)
    kept = np.zeros(image.shape[:2], bool)
    if mask is not None:
        mask = np.asarray(mask)
        patches.check_mask("mask", mask, image)
        kept |= mask
    levels = density.to_levels(image)
    shape = density.image_shape
    rows, columns = (
        np.unique([*range(0, n - side + 1, stride), n - side])
        for n, side in zip(levels.shape, shape[:2])
    )
    places = np.stack(np.meshgrid(rows, columns), axis=-1).reshape([-1, 2])
    result, non_finite_share, clipped_share = _decode(
        model, density, levels, places, eta, progress
    )
    filled = np.isnan(result).any(axis=-1) & ~kept
    kept |= filled
    round_trip_error = 0.0
    if kept.any():
        touches = np.lib.stride_tricks.sliding_window_view(kept, shape[:2])
        touches = touches.any(axis=(-2, -1))[tuple(places.T)]
        same, _, _ = _decode(
            model, density, levels, places[touches], 0.0, progress
        )
        if missing := np.sum(np.isnan(same[kept]).any(axis=-1)):
            raise FloatingPointError(
                "Expected a model that decodes what it encodes. Received: "
                f"{missing} pixels without a finite value, even for eta=0"
            )
        result[kept] = same[kept]
        round_trip_error = float(np.max(np.abs(same - levels)[kept]))
    scale = density.bins - 1.0
    original, result = levels / scale, result / scale
    before, after = (
        maps.likelihood_map(model, x, max(1, min(shape[:2]) // 2))
        for x in (original, result)
    )
    return Enhanced(
        image=result,
        original=original,
        mask=mask,
        eta=eta,
        stride=stride,
        bits_per_dim_before=float(np.mean(before.finite)),
        bits_per_dim_after=float(np.mean(after.finite)),
        non_finite_share=non_finite_share,
        clipped_share=clipped_share,
        num_filled=int(np.sum(filled)),
        round_trip_error=round_trip_error,
        notes=tuple(notes),
    )


def _decode(model, density, levels, places, eta, progress):
    """Changes, decodes and averages patches.

    Returns:
        The mean `[H, W, C]` in gray levels, NaN where nothing finite is, and
        the shares of decoded values that are not finite, or were clipped.
    """
    height, width, _ = shape = density.image_shape
    total, count = np.zeros(levels.shape), np.zeros(levels.shape, int)
    num_non_finite = num_clipped = 0
    bar = maps.progress_bar(len(places), progress)
    for part, [batch] in maps.batches([levels], places, shape):
        z = np.asarray(model.encode(batch))
        with np.errstate(all="ignore"):
            z = z - eta * z * np.exp(-(z**2) / 2.0)
        decoded = np.asarray(model.decode(z))[: part.stop - part.start]
        is_finite = np.isfinite(decoded)
        clipped = np.clip(np.where(is_finite, decoded, 0), 0, density.bins - 1)
        num_non_finite += np.sum(~is_finite)
        # Rounding errors of black and white are not counted.
        num_clipped += np.sum(np.abs(decoded - clipped)[is_finite] > 0.5)
        for k, (row, column) in enumerate(places[part]):
            where = np.s_[row : row + height, column : column + width]
            total[where] += clipped[k]
            count[where] += is_finite[k]
        bar.add(part.stop - part.start)
    with np.errstate(invalid="ignore"):
        mean = total / count
    num_values = len(places) * density.event_size
    shares = np.array([num_non_finite, num_clipped]) / num_values
    return mean, *shares.tolist()
