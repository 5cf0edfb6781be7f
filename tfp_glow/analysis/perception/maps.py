# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Maps: how likely the patches of a photograph are, place by place."""

import dataclasses
import functools

import keras
import numpy as np

from tfp_glow import _checks
from tfp_glow.analysis import density as density_
from tfp_glow.analysis.perception import images
from tfp_glow.analysis.perception import plots
from tfp_glow.distributions import units

_BATCH_SIZE = 256


@dataclasses.dataclass(frozen=True, eq=False)
class LikelihoodMap:
    """Bits per dimension of the patches of a photograph.

    Attributes:
        image: array `[H, W, C]` in `[0, 1]`, as the model saw it.
        bits_per_dim: array `[rows, columns]`. The patch of row `i` and column
            `j` has its first pixel at `(i * stride, j * stride)`.
        patch_size: `(height, width)` of a patch.
        stride: `int`, pixels from one patch to the next.
        num_draws: `int`, draws of the noise that were averaged.
        notes: tuple of `str` that say how the image was converted.
    """

    image: np.ndarray
    bits_per_dim: np.ndarray
    patch_size: tuple
    stride: int
    num_draws: int
    notes: tuple = ()

    @property
    def non_finite_share(self):
        """Share of the patches whose bits per dimension are not finite."""
        return float(np.mean(~np.isfinite(self.bits_per_dim)))

    @functools.cached_property
    def finite(self):
        """The values that are finite, array `[N]`."""
        return self.bits_per_dim[np.isfinite(self.bits_per_dim)]

    def overlay(self):
        """Returns the map on the photograph in gray, `[H, W, 3]` in `[0, 1]`.

        Every value colors `stride` x `stride` pixels around the center of its
        patch, to half a pixel. Pixels that are closer to the border stay gray,
        and values that are not finite are white.
        """
        return plots.overlay(self)[0]

    def plot(self):
        """Draws photograph and overlay as a Matplotlib `Figure`."""
        return plots.likelihood_map(self)

    def to_dict(self):
        """Returns a summary of the values that are finite, as plain values."""
        names = ("min", "percentile_5", "median", "percentile_95", "max")
        values = np.percentile(self.finite, [0, 5, 50, 95, 100]).tolist()
        return {
            "image_size": list(self.image.shape[:2]),
            "patch_size": list(self.patch_size),
            "stride": self.stride,
            "num_draws": self.num_draws,
            "num_patches": self.bits_per_dim.size,
            "non_finite_share": self.non_finite_share,
            "bits_per_dim": {
                "mean": float(np.mean(self.finite)),
                "standard_deviation": float(np.std(self.finite)),
                **dict(zip(names, values)),
            },
            "notes": list(self.notes),
        }


def likelihood_map(model, image, stride=1, num_draws=1, seed=0, progress=False):
    """Computes the bits per dimension of all patches of a photograph.

    The uniform noise within the gray levels belongs to the pixels of the
    photograph, so that overlapping patches agree on it.

    Args:
        model: `FlowModel`, `tfd.Distribution` or `ImageDensity` of images.
        image: float array `[H, W, C]` in `[0, 1]`, of any size. If it has other
            channels than the model's images, see `images.for_model`.
        stride: positive `int`, at most a side of a patch.
        num_draws: positive `int`, draws of the noise to average over.
        seed: `int`, of the noise.
        progress: `bool`, whether to show a progress bar.

    Returns:
        `LikelihoodMap`.

    Raises:
        ValueError: if an argument is invalid, or a patch is larger than the
            image.
        FloatingPointError: if not a single patch has a finite likelihood.
    """
    density = density_.of(model)
    image, notes = check_image(image, density, stride)
    [num_draws] = _checks.positive_integer(num_draws=num_draws)
    [seed] = _checks.integers(0, "a non-negative integer", seed=seed)
    height, width, _ = density.image_shape
    rows = np.arange(0, image.shape[0] - height + 1, stride)
    columns = np.arange(0, image.shape[1] - width + 1, stride)
    places = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
    log_probs = np.zeros([num_draws, len(rows) * len(columns)])
    bar = progress_bar(log_probs.size, progress)
    for draw in range(num_draws):
        generator = np.random.default_rng([seed, draw])
        noise = generator.random(image.shape, np.float32)
        arrays = (density.to_levels(image), noise)
        shape = density.image_shape
        for part, batch in batches(arrays, places.reshape([-1, 2]), shape):
            log_prob = density.log_prob(*batch, batch_size=_BATCH_SIZE)
            log_probs[draw, part] = log_prob[: part.stop - part.start]
            bar.add(part.stop - part.start)
    bits = units.bits_per_dim(np.mean(log_probs, axis=0), density.event_size)
    bits = bits.reshape(len(rows), len(columns))
    if not np.isfinite(bits).any():
        raise FloatingPointError(
            "Expected finite log-probabilities of the patches. Received: none "
            f"in {bits.size} patches. Check the model with `log_prob` of its "
            "training data"
        )
    notes = tuple(notes)
    return LikelihoodMap(image, bits, (height, width), stride, num_draws, notes)


def check_image(image, density, stride):
    """Returns an image for the patches of a density, and notes, or raises."""
    height, width, num_channels = density.image_shape
    image, notes = images.for_model(image, num_channels)
    if image.shape[0] < height or image.shape[1] < width:
        raise ValueError(
            "Expected an image at least as large as a patch of the model, "
            f"{width}x{height} pixels (width x height). Received: "
            f"{image.shape[1]}x{image.shape[0]}"
        )
    expected = f"an integer from 1 to {min(height, width)}, a side of a patch"
    [known] = _checks.integers(1, expected, stride=stride)
    if known > min(height, width):
        raise _checks.invalid_value("stride", stride, expected)
    return image, notes


def batches(arrays, places, shape):
    """Yields slices of the places, and the patches of each array there.

    All batches are of one size, for which a function is traced once; the last
    one repeats its last patch.

    Args:
        arrays: list of arrays `[H, W, C]`.
        places: `int` array `[N, 2]`, rows and columns of the first pixels.
        shape: `(height, width, C)` of a patch.
    """
    # Views: only the patches of one batch are copied at a time.
    windows = [
        np.lib.stride_tricks.sliding_window_view(array, shape)[:, :, 0]
        for array in arrays
    ]
    size = min(_BATCH_SIZE, len(places))
    for start in range(0, len(places), size):
        stop = min(start + size, len(places))
        index = np.minimum(np.arange(start, start + size), stop - 1)
        rows, columns = places[index].T
        yield slice(start, stop), [view[rows, columns] for view in windows]


def progress_bar(total, progress):
    """Returns Keras' progress bar of a number of patches, perhaps silent."""
    verbose = int(progress)
    return keras.utils.Progbar(total, verbose=verbose, unit_name="patch")
