# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a trained Glow is worth: likelihood, reconstructions and samples."""

import math

import numpy as np

from tfp_glow import baselines
from tfp_glow import checks
from tfp_glow import distributions

_SAMPLES_AT_A_TIME = 125


def evaluate(model, images, training_images, num_draws=4, num_samples=1000):
    """Measures a model on images that it has not seen, beside baselines.

    Args:
        model: `GlowModel`.
        images: integer array `[N, H, W, C]`.
        training_images: integer array, to fit the baselines to.
        num_draws: `int`, draws of the dequantisation noise, over which the
            log-probability is averaged; the result remains a bound.
        num_samples: `int`, samples at temperature 1 to check.

    Returns:
        Dictionary of plain values:

        - `num_images`, `image_shape`, `bins`,
        - `bits_per_dim` (an upper bound) and its `standard_error` over images,
        - `baselines`: name to `bits_per_dim` and `standard_error`; a baseline
          that the images are too large for is left out,
        - `reconstruction_error`: largest |x - decode(encode(x))|, in grey
          levels,
        - `samples`: `num`, `temperature`, `share_not_finite` of the values
          and `largest_excursion` of the finite ones, where 1 is the edge of
          the range of grey levels and 2 is twice as far from its middle.
    """
    checks.positive_integer(num_draws=num_draws, num_samples=num_samples)
    draws = [
        _in_batches(model.log_prob, images, seed=seed)
        for seed in range(num_draws)
    ]
    bits = distributions.bits_per_dim(np.mean(draws, axis=0), model.event_size)
    rows = {}
    for name, make in baselines.BASELINES.items():
        if make is baselines.gaussian and (
            model.event_size > baselines.MAX_GAUSSIAN_SIZE
        ):
            continue
        baseline = make(training_images, model.bins)
        rows[name] = _mean_and_error(baselines.bits_per_dim(baseline, images))
    return {
        "num_images": len(images),
        "image_shape": list(model.image_shape),
        "bins": model.bins,
        **_mean_and_error(bits),
        "baselines": rows,
        "reconstruction_error": _reconstruction_error(model, images),
        "samples": _check_samples(model, num_samples),
    }


def table(results):
    """The results of a run's `evaluate` as lines of text to print."""
    height, width, channels = results["image_shape"]
    rows = {"Glow (upper bound)": results, **results["baselines"]}
    left_out = baselines.BASELINES.keys() - rows.keys()
    best = min(row["bits_per_dim"] for row in results["baselines"].values())
    samples = results["samples"]
    lines = [
        "",
        f"{results['dataset']}, {results['split']}: {results['num_images']} "
        f"images of {height}x{width}x{channels}, {results['bins']} grey levels",
        "",
        f"{'':26}{'bits/dim':>10}{'standard error':>17}",
        *(
            f"{name:26}{row['bits_per_dim']:10.3f}{row['standard_error']:17.3f}"
            for name, row in rows.items()
        ),
        *(f"{name:26}{'images too large':>27}" for name in left_out),
        "",
        f"below the best baseline:   {best - results['bits_per_dim']:.3f} "
        "bits/dim",
        f"reconstruction error:      {results['reconstruction_error']:.2g} "
        "grey levels at most",
        f"{samples['num']} samples, temperature 1: "
        f"{100 * samples['share_not_finite']:.3g} % of values not finite, "
        f"largest {samples['largest_excursion']:.3g} times the range",
        "",
    ]
    return "\n".join(lines)


def _mean_and_error(values):
    return {
        "bits_per_dim": float(np.mean(values)),
        "standard_error": float(
            np.std(values, ddof=1) / math.sqrt(len(values))
        ),
    }


def _in_batches(function, images, batch_size=128, **kwargs):
    return np.concatenate(
        [
            np.asarray(function(images[i : i + batch_size], **kwargs))
            for i in range(0, len(images), batch_size)
        ]
    )


def _reconstruction_error(model, images):
    decoded = _in_batches(lambda x: model.decode(model.encode(x)), images)
    return float(np.max(np.abs(decoded - images)))


def _check_samples(model, num):
    batches = [
        model.sample_values(min(_SAMPLES_AT_A_TIME, num - i), seed=i).numpy()
        for i in range(0, num, _SAMPLES_AT_A_TIME)
    ]
    values = np.concatenate(batches)
    finite = np.isfinite(values)
    return {
        "num": num,
        "temperature": 1.0,
        "share_not_finite": float(np.mean(~finite)),
        "largest_excursion": float(np.max(np.abs(values[finite])) / 0.5),
    }
