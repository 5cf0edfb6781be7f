# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Evaluation of a model: likelihood, reconstructions and samples."""

import math

import numpy as np
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow.distributions import baselines
from tfp_glow.distributions import units

_SAMPLES_AT_A_TIME = 125


def evaluate(
    model,
    examples,
    training_examples,
    num_draws,
    num_samples,
    num_noise_samples=None,
):
    """Measures a model on unseen images, and fits baselines for comparison.

    Args:
        model: `GlowModel`.
        examples: pair of integer arrays: images, `[N, H, W, C]`, and labels,
            `[N]`, or `None` if the model has no classes.
        training_examples: another such pair. The baselines are fitted to these
            images.
        num_draws: `int`, draws of the dequantization noise, over which the
            log-likelihood is averaged. The result remains a bound.
        num_samples: `int`, samples at temperature 1 to check.
        num_noise_samples: `int`, noise samples in one draw of the bound; more
            of them tighten it, see `Dequantized`. The model's by default.

    Returns:
        Dictionary of plain values:

        - `num_images`, `image_shape`, `bins`,
        - `bits_per_dim` (an upper bound) and its `standard_error` over images,
          given the labels if there are any,
        - `num_noise_samples` of that bound,
        - `baselines`: name to `bits_per_dim` and `standard_error`, without the
          baselines for which the images are too large,
        - `reconstruction_error`: largest |x - decode(encode(x))|, in grey
          levels,
        - `samples`: `num`, `temperature`, `share_not_finite` of the values,
          and `largest_excursion` of the finite ones. An excursion of 1 is the
          edge of the range of grey levels, and 2 is twice as far from its
          middle,
        - `marginal`, if the model has classes: `bits_per_dim` and
          `standard_error` of the sum over classes, weighted by their
          frequency in training; from one draw of the noise,
        - `accuracy`, if the model has classes: the share of images whose class
          is predicted, `bayes_rule` by the largest term of that sum, and
          `classifier` by the model's classifier, if it has one.

    Raises:
        ValueError: if a count is not a positive integer.
    """
    check_counts(num_draws, num_samples, num_noise_samples)
    images, labels = examples
    training_images, training_labels = training_examples
    given = [images] if labels is None else [images, labels]
    log_prob = model.log_prob
    if num_noise_samples is None:
        num_noise_samples = model.distribution.num_noise_samples
    else:
        log_prob = _log_prob(model, num_noise_samples)
    nats = [_in_batches(log_prob, *given, seed=i) for i in range(num_draws)]
    bits = units.bits_per_dim(np.mean(nats, axis=0), model.event_size)
    results = {
        "num_images": len(images),
        "image_shape": list(model.image_shape),
        "bins": model.bins,
        **_mean_and_error(bits),
        "num_noise_samples": num_noise_samples,
        "baselines": _baselines(model, images, training_images),
        "reconstruction_error": _reconstruction_error(model, *given),
        "samples": _check_samples(model, num_samples),
    }
    if labels is not None:
        joint = _joint_log_prob(model, images, training_labels)
        nats = np.logaddexp.reduce(joint, axis=-1)
        bits = units.bits_per_dim(nats, model.event_size)
        results["marginal"] = _mean_and_error(bits)
        results["accuracy"] = _accuracy(model, images, labels, joint)
    return results


def check_counts(num_draws, num_samples, num_noise_samples):
    """Raises `ValueError` unless these arguments are positive integers."""
    _checks.positive_integer(num_draws=num_draws, num_samples=num_samples)
    if num_noise_samples is not None:
        _checks.positive_integer(num_noise_samples=num_noise_samples)


def labels_in_turn(num, num_classes):
    """Returns the labels 0, 1, 2, ... repeatedly, `[num]`.

    Returns `None` if `num_classes` is `None`.
    """
    return None if num_classes is None else np.arange(num) % num_classes


def table(results):
    """Formats the results of `commands.evaluate` as text.

    Args:
        results: dictionary.

    Returns:
        `str` of several lines.
    """
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
        f"images of {height}x{width}x{channels}, {results['bins']} grey levels",
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
        "grey levels at most",
        f"{samples['num']} samples, temperature 1: "
        f"{100 * samples['share_not_finite']:.3g} % of values not finite, "
        f"largest {samples['largest_excursion']:.3g} times the range",
        *_class_lines(**results.get("accuracy", {})),
        "",
    ]
    return "\n".join(lines)


def _class_lines(bayes_rule=None, classifier=None):
    if bayes_rule is not None:
        yield f"classes by Bayes' rule:    {100 * bayes_rule:.1f} % right"
        if classifier is not None:
            yield f"classes by the classifier: {100 * classifier:.1f} % right"


def _mean_and_error(bits):
    error = np.std(bits, ddof=1) / math.sqrt(len(bits))
    return {
        "bits_per_dim": float(np.mean(bits)),
        "standard_error": float(error),
    }


def _baselines(model, images, training_images):
    rows = {}
    for name, make in baselines.BASELINES.items():
        is_large = model.event_size > baselines.MAX_GAUSSIAN_SIZE
        if is_large and make is baselines.gaussian:
            continue
        baseline = make(training_images, model.bins)
        rows[name] = _mean_and_error(baselines.bits_per_dim(baseline, images))
    return rows


def _in_batches(function, *arrays, batch_size=128, **kwargs):
    results = []
    for i in range(0, len(arrays[0]), batch_size):
        batch = [array[i : i + batch_size] for array in arrays]
        results.append(np.asarray(function(*batch, **kwargs)))
    return np.concatenate(results)


def _log_prob(model, num_noise_samples):
    """Returns the model's `log_prob` with another number of noise samples."""
    # Trace one draw and call it repeatedly, since tracing many draws is slow.
    distribution = model.distribution.copy(num_noise_samples=1)
    one_draw = _tf.compiled(distribution.log_prob)

    def log_prob(x, labels=None, *, seed):
        kwargs = {}
        if labels is not None:
            vectors = tf.one_hot(labels, model.num_classes)
            kwargs["bijector_kwargs"] = {"conditioning": vectors}
        draws = [
            one_draw(x, seed=_tf.stateless_seed(seed, stream=i), **kwargs)
            for i in range(num_noise_samples)
        ]
        return tf.reduce_logsumexp(draws, axis=0) - math.log(len(draws))

    return log_prob


def _joint_log_prob(model, images, training_labels):
    """Returns log p(image, class), `[N, num_classes]`."""
    # Add one to each count, so that no class is impossible.
    counts = 1 + np.bincount(training_labels, minlength=model.num_classes)
    scores = _in_batches(model.class_log_probs, images, seed=0)
    return scores + np.log(counts / np.sum(counts))


def _accuracy(model, images, labels, joint):
    found = {"bayes_rule": joint}
    if model.has_classifier:
        found["classifier"] = _in_batches(model.class_logits, images)
    return {
        name: float(np.mean(np.argmax(values, axis=-1) == labels))
        for name, values in found.items()
    }


def _reconstruction_error(model, images, *labels):
    decoded = _in_batches(
        lambda x, *c: model.decode(model.encode(x, *c), *c), images, *labels
    )
    return float(np.max(np.abs(decoded - images)))


def _check_samples(model, num):
    labels = labels_in_turn(num, model.num_classes)
    batches = []
    for i in range(0, num, _SAMPLES_AT_A_TIME):
        end = min(i + _SAMPLES_AT_A_TIME, num)
        given = None if labels is None else labels[i:end]
        batches.append(model.sample_values(end - i, conditioning=given, seed=i))
    values = np.concatenate(batches)
    finite = np.isfinite(values)
    return {
        "num": num,
        "temperature": 1.0,
        "share_not_finite": float(np.mean(~finite)),
        "largest_excursion": float(np.max(np.abs(values[finite])) / 0.5),
    }
