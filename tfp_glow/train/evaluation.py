# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Evaluation of a model: likelihood, reconstructions and samples."""

import functools
import math

import numpy as np
import tensorflow as tf

from tfp_glow import _tf
from tfp_glow.analysis import density
from tfp_glow.distributions import baselines
from tfp_glow.distributions import units

_METHODS = {"bayes_rule": "Bayes' rule:", "classifier": "the classifier:"}


def evaluate(
    model, examples, training, num_draws, num_samples, num_noise_samples=None
):
    """Measures a `GlowModel` on unseen images, and fits baselines.

    `examples` and `training`, to which the baselines are fitted, are pairs of
    images, `[N, H, W, C]`, and labels, `[N]`, or `None` without classes. For
    the numbers see `commands.evaluate`.

    Returns:
        Dictionary of plain values:

        - `num_images`, `image_shape`, `bins`,
        - `bits_per_dim` (an upper bound) and its `standard_error` over images,
          given the labels if there are any,
        - `num_noise_samples` of that bound,
        - `baselines`: name to `bits_per_dim` and `standard_error`, without the
          baselines for which the images are too large,
        - `reconstruction_error`: largest |x - decode(encode(x))|, in gray
          levels,
        - `samples`: `num`, `temperature`, `share_not_finite` of the values,
          and `largest_excursion` of the finite ones. An excursion of 1 is the
          edge of the range of gray levels, and 2 is twice as far from its
          middle,
        - `marginal`, if the model has classes: `bits_per_dim` and
          `standard_error` of the sum over classes, weighted by their
          frequency in training; from one draw of the noise,
        - `accuracy`, if the model has classes: the share of images whose class
          is predicted, `bayes_rule` by the largest term of that sum, and
          `classifier` by the model's classifier, if it has one.
    """
    images, labels = examples
    given = [images] if labels is None else [images, labels]
    log_prob = model.log_prob
    if num_noise_samples is None:
        num_noise_samples = model.distribution.num_noise_samples
    else:
        log_prob = _log_prob(model, num_noise_samples)
    nats = sum(
        density.in_batches(functools.partial(log_prob, seed=i), *given)
        for i in range(num_draws)
    )
    bits = units.bits_per_dim(nats / num_draws, model.event_size)
    decoded = reconstructed(model, images, labels)
    results = {
        "num_images": len(images),
        "image_shape": list(model.image_shape),
        "bins": model.bins,
        **_mean_and_error(bits),
        "num_noise_samples": num_noise_samples,
        "baselines": _baselines(model, images, training[0]),
        "reconstruction_error": float(np.max(np.abs(decoded - images))),
        "samples": _check_samples(model, num_samples),
    }
    if labels is not None:
        # Add one to each count, so that no class is impossible.
        counts = 1 + np.bincount(training[1], minlength=model.num_classes)
        log_prior = np.log(counts / np.sum(counts))
        log_probs = functools.partial(model.class_log_probs, seed=0)
        joint = log_prior + density.in_batches(log_probs, images)
        nats = np.logaddexp.reduce(joint, axis=-1)
        bits = units.bits_per_dim(nats, model.event_size)
        results["marginal"] = _mean_and_error(bits)
        scores = {"bayes_rule": joint}
        if model.has_classifier:
            scores["classifier"] = density.in_batches(
                model.class_logits, images
            )
        results["accuracy"] = {
            name: float(np.mean(np.argmax(values, axis=-1) == labels))
            for name, values in scores.items()
        }
    return results


def reconstructed(model, images, labels):
    """Returns images `[N, H, W, C]`, encoded and decoded."""
    given = [images] if labels is None else [images, labels]
    return density.in_batches(
        lambda x, *c: model.decode(model.encode(x, *c), *c), *given
    )


def labels_in_turn(num, num_classes):
    """Returns `num` labels 0, 1, 2, ... in turn, or `None` without classes."""
    return None if num_classes is None else np.arange(num) % num_classes


def table(results):
    """Formats the results of `commands.evaluate` as lines of text."""
    height, width, channels = results["image_shape"]
    # Compare the marginal likelihood, since no baseline knows the class.
    glow = results.get("marginal", results)
    rows = {"Glow (upper bound)": glow}
    if "marginal" in results:
        rows["  given the class"] = results
    rows |= results["baselines"]
    left_out = baselines.BASELINES.keys() - rows.keys()
    best = min(row["bits_per_dim"] for row in results["baselines"].values())
    samples = results["samples"]
    lines = [
        "",
        f"{results['dataset']}, {results['split']}: {results['num_images']} "
        f"images of {height}x{width}x{channels}, {results['bins']} gray levels",
        "",
        f"{'':26}{'bits/dim':>10}{'standard error':>17}",
        *(
            f"{name:26}{row['bits_per_dim']:10.3f}{row['standard_error']:17.3f}"
            for name, row in rows.items()
        ),
        *(f"{name:26}{'images too large':>27}" for name in left_out),
        "",
        f"below the best baseline:   {best - glow['bits_per_dim']:.3f} "
        "bits/dim",
        f"reconstruction error:      {results['reconstruction_error']:.2g} "
        "gray levels at most",
        f"{samples['num']} samples, temperature 1: "
        f"{100 * samples['share_not_finite']:.3g} % of values not finite, "
        f"largest {samples['largest_excursion']:.3g} times the range",
        *(
            f"classes by {_METHODS[name]:15} {100 * share:.1f} % right"
            for name, share in results.get("accuracy", {}).items()
        ),
        "",
    ]
    return "\n".join(lines)


def _mean_and_error(bits):
    error = np.std(bits, ddof=1) / math.sqrt(len(bits))
    return dict(bits_per_dim=float(np.mean(bits)), standard_error=float(error))


def _baselines(model, images, training_images):
    made = dict(baselines.BASELINES)
    if model.event_size > baselines.MAX_GAUSSIAN_SIZE:
        del made[baselines.GAUSSIAN]
    rows = {}
    for name, make in made.items():
        bits = baselines.bits_per_dim(make(training_images, model.bins), images)
        rows[name] = _mean_and_error(bits)
    return rows


def _log_prob(model, num_noise_samples):
    """Returns the model's `log_prob` with another number of noise samples."""
    # Trace one draw and call it repeatedly, since tracing many draws is slow.
    distribution = model.distribution.copy(num_noise_samples=1)
    one_draw = _tf.compiled(distribution.log_prob)

    def log_prob(x, labels=None, *, seed):
        kwargs = model.conditioning_kwargs(labels)
        draws = [
            one_draw(x, seed=_tf.stateless_seed(seed, stream=i), **kwargs)
            for i in range(num_noise_samples)
        ]
        return tf.reduce_logsumexp(draws, axis=0) - math.log(len(draws))

    return log_prob


def _check_samples(model, num):
    count, largest = 0, 0.0
    for i in range(0, num, 125):
        indices = np.arange(i, min(i + 125, num))
        labels = model.num_classes and indices % model.num_classes
        values = model.sample_values(
            len(indices), conditioning=labels, seed=i
        ).numpy()
        finite = values[np.isfinite(values)]
        count += finite.size
        largest = max(largest, np.max(np.abs(finite), initial=0.0))
    return {
        "num": num,
        "temperature": 1.0,
        "share_not_finite": 1.0 - count / (num * model.event_size),
        "largest_excursion": float(largest / 0.5),
    }
