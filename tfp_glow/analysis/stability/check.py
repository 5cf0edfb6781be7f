# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`check`: how exact the numbers of a trained flow are."""

import time

import numpy as np
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow.analysis.stability import attack
from tfp_glow.analysis.stability import flows
from tfp_glow.analysis.stability import gradient_modes
from tfp_glow.analysis.stability import inputs as inputs_
from tfp_glow.analysis.stability import jacobian
from tfp_glow.analysis.stability import parts
from tfp_glow.analysis.stability import report
from tfp_glow.analysis.stability import round_trips
from tfp_glow.analysis.stability import shadowing
from tfp_glow.distributions import units

_PASSES = (1, 9)
_NUM_ATTACKED = 4
_NUM_ITERATIONS = 15  # Of the power iteration.
_NUM_LINEARIZED = 8  # Images whose activations are kept at a time.


def check(
    model,
    images,
    conditioning=None,
    num_images=8,
    temperatures=(0.5, 0.7, 1.0),
    num_attack_steps=20,
    exact=None,
    seed=0,
):
    """Measures the rounding errors of a model's flow.

    Images are at the centers of their gray levels. Compares the flow in
    float32, as it trains, with the float64 flow around float32 networks, as in
    `encode` and `decode`, and with a flow that is float64 in all its parts.

    Example:

    ```python
    model = tfg.GlowModel.from_preset("digits")
    images = next(iter(tfg.datasets.load("digits", "test", 64)))
    report = tfg.stability.check(model, images)
    print(report.summary())
    report.write_page("stability.html")
    ```

    Args:
        model: `GlowModel`.
        images: integers `[N, H, W, C]` in `[0, bins)`.
        conditioning: that of the images; see `GlowModel.log_prob`. `None` for
            classes in turn, if the model has classes.
        num_images: positive `int`, images of each kind. Those of the data are
            spread over `images`.
        temperatures: non-negative numbers, of the samples.
        num_attack_steps: `int`, steps of each attack; 0 leaves them out.
        exact: `bool`, whether to compute an exact Jacobian; `None` if events
            have at most `jacobian.MAX_SIZE` dimensions.
        seed: `int`, of all random numbers.

    Returns:
        A `Report`.

    Raises:
        TypeError: before any work, if the model is not a `GlowModel`, or for
            images of another dtype.
        ValueError: before any work, for images or conditioning that do not fit
            the model, another invalid argument, or `exact=True` for events
            that are too large.
    """
    start = time.process_time()
    precisions = flows.of_model(model)
    [num_images] = _checks.positive_integer(num_images=num_images)
    [num_attack_steps] = _checks.integers(
        0, "a non-negative integer", num_attack_steps=num_attack_steps
    )
    for temperature in temperatures:
        _checks.number(
            "temperatures",
            temperature,
            "non-negative numbers",
            lambda t: 0.0 <= t < np.inf,
        )
    seed = _checks.seed(seed) or 0
    if exact:
        jacobian.check_size(model.event_size)
    is_exact = model.event_size <= jacobian.MAX_SIZE if exact is None else exact
    images = np.asarray(images)
    if conditioning is None and model.num_classes is not None:
        conditioning = np.arange(np.size(images, 0)) % model.num_classes
    model._spec.check(images, conditioning)
    rows = np.linspace(0, len(images) - 1, min(num_images, len(images)))
    rows = rows.round().astype(int)
    if conditioning is not None:
        conditioning = np.asarray(conditioning)[rows]
    found = inputs_.make(
        model,
        precisions[flows.SINGLE],
        images[rows],
        conditioning,
        num_images,
        temperatures,
        seed,
    )
    work = _Work(model, precisions, found, seed)
    results = {
        "model": {
            "image_shape": list(model.image_shape),
            "bins": model.bins,
            "num_levels": model.glow.num_levels,
            "num_steps": model.glow.steps(0).num_steps,
        },
        "arguments": {
            "num_images": num_images,
            "temperatures": list(map(float, temperatures)),
            "num_attack_steps": num_attack_steps,
            "seed": seed,
        },
        "inputs": {name: work.errors(name) for name in found},
        "jacobian": work.jacobian(),
        "exact": work.exact() if is_exact else None,
        "attack": work.attacks(num_attack_steps) if num_attack_steps else None,
        "gradients": work.gradients(),
    }
    results["cpu_seconds"] = time.process_time() - start
    pictures = {name: given.images[0] for name, given in found.items()}
    return report.Report(results, pictures)


class _Work:
    """The measurements of a model on `Input`s by name."""

    def __init__(self, model, precisions, inputs, seed):
        self._model, self._seed = model, seed
        self._flows, self._inputs = precisions, inputs

    def errors(self, name):
        """Returns the errors of a kind of inputs, and its bits per dimension."""
        x, kwargs = self._values(name)
        trips = {
            precision: {
                str(passes): round_trips.Errors.of(
                    round_trips.round_trip(
                        self._flows[precision],
                        tf.cast(x, self._flows[precision].dtype),
                        self._model.bins,
                        passes,
                        **kwargs,
                    )
                )
                for passes in _PASSES
            }
            for precision in (flows.SINGLE, flows.MIXED)
        }
        nats = {
            precision: flow.log_prob(x, **kwargs).numpy().astype(np.float64)
            for precision, flow in self._flows.items()
        }
        exact = nats[flows.DOUBLE]
        size = self._model.event_size
        cell = size * np.log(self._model.bins)
        return {
            "num_images": len(exact),
            "share_not_finite": self._inputs[name].share_not_finite,
            "bits_per_dim": float(
                np.mean(units.bits_per_dim(exact - cell, size))
            ),
            "round_trip": {
                precision: {n: vars(errors) for n, errors in found.items()}
                for precision, found in trips.items()
            },
            "log_prob_error": {
                precision: _answer(nats[precision], exact, size)
                for precision in (flows.SINGLE, flows.MIXED)
            },
        }

    def jacobian(self):
        """Returns extreme singular values, and those of levels and parts."""
        glow = self._flows[flows.SINGLE].bijector
        kinds, whole = list(self._inputs), {}
        for i in range(0, len(kinds), _NUM_LINEARIZED):
            some = kinds[i : i + _NUM_LINEARIZED]
            linear = _linearized(glow, [self._values(k, 1) for k in some])
            found = linear.extremes(_NUM_ITERATIONS, self._seed)
            whole |= zip(some, map(_singular_values, *found))
        linear = _linearized(glow, [self._values("data", 1)])
        given = _NUM_ITERATIONS, self._seed
        levels = {
            f"level {i}": linear.of_level(i).extremes(*given)
            for i in range(glow.num_levels)
        }
        single = linear.extremes_of_parts(*given)
        return {
            "inputs": whole,
            **{
                key: [
                    {"name": name, **_singular_values(*np.ravel(extremes))}
                    for name, extremes in found.items()
                ]
                for key, found in (("levels", levels), ("parts", single))
            },
        }

    def exact(self):
        """Returns numbers of the exact Jacobian at one image, or why there are none."""
        x, kwargs = self._values("data", 1)
        try:
            found = jacobian.exact(self._flows[flows.DOUBLE], x, **kwargs)
            shadow = self._shadow(x, kwargs)
        except FloatingPointError as error:
            return {"error": str(error)}
        return {
            "largest": float(found.singular_values[0]),
            "smallest": float(found.singular_values[-1]),
            "condition_number": found.condition_number,
            "log_det": found.log_det,
            "log_det_error": found.log_det_error,
            "shadow": shadow,
        }

    def _shadow(self, x, kwargs):
        """Returns how far an exact trajectory is from the one in float32."""
        exact = self._flows[flows.DOUBLE]
        found = shadowing.shadow(
            exact.bijector, self._flows[flows.SINGLE].bijector, x, **kwargs
        )
        start = tf.reshape(found.displacement[0], x.shape)
        moved = exact.log_prob(tf.cast(x, exact.dtype) + start, **kwargs)
        change = moved - exact.log_prob(x, **kwargs)
        return {
            "distance": found.distance,
            "window": found.window,
            "gray_levels": float(np.max(np.abs(start))) * self._model.bins,
            "log_prob_change": float(tf.abs(change)[0]),
        }

    def attacks(self, num_steps):
        """Returns the largest errors inside the cells of some images."""
        x, kwargs = self._values("data", _NUM_ATTACKED)
        flow, exact = self._flows[flows.SINGLE], self._flows[flows.DOUBLE]
        bins = self._model.bins

        def trip_error(x):
            errors = round_trips.round_trip(flow, x, bins, **kwargs)
            return np.max(np.abs(errors), axis=(1, 2, 3))

        def answer_error(x):
            nats = flow.log_prob(x, **kwargs), exact.log_prob(x, **kwargs)
            return np.abs(np.float64(nats[0]) - np.float64(nats[1]))

        functions = [
            lambda x, f=f: f(x, **kwargs) for f in (flow.inverse, flow.forward)
        ]
        log_probs = [
            lambda x, f=f: f.log_density(x, **kwargs) for f in (flow, exact)
        ]
        return {
            name: attack.search(
                measure, objective, x, 0.499 / bins, num_steps, self._seed
            ).to_dict()
            for name, measure, objective in (
                ("round_trip", trip_error, attack.growth(*functions)),
                ("log_prob", answer_error, attack.disagreement(*log_probs)),
            )
        }

    def gradients(self):
        """Returns the differences of gradients on the data."""
        x, kwargs = self._values("data")
        found = gradient_modes.compare_gradients(
            self._model.glow, x, ("invert", "store"), **kwargs
        )
        return {
            mode: {name: vars(value) for name, value in differences.items()}
            for mode, differences in found.items()
        }

    def _values(self, name, count=None):
        """Returns float32 values and the keyword arguments of the bijector."""
        images, conditioning, _ = self._inputs[name]
        if conditioning is not None:
            conditioning = conditioning[:count]
        kwargs = self._model.conditioning_kwargs(conditioning)
        x = self._model.distribution.dequantize(tf.constant(images[:count]))
        return x, kwargs.get("bijector_kwargs", {})


def _linearized(glow, values):
    """Returns `LinearizedParts` at a list of values and keyword arguments."""
    x = tf.concat([x for x, _ in values], axis=0)
    conditioning = [kwargs["conditioning"] for _, kwargs in values if kwargs]
    conditioning = tf.concat(conditioning, axis=0) if conditioning else None
    apart = parts.take_apart(glow, conditioning)
    return parts.LinearizedParts(apart, tf.cast(x, glow.dtype))


def _singular_values(largest, smallest):
    return {
        "largest": float(largest),
        "smallest": float(smallest),
        "condition_number": float(largest / smallest),
    }


def _answer(log_prob, exact, size):
    """Returns the error of log-probabilities, the largest over images."""
    errors = np.abs(log_prob - exact)
    return {
        "nats": errors.tolist(),
        "max_nats": float(np.max(errors)),
        "max_bits_per_dim": float(np.max(errors) / (size * np.log(2.0))),
        "max_relative": float(np.max(errors / np.abs(exact))),
    }
