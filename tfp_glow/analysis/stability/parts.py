# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Takes a Glow apart: singular values of levels, steps, priors, and the whole."""

import dataclasses
import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow.analysis.stability import jacobian
from tfp_glow.bijectors import joint
from tfp_glow.bijectors import levels as levels_
from tfp_glow.bijectors import squeeze

tfb = tfp.bijectors


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """A step or the prior of a level, which maps data towards latents.

    All numbers of an image are one vector. A part first reorders the vector,
    then transforms its first numbers, and keeps the rest, the latent variables
    of finer levels.

    Attributes:
        name: `str`, for example `"level 0, step 3"`, counted from the image.
        level: `int`.
        bijector: `tfb.Bijector` of events of shape `shape`.
        shape: `(H, W, C)`.
        order: array `[D]`, positions before the part in their order after it.
    """

    name: str
    level: int
    bijector: tfb.Bijector
    shape: tuple
    order: np.ndarray

    def forward(self, state):
        """Applies the part to vectors `[N, D]`."""
        h, rest = self.split(state)
        return self.join(self.bijector.forward(h), rest)

    def split(self, state):
        """Reorders vectors; returns what is transformed, and what is kept."""
        state = tf.gather(state, self.order, axis=1)
        size = math.prod(self.shape)
        return tf.reshape(state[:, :size], [-1, *self.shape]), state[:, size:]

    def join(self, h, rest):
        """Returns vectors of what was transformed and what was kept."""
        return tf.concat([tf.reshape(h, [h.shape[0], -1]), rest], axis=1)


def take_apart(glow, conditioning=None):
    """Returns the `Part`s of a `Glow` in the order from data to latents."""
    kwargs = levels_.keyword_arguments(glow, conditioning)
    same = np.arange(math.prod(glow.image_shape))
    kept, rest = same.reshape([1, *glow.image_shape]), same[:0]
    parts = []
    for i, level in enumerate(glow.parameters["levels"]):
        active = squeeze.Squeeze().forward(kept).numpy()
        order = np.concatenate([active.ravel(), rest])
        for_steps, for_prior = kwargs[i]
        bijectors = {
            f"level {i}, step {k}": glow.steps(i).step(k, **for_steps)
            for k in range(glow.steps(i).num_steps)
        }
        bijectors[f"level {i}, prior"] = joint.Given(level.prior, **for_prior)
        for name, bijector in bijectors.items():
            parts.append(Part(name, i, bijector, active.shape[1:], order))
            order = same
        active = same[: active.size].reshape(active.shape)
        kept, split = np.split(active, 2, axis=-1)
        rest = np.concatenate([split.ravel(), same[active.size :]])
    return parts


class LinearizedParts:
    """The derivatives of consecutive parts and of their inverses at images."""

    def __init__(self, parts, x):
        """Differentiates `parts` at values `[N, H, W, C]`."""
        self.parts = parts
        state = tf.reshape(x, [x.shape[0], -1])
        self.forward, self.inverse = [], []
        for part in parts:
            h, rest = part.split(state)
            found = jacobian.Linearized(part.bijector.forward, h)
            back = jacobian.Linearized(part.bijector.inverse, found.y)
            self.forward.append(found)
            self.inverse.append(back)
            state = part.join(found.y, rest)

    def of_level(self, level):
        """Returns the `LinearizedParts` of a level, without the rest."""
        rows = [i for i, part in enumerate(self.parts) if part.level == level]
        chosen = object.__new__(LinearizedParts)
        size = math.prod(self.parts[rows[0]].shape)
        chosen.parts = [
            dataclasses.replace(self.parts[i], order=np.arange(size))
            for i in rows
        ]
        chosen.forward = [self.forward[i] for i in rows]
        chosen.inverse = [self.inverse[i] for i in rows]
        return chosen

    def extremes(self, num_steps=20, seed=0):
        """Returns the largest and the smallest singular values, arrays `[N]`."""
        forward = _Chain(self.parts, self.forward)
        inverse = _Chain(self.parts, self.inverse, is_inverse=True)
        return _extremes(forward, inverse, num_steps, seed)

    def extremes_of_parts(self, num_steps=20, seed=0):
        """Returns those of each part, a dictionary by the parts' names."""
        return {
            part.name: _extremes(forward, inverse, num_steps, seed)
            for part, forward, inverse in zip(
                self.parts, self.forward, self.inverse
            )
        }


def _extremes(forward, inverse, num_steps, seed):
    largest, of_inverse = (
        jacobian.largest_singular_values(linear, num_steps, seed)
        for linear in (forward, inverse)
    )
    return largest, 1.0 / of_inverse


class _Chain:
    """The derivative of all parts, or of their inverses, as two products."""

    def __init__(self, parts, factors, is_inverse=False):
        self._parts, self._factors = parts, factors
        self._is_inverse = is_inverse
        self.dtype = factors[0].dtype
        self.shape = (factors[0].shape[0], len(parts[0].order))

    def product(self, v):
        """Computes `J v`."""
        products = [factor.product for factor in self._factors]
        return self._walk(v, products, self._is_inverse)

    def transposed_product(self, w):
        """Computes `J^T w`."""
        products = [factor.transposed_product for factor in self._factors]
        return self._walk(w, products, not self._is_inverse)

    def _walk(self, v, products, is_backward):
        """Goes from data to latents, or back, by the products of the parts."""
        walk = list(zip(self._parts, products))
        for part, product in walk[::-1] if is_backward else walk:
            if not is_backward:
                v = tf.gather(v, part.order, axis=1)
            size = math.prod(part.shape)
            moved = product(tf.reshape(v[:, :size], [-1, *part.shape]))
            v = part.join(moved, v[:, size:])
            if is_backward:
                v = tf.gather(v, np.argsort(part.order), axis=1)
        return v
