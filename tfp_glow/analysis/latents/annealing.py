# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Annealing: draws from a density of vectors, and its integral."""

import dataclasses

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _tf

_NUM_LEAPFROG_STEPS = 4
_ACCEPTANCE = 0.75  # The share of moves to accept, by the step size.


@dataclasses.dataclass(frozen=True)
class Annealed:
    """Particles that follow a density.

    Attributes:
        particles: float32 `[N, S, d]`.
        log_integral: float64 `[N]`, estimate of the log-integral of the density.
        acceptance: `float`, the share of the last moves that were accepted.
    """

    particles: np.ndarray
    log_integral: np.ndarray
    acceptance: float


def mover(log_density):
    """Returns a compiled move of particles, for `anneal`.

    Args:
        log_density: callable of particles `[N, S, d]` and of a list of tensors,
            that returns log-densities `[N, S]`.
    """

    @_tf.compiled
    def move(particles, power, step_size, seed, given):
        def tempered(u):
            normal = -0.5 * tf.reduce_sum(u**2, axis=-1)
            return (1.0 - power) * normal + power * log_density(u, given)

        kernel = tfp.mcmc.HamiltonianMonteCarlo(
            tempered, step_size, _NUM_LEAPFROG_STEPS
        )
        particles, results = kernel.one_step(
            particles, kernel.bootstrap_results(particles), seed=seed
        )
        accepted = tf.cast(results.is_accepted, tf.float32)
        return particles, log_density(particles, given), accepted

    return move


def anneal(move, given, shape, num_steps, seed):
    """Moves particles from a standard normal distribution to a density.

    A sequential Monte Carlo sampler (Del Moral et al., 2006): the density of
    step `t` is that of the normal distribution to the power `1 - b[t]` times the
    target to the power `b[t]`. Particles are weighted, are resampled when few of
    them carry the weight, and are moved by Hamiltonian Monte Carlo. The last
    quarter of the steps has the target itself. `exp(log_integral)` has the
    integral as its expectation, if the step size is fixed; so `log_integral`
    tends to be too low, the less, the more steps and particles.

    Args:
        move: from `mover`.
        given: list of tensors for its `log_density`.
        shape: `(N, S, d)`: problems, particles of each, and dimensions.
        num_steps: `int`.
        seed: `int`.

    Returns:
        `Annealed`.
    """
    generator = np.random.default_rng(seed)
    particles = generator.standard_normal(shape, np.float32)
    powers = np.minimum(np.arange(num_steps + 1) / (0.75 * num_steps), 1.0)
    # The first move has the power 0 and tells the densities of the start.
    log_weights, log_integral = np.zeros(shape[:2]), np.zeros(shape[0])
    step_size = 0.5 / shape[2] ** 0.25
    log_densities = None
    for i, power in enumerate(powers):
        if i:
            normal = -0.5 * np.sum(particles**2, axis=-1)
            change = np.float64(log_densities) - normal
            log_weights += (power - powers[i - 1]) * change
            # Where the target begins, all get equal weights, and then move apart.
            ends = powers[i - 1] < power == 1.0
            particles, log_weights, log_integral = _resampled(
                particles,
                log_weights,
                log_integral,
                generator,
                least=np.inf if ends else 0.5 * shape[1],
            )
        outputs = move(
            tf.constant(particles),
            tf.constant(power, tf.float32),
            tf.constant(step_size, tf.float32),
            tf.constant(generator.integers(2**31, size=2), tf.int32),
            given,
        )
        particles, log_densities, accepted = (x.numpy() for x in outputs)
        acceptance = float(np.mean(accepted))
        step_size *= np.exp(0.3 * (acceptance - _ACCEPTANCE))
    # The integral of the normal distribution, which has no constant above.
    log_integral += 0.5 * shape[2] * np.log(2.0 * np.pi)
    return Annealed(particles, log_integral, acceptance)


def _resampled(particles, log_weights, log_integral, generator, least):
    """Resamples, systematically, where the weight is that of few particles."""
    count = log_weights.shape[1]
    total = np.logaddexp.reduce(log_weights, axis=1)
    shares = np.exp(log_weights - total[:, np.newaxis])
    few = 1.0 / np.sum(shares**2, axis=1) < least
    particles, log_weights = particles.copy(), log_weights.copy()
    log_integral = log_integral + np.where(few, total - np.log(count), 0.0)
    for n in np.flatnonzero(few):
        points = (np.arange(count) + generator.random()) / count
        chosen = np.searchsorted(np.cumsum(shares[n]), points)
        particles[n] = particles[n, np.minimum(chosen, count - 1)]
        log_weights[n] = 0.0
    return particles, log_weights, log_integral
