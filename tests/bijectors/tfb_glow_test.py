# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests that a `tfb.Glow` and its copy compute the same."""

import functools
import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import tf_keras

import tfp_glow as tfg
from tests import helpers

tfb = tfp.bijectors
tfd = tfp.distributions

default_network = functools.partial(tfb.GlowDefaultNetwork, num_hidden=5)


def make(dtype=tf.float32, shape=(4, 4, 1), levels=1, steps=1, **kwargs):
    arguments = dict(
        num_glow_blocks=levels,
        num_steps_per_block=steps,
        coupling_bijector_fn=default_network,
        exit_bijector_fn=tfb.GlowDefaultExitNetwork,
    )
    # The default networks take no dtype.
    tf_keras.backend.set_floatx(dtype.name)
    try:
        return tfb.Glow(shape, **arguments | kwargs)
    finally:
        tf_keras.backend.set_floatx("float32")


def trained(dtype, shape, **kwargs):
    """A `tfb.Glow`, none of whose trainable variables is as it was made."""
    glow = make(dtype, shape, **kwargs)
    glow.inverse(helpers.normal([8, *shape], dtype=dtype))
    return helpers.perturb(glow, 0.05)


def order(theirs, shape):
    """The positions in TFP's latent vectors of the numbers of ours."""
    height, width, channels = shape
    splits = theirs.blockwise_splits
    factor = 2 ** len(splits)
    z = np.arange(math.prod(shape))
    z = z.reshape(height // factor, width // factor, channels * factor**2)
    latents = []
    for i, (stays, leaves, _) in enumerate(splits):
        # The coarsest level comes first, and all of it is latent.
        latents.insert(0, z[..., stays if i else 0 : stays + leaves])
        z = tfg.Squeeze().inverse(z).numpy()
    return np.concatenate([part.ravel() for part in latents])


def log_prob(glow, x):
    size = math.prod(x.shape[1:])
    normal = tfd.Normal(tf.zeros([], x.dtype), tf.ones([], x.dtype))
    flow = tfd.TransformedDistribution(tfd.Sample(normal, [size]), glow)
    return flow.log_prob(x)


@pytest.mark.parametrize(
    ("dtype", "shape", "levels", "use_actnorm", "tolerance"),
    [
        (tf.float64, (4, 8, 2), 2, True, 1e-12),
        (tf.float32, (4, 4, 1), 2, True, 1e-5),
        (tf.float64, (4, 2, 3), 1, False, 1e-12),
        pytest.param(
            *(tf.float32, (8, 16, 3), 3, True, 1e-4), marks=pytest.mark.slow
        ),
    ],
)
def test_a_copy_computes_the_same(dtype, shape, levels, use_actnorm, tolerance):
    options = dict(levels=levels, steps=2, use_actnorm=use_actnorm)
    theirs = trained(dtype, shape, **options)
    ours = tfg.from_tfb_glow(theirs)
    x = helpers.normal([3, *shape], 1, dtype)
    same = functools.partial(np.testing.assert_allclose, rtol=tolerance)
    same(log_prob(ours, x), log_prob(theirs, x))
    z, reorder = theirs.inverse(x), order(theirs, shape)
    atol = 10.0 * tolerance
    same(ours.inverse(x), tf.gather(z, reorder, axis=-1), atol=atol)
    z = helpers.normal(z.shape, 2, dtype)
    image = ours.forward(tf.gather(z, reorder, axis=-1))
    same(image, theirs.forward(z), atol=atol)
    assert image.dtype == dtype


def test_a_copy_has_its_own_variables_which_data_do_not_initialize():
    theirs = trained(tf.float32, (4, 4, 1), steps=2)
    ours = tfg.from_tfb_glow(theirs)
    before = [v.numpy() for v in ours.variables]
    assert len(ours.trainable_variables) > 10
    helpers.perturb(theirs)
    normal = tfd.Sample(tfd.Normal(0.0, 1.0), [16])
    model = tfg.FlowModel(tfd.TransformedDistribution(normal, ours))
    model.initialize(helpers.normal([8, 4, 4, 1], 1, tf.float32))
    assert model.initialized
    for variable, value in zip(ours.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


class Subclass(tfb.GlowDefaultNetwork):
    """A network that is no longer known."""


def additive(shape):
    return tf_keras.Sequential([tf_keras.layers.Input(shape)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            dict(coupling_bijector_fn=Subclass),
            "step 0 of level 0. Expected TFP's default.*Subclass.*by hand",
        ),
        (
            dict(
                levels=2,
                exit_bijector_fn=lambda shape, output_chan: additive(shape),
            ),
            "exit of level 0. Expected TFP's default.*Sequential.*by hand",
        ),
        (
            dict(
                levels=2,
                exit_bijector_fn=functools.partial(
                    tfb.GlowDefaultExitNetwork, kernel_shape=1
                ),
            ),
            r"exit of level 0. Expected a 3x3 kernel.*\(1, 1\)",
        ),
        (
            dict(
                coupling_bijector_fn=functools.partial(
                    default_network, kernel_shape=2
                )
            ),
            r"Expected one width and one.*odd kernel shape.*\(2, 2, 5\)",
        ),
        (
            dict(
                levels=2,
                coupling_bijector_fn=lambda shape: tfb.GlowDefaultNetwork(
                    shape, num_hidden=shape[-1]
                ),
            ),
            r"Expected one width and one.*\(3, 3, 2\), \(3, 3, 4\)",
        ),
        (
            dict(levels=2, grab_after_block=(0.25, 0.0)),
            r"grab_after_block=\(0.5, 0.0\).*Received: \(0.25, 0.0\)",
        ),
    ],
)
def test_what_a_glow_cannot_express_is_refused(options, message):
    theirs = make(use_actnorm=False, **options)
    with pytest.raises(ValueError, match=message):
        tfg.from_tfb_glow(theirs)


def test_norms_without_data_singular_matrices_and_others_are_refused():
    theirs = make()
    with pytest.raises(ValueError, match=r"level 0.*Call `bijector.inverse"):
        tfg.from_tfb_glow(theirs)
    theirs.inverse(helpers.normal([8, 4, 4, 1], dtype=tf.float32))
    tfg.from_tfb_glow(theirs)
    (matrix,) = (v for v in theirs.variables if "lower_upper" in v.name)
    matrix.assign(matrix * (1.0 - np.eye(4)))
    with pytest.raises(ValueError, match=r"level 0. Expected finite.*no 0"):
        tfg.from_tfb_glow(theirs)
    with pytest.raises(TypeError, match=r"`tfb.Glow`.*Received: Exp"):
        tfg.from_tfb_glow(tfb.Exp())
