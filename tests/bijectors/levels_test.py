# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the levels of a `tfp_glow.Glow`: shapes, priors, conditioning."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests import helpers
from tfp_glow.bijectors import levels as levels_lib

SIZE = dict(num_levels=2, num_steps=2, num_filters=4)
SHAPES = {"vectors": 3, "images": (4, 4, 2)}


def conditional_glow(kind, dtype=tf.float64, moved=True, **kwargs):
    glow = tfg.Glow(
        [4, 4, 1],
        seed=0,
        dtype=dtype,
        conditioning_size=SHAPES[kind],
        **{**SIZE, **kwargs},
    )
    return helpers.perturb(glow) if moved else glow


def conditioning(kind, batch=(3,), seed=5):
    shape = np.atleast_1d(SHAPES[kind])
    return helpers.normal([*batch, *shape], seed)


def make_glow():
    return tfg.Glow(
        [4, 4, 2],
        num_levels=2,
        num_steps=1,
        num_filters=4,
        seed=0,
        dtype=tf.float64,
    )


def test_priors_are_the_identity_at_initialization():
    glow = make_glow()
    image = helpers.normal([2, 4, 4, 2])
    finest, _ = glow.split_latents(glow.inverse(image))
    h = glow.steps(0).step(0).forward(tfg.Squeeze().forward(image))
    np.testing.assert_allclose(finest, h[..., 4:], atol=1e-12)
    network = glow._levels[0].prior.affine.network
    assert not np.any(network(h[..., :4]))
    assert not any(np.any(v) for v in glow._levels[1].prior.variables)


def test_split_prior_sees_the_half_that_goes_on():
    glow = helpers.perturb(make_glow())
    image = helpers.normal([2, 4, 4, 2])
    finest, _ = glow.split_latents(glow.inverse(image))
    h = glow.steps(0).step(0).forward(tfg.Squeeze().forward(image))
    goes_on, leaves = tf.split(h, 2, axis=-1)
    shift, log_scale = tf.split(
        glow._levels[0].prior.affine.network(goes_on), 2, axis=-1
    )
    prior = glow._levels[0].prior
    expected = prior.tails.forward(tf.exp(log_scale) * leaves + shift)
    expected = prior.radial.forward(expected)
    np.testing.assert_allclose(finest, expected, atol=1e-12)


@pytest.mark.parametrize("batch_shape", [[2], [3, 2]])
@pytest.mark.parametrize("size", [None, 3])
def test_the_top_prior_shifts_and_scales_every_element(size, batch_shape):
    shape = [2, 1, 4]
    shift, log_scale = helpers.normal(shape, 1), helpers.normal(shape, 2)
    kernel, kwargs, m, r = None, {}, 0.0, 0.0
    if size is not None:
        kernel = helpers.normal([size, 8], 3)
        c = helpers.normal([int(np.prod(batch_shape)), size], 4)
        kwargs = dict(conditioning=c)
        more = tf.reshape(c @ kernel, [*batch_shape, 1, 1, 8])
        m, r = tf.split(more, 2, axis=-1)
    prior = levels_lib.TopPrior(shift, log_scale, kernel)
    x = helpers.normal([*batch_shape, *shape])
    y = prior.forward(x, **kwargs)
    expected = tf.exp(log_scale + r) * (x + shift + m)
    np.testing.assert_allclose(y, expected, atol=1e-12)
    np.testing.assert_allclose(
        prior.inverse(tf.identity(y), **kwargs), x, atol=1e-12
    )
    log_det = prior.forward_log_det_jacobian(x, 3, **kwargs)
    expected = tf.reduce_sum(log_scale + r + 0.0 * x, axis=[-3, -2, -1])
    np.testing.assert_allclose(
        tf.broadcast_to(log_det, batch_shape), expected, atol=1e-12
    )


@pytest.mark.parametrize("kind", SHAPES)
def test_log_det_and_inverse_given_the_conditioning(kind):
    glow = conditional_glow(kind)
    x = helpers.normal([2, 4, 4, 1])
    c = conditioning(kind, [2])
    z = glow.inverse(x, conditioning=c)
    np.testing.assert_allclose(
        glow.inverse_log_det_jacobian(x, event_ndims=3, conditioning=c),
        helpers.log_det_by_autodiff(
            lambda copies: glow.inverse(copies, conditioning=c), x
        ),
        atol=1e-9,
    )
    back = glow.copy().forward(tf.identity(z), conditioning=c)
    np.testing.assert_allclose(back, x, atol=1e-10)


def test_nothing_depends_on_the_conditioning_at_initialization():
    glow = conditional_glow("vectors", moved=False)
    x = helpers.normal([3, 4, 4, 1])
    z = glow.inverse(x, conditioning=conditioning("vectors"))
    other = glow.inverse(x, conditioning=conditioning("vectors", seed=6))
    np.testing.assert_array_equal(z, other)


def test_every_row_depends_on_its_own_conditioning():
    glow = conditional_glow("images")
    x = helpers.normal([3, 4, 4, 1])
    c = conditioning("images")
    moved = tf.concat([c[:1], c[1:2] + 1.0, c[2:]], axis=0)
    changed = np.any(
        glow.inverse(x, conditioning=c) != glow.inverse(x, conditioning=moved),
        axis=-1,
    )
    np.testing.assert_array_equal(changed, [False, True, False])


@pytest.mark.slow
def test_the_same_conditioning_has_a_gradient_in_every_tape():
    glow = conditional_glow("images")
    c = conditioning("images")
    kept_alive = []
    for seed in range(2):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(c)
            z = glow.inverse(helpers.normal([3, 4, 4, 1], seed), conditioning=c)
            kept_alive.append((tape, z))
        assert np.any(tape.gradient(z, c))


def test_conditioning_is_broadcast_over_sample_dimensions():
    glow = conditional_glow("vectors")
    x = helpers.normal([2, 3, 4, 4, 1])
    c = conditioning("vectors")
    together = glow.inverse(x, conditioning=c)
    one = glow.inverse(x[1], conditioning=c)
    np.testing.assert_allclose(together[1], one, atol=1e-12)


def test_conditioned_priors_leave_the_couplings_alone():
    glow = conditional_glow("vectors", conditioned="priors")
    names = [v.name for v in glow.variables if "conditioning" in v.name]
    assert len(names) == 2
    assert all("prior" in name for name in names)
    x = helpers.normal([3, 4, 4, 1])
    features = [
        glow.top_features(glow.inverse(x, conditioning=c), c)
        for c in (conditioning("vectors"), conditioning("vectors", seed=6))
    ]
    np.testing.assert_allclose(*features, atol=1e-12)


def test_a_keras_layer_as_the_network_is_conditioned_too():
    network = keras.layers.Conv2D(3, 1, dtype="float64")
    glow = conditional_glow("vectors", network=network, num_levels=1)
    x, c = helpers.normal([3, 4, 4, 1]), conditioning("vectors")
    z = glow.inverse(x, conditioning=c)
    back = glow.copy().forward(tf.identity(z), conditioning=c)
    np.testing.assert_allclose(back, x, atol=1e-10)
    assert np.any(z != glow.inverse(x, conditioning=c + 1.0))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        (
            dict(conditioning_size=(2, 4, 3)),
            r"as high and wide as .*\(2, 4, 3\)",
        ),
        (dict(conditioning_size=0), "positive integer"),
        (dict(conditioned="prior"), "Did you mean 'priors'"),
        (dict(network="papr"), "Expected 'paper', a Keras layer"),
        (dict(coupling="splines"), "Did you mean 'spline'"),
    ],
)
def test_bad_arguments_are_errors(kwargs, message):
    with pytest.raises((TypeError, ValueError), match=message):
        tfg.Glow([4, 4, 1], **SIZE, **kwargs)


def test_missing_and_unexpected_conditioning_are_errors():
    x = helpers.normal([3, 4, 4, 1])
    with pytest.raises(
        ValueError, match=r"the shape \[\.\.\., 3\], as in.*Received: None"
    ):
        conditional_glow("vectors").inverse(x)
    with pytest.raises(ValueError, match="Expected none"):
        tfg.Glow([4, 4, 1], dtype=tf.float64, **SIZE).inverse(
            x, conditioning=conditioning("vectors")
        )


@pytest.mark.parametrize(
    "image_shape, num_levels, near",
    [
        ([28, 28, 1], 3, "(24, 24) or (32, 32)"),
        ([8, 10, 3], 2, "(8, 8) or (8, 12)"),
        ([2, 2, 1], 2, "(4, 4)."),
        ([3, 8, 1], 1, "(2, 8) or (4, 8)"),
        ([7, 9, 1], None, "(6, 8)"),
    ],
)
def test_sizes_that_cannot_be_halved_name_sizes_that_can(
    image_shape, num_levels, near
):
    with pytest.raises(
        ValueError,
        match=rf"2\*\*num_levels={2 ** (num_levels or 1)}, for.*{re.escape(near)}.*"
        rf"image_shape={re.escape(str(tuple(image_shape)))}",
    ):
        tfg.Glow(image_shape, num_levels=num_levels)


@pytest.mark.parametrize(
    ("image_shape", "levels"),
    [
        ((8, 8, 1), 2),
        ((4, 4, 1), 1),
        ((2, 2, 1), 1),
        ((16, 16, 3), 3),
        ((32, 32, 3), 3),
        ((28, 28, 1), 2),
        ((12, 32, 1), 2),
        ((6, 6, 1), 1),
        ((18, 18, 1), 1),
    ],
)
def test_levels_are_as_many_as_the_size_allows(image_shape, levels):
    assert levels_lib.default_num_levels(image_shape) == levels


@pytest.mark.parametrize("image_shape", [[4, 4], [1, 4, 4, 2], []])
def test_an_image_shape_of_another_rank_raises(image_shape):
    with pytest.raises(ValueError, match=r"\(height, width, channels\)"):
        tfg.Glow(image_shape)


def test_a_temperature_scales_what_the_radial_gaussianization_is_given():
    glow = helpers.perturb(make_glow())
    latents = helpers.normal([3, 32])
    temperature = np.repeat([0.5, 1.0], [16, 16])
    scaled = levels_lib.scale_latents(glow, latents, temperature)
    fine, top = glow.split_latents(scaled)
    z, same = glow.split_latents(latents)
    np.testing.assert_array_equal(top, same)
    radial = glow._levels[0].prior.radial
    np.testing.assert_allclose(
        radial.inverse(fine), 0.5 * radial.inverse(z), rtol=1e-10
    )
    np.testing.assert_array_equal(
        levels_lib.scale_latents(glow, latents, 1.0), latents
    )
    assert not np.any(levels_lib.scale_latents(glow, latents, 0.0))
