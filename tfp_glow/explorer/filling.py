# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Draws the pixels of a hole a few steps at a time, so that a page can watch."""

import base64
import functools
import math
import time

import numpy as np
import sklearn.covariance
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow.analysis.latents import flow
from tfp_glow.analysis.latents import inpainting
from tfp_glow.explorer import uploads

_NUM_STEPS = 30
_NUM_LEAPS = 4  # Of a step of Hamiltonian Monte Carlo.
_NUM_PARTICLES = 2  # The first one is shown. Both tell the size of the leaps.
_ACCEPTANCE = 0.75  # The share of steps to accept, by the size of the leaps.
_SECONDS = 0.3  # Of one call.


class Filler:
    """Fills holes as `latents.inpaint` does, in calls of a fraction of a second.

    Particles start with the conditional distribution of a Gaussian fitted to the
    data, and move to the model's by Hamiltonian Monte Carlo at falling
    temperatures. They carry no weights. So a filling is only approximately a
    draw, the better, the more steps.
    """

    def __init__(self, model, images):
        """Makes the filler of a `GlowModel`, and images `[N, H, W, C]`."""
        self._model = model
        values = model.distribution.dequantize(np.asarray(images, float))
        self._values = np.reshape(values, [len(images), -1])
        find = sklearn.covariance.ledoit_wolf_shrinkage
        self._shrinkage = find(self._values)
        self._gradient = _tf.compiled(_gradient(flow.of(model)))
        self._start = functools.lru_cache(maxsize=4)(self._find_start)
        # Tracing takes seconds, which the first filling would need.
        given = [tf.zeros([_NUM_PARTICLES, model.event_size])]
        if model.num_classes:
            given.append(tf.zeros([_NUM_PARTICLES, model.num_classes]))
        self._gradient(*given)

    def fill(self, levels, mask, vectors, progress, generator):
        """Moves particles for a fraction of a second.

        Args:
            levels: integers `[H, W, C]`, pixels in the hole do not matter.
            mask: `bool` `[H, W]`, true in the hole.
            vectors: conditioning `[1, ...]` of the flow, or `None`.
            progress: `None` at first, then that of the last call.
            generator: NumPy's random generator.

        Returns:
            Gray levels `[H, W, C]`, and the progress, which JSON can hold. It
            has `share` 1 at the end.
        """
        whole = inpainting.checked(mask, self._model.image_shape)
        known = np.where(whole, 0, levels).astype(np.int32)
        start, hole = self._start(known.tobytes(), whole.tobytes())
        step, size, particles = _read(progress, (_NUM_PARTICLES, len(hole)))
        if particles is None:
            particles = generator.standard_normal((_NUM_PARTICLES, len(hole)))
        if vectors is not None:
            vectors = np.repeat(vectors, _NUM_PARTICLES, axis=0)

        def slope(particles, power):
            """Returns log-densities `[S]` and gradients `[S, d]`."""
            values = (start + particles @ hole).astype(np.float32)
            given = [values] if vectors is None else [values, vectors]
            density, gradient = self._gradient(*map(tf.constant, given))
            normal = -0.5 * np.sum(particles**2, axis=1)
            return (
                power * density.numpy() + (1.0 - power) * normal,
                power * gradient.numpy() @ hole.T - (1.0 - power) * particles,
            )

        end = time.monotonic() + _SECONDS
        while step < _NUM_STEPS:
            before = time.monotonic()
            step += 1
            power = min(1.0, step / (0.75 * _NUM_STEPS))
            particles, acceptance = _moved(
                lambda x, power=power: slope(x, power),
                particles,
                size,
                generator,
            )
            size *= math.exp(0.3 * (acceptance - _ACCEPTANCE))
            now = time.monotonic()
            if now + (now - before) > end:  # Where the next step would end.
                break
        values = (start + particles[:1] @ hole).reshape(levels.shape)
        filled = self._model.distribution.to_gray_levels(values)
        top = self._model.bins - 1
        filled = np.clip(np.round(filled), 0, top).astype(levels.dtype)
        return np.where(whole, filled, levels), {
            "share": step / _NUM_STEPS,
            "step": step,
            "size": size,
            "particles": base64.b64encode(
                particles.astype("<f4").tobytes()
            ).decode(),
        }

    def _find_start(self, known, mask):
        """Returns the mean image `[1, D]` and the factor `[d, D]` of a hole."""
        shape = self._model.image_shape
        mask = np.frombuffer(mask, bool)
        levels = np.frombuffer(known, np.int32).reshape(1, *shape)
        values = self._model.distribution.dequantize(levels.astype(float))
        values = np.reshape(values, [1, -1])
        mean, factor = _conditional_gaussian(
            self._values, self._shrinkage, values[:, ~mask], mask
        )
        start, hole = values.copy(), np.zeros([len(factor), mask.size])
        start[:, mask], hole[:, mask] = mean, factor.T
        return start, hole


def _gradient(compiled):
    """Returns a function of values `[S, D]`: log-densities and gradients."""

    def gradient(values, vectors=None):
        with tf.GradientTape() as tape:
            tape.watch(values)
            images = tf.reshape(values, [-1, *compiled.event_shape])
            density = compiled.log_density(images, vectors)
        return density, tape.gradient(density, values)

    return gradient


def _moved(slope, particles, size, generator):
    """Does a step of Hamiltonian Monte Carlo (Neal, 2011).

    Args:
        slope: function of particles `[S, d]` that returns log-densities `[S]`
            and their gradients `[S, d]`.
        particles: `[S, d]`.
        size: `float`, of a leap.
        generator: NumPy's random generator.

    Returns:
        The particles, moved where accepted, and the share of those.
    """
    momentum = generator.standard_normal(particles.shape)
    density, gradient = slope(particles)
    before = density - 0.5 * np.sum(momentum**2, axis=1)
    moved = particles
    for _ in range(_NUM_LEAPS):
        momentum = momentum + 0.5 * size * gradient
        moved = moved + size * momentum
        density, gradient = slope(moved)
        momentum = momentum + 0.5 * size * gradient
    after = density - 0.5 * np.sum(momentum**2, axis=1)
    with np.errstate(over="ignore"):
        # NaN is never larger, so it is not accepted.
        accepted = generator.random(len(particles)) < np.exp(after - before)
    return np.where(accepted[:, np.newaxis], moved, particles), np.mean(
        accepted
    )


def _conditional_gaussian(values, shrinkage, known, mask):
    """Returns the mean `[1, d]` of a hole and a factor `[d, d]` of its covariance.

    The Gaussian has the mean of the `N` values and their covariance, shrunk
    toward `mu I`. With centered values `X` and `Y` outside and inside the hole,

    ```none
    c = (1 - shrinkage) / N,  v = shrinkage * mu,  A = c X X^T + v I
    mean = mean(Y) + c (known - mean(X)) X^T A^-1 Y
    covariance = v (I + c Y^T A^-1 Y)
    ```

    which by the identity of Woodbury needs no matrix of `D` rows.
    """
    count = len(values)
    center = np.mean(values, axis=0)
    x, y = values[:, ~mask] - center[~mask], values[:, mask] - center[mask]
    v = shrinkage * np.mean((values - center) ** 2)
    c = (1.0 - shrinkage) / count
    solved = np.linalg.solve(c * x @ x.T + v * np.eye(count), y)
    mean = center[mask] + c * (known - center[~mask]) @ x.T @ solved
    covariance = v * (np.eye(y.shape[1]) + c * y.T @ solved)
    return mean, np.linalg.cholesky(covariance)


def _read(progress, shape):
    """Returns the step, its size, and the particles or `None`."""
    if progress is None:
        return 0, 0.5 / shape[1] ** 0.25, None
    if not isinstance(progress, dict):
        expected = "the progress of the last call"
        raise _checks.invalid_value("progress", progress, expected)
    [step] = _checks.integers(0, "an integer", step=progress.get("step"))
    size = _checks.number(
        "size",
        progress.get("size"),
        "a number in (0, 10)",
        lambda x: 0 < x < 10,
    )
    data = uploads.from_base64("particles", progress.get("particles"))
    if len(data) != 4 * math.prod(shape):
        raise ValueError(
            f"Expected particles {shape} of float32. Received: {len(data)} "
            "bytes. Was the region changed?"
        )
    return step, size, np.frombuffer(data, "<f4").reshape(shape)
