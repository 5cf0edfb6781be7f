# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.Glow`."""

import os
import re

import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests import helpers
from tfp_glow import networks
from tfp_glow.bijectors import gradients
from tfp_glow.bijectors import levels


def make_glow(image_shape=(4, 4, 2), **kwargs):
    kwargs = (
        dict(num_levels=2, num_steps=2, num_filters=4, seed=0, dtype=tf.float64)
        | kwargs
    )
    return tfg.Glow(image_shape, **kwargs)


def stacked(glow, level):
    """Returns the variables of a level's steps."""
    return glow.steps(level).parameters["parameters"]


def blocks(glow, level, step):
    """Returns the coupling, the convolution and the norm of one step.

    They have the current values of the step's variables.
    """
    p = tf.nest.map_structure(lambda v: v[step].numpy(), stacked(glow, level))
    weights = p["network"]
    network = networks.CouplingNetwork(
        num_outputs=weights["last"]["shift"].size,
        num_filters=weights["hidden_0"]["shift"].size,
        dtype=glow.dtype.name,
    )
    num_seen = weights["hidden_0"]["kernel"].shape[-2]
    network.build((None, None, None, num_seen))
    tf.nest.map_structure(
        lambda weight, value: weight.assign(value),
        network.own_weights(),
        weights,
    )
    return (
        tfg.AffineCoupling(network),
        tfg.Invertible1x1Conv(**p["invertible_1x1_conv"]),
        tfg.ActNorm(**p["act_norm"]),
    )


def test_latents_are_split_finest_first():
    glow = make_glow([8, 4, 3])
    assert (glow.num_levels, glow.image_shape) == (2, (8, 4, 3))
    latents = helpers.normal([5, 2, 96])
    finest, coarsest = glow.split_latents(latents)
    assert finest.shape == [5, 2, 4, 2, 6]
    assert coarsest.shape == [5, 2, 2, 1, 24]
    np.testing.assert_array_equal(
        np.reshape(finest, [5, 2, 48]), latents[..., :48]
    )
    np.testing.assert_array_equal(
        glow.merge_latents([finest, coarsest]), latents
    )


def test_parts_of_other_shapes_raise():
    glow = make_glow()
    with pytest.raises(
        ValueError,
        match=r"`parts`.*\(2, 2, 4\), \(1, 1, 16\).*Received.*\(1, 1, 8\)",
    ):
        glow.merge_latents([tf.zeros([3, 2, 2, 4]), tf.zeros([3, 1, 1, 8])])
    with pytest.raises(ValueError, match="Expected 32 channels"):
        glow.split_latents(tf.zeros([3, 31]))


def test_inverse_is_the_public_blocks_one_after_the_other():
    glow = helpers.perturb(make_glow([4, 4, 3]))
    for prior in (level.prior for level in glow.parameters["levels"]):
        for variable in prior.variables:
            variable.assign(tf.zeros_like(variable))
    squeeze = tfg.Squeeze()
    image = helpers.normal([5, 4, 4, 3])
    log_det = tf.zeros([5], tf.float64)
    h, parts = image, []
    for level in range(2):
        h = squeeze.forward(h)
        for k in range(2):
            coupling, conv, norm = blocks(glow, level, k)
            for block in (norm, conv, coupling):
                log_det += block.forward_log_det_jacobian(h, event_ndims=3)
                h = block.forward(h)
        if level == 0:
            h, z = tf.split(h, 2, axis=-1)
            parts.append(z)
    parts.append(h)
    np.testing.assert_allclose(
        glow.inverse(image), glow.merge_latents(parts), atol=1e-12
    )
    np.testing.assert_allclose(
        glow.inverse_log_det_jacobian(tf.identity(image), event_ndims=3),
        log_det,
        atol=1e-12,
    )


def test_steps_share_the_variables_of_the_flow():
    glow = make_glow()
    image = helpers.normal([1, 4, 4, 2])
    before = glow.inverse(image)
    h = helpers.normal([1, 1, 1, 16])
    of_step = glow.steps(1).step(1).forward(h)
    shift = stacked(glow, 1)["act_norm"]["shift"]
    assert any(shift is v for v in glow.trainable_variables)
    shift.assign_add(tf.ones([2, 16], tf.float64))
    assert np.all(glow.steps(1).step(1).forward(tf.identity(h)) != of_step)
    after = glow.inverse(tf.identity(image))
    finest, coarsest = glow.split_latents(after - before)
    assert not np.any(finest)
    assert np.any(coarsest)


def test_variable_names_say_level_and_part():
    names = {v.name for v in make_glow().variables}
    for name in (
        "glow/level_0/act_norm/shift:0",
        "glow/level_1/invertible_1x1_conv/permutation:0",
        "glow/level_0/network/hidden_1/kernel:0",
        "glow/level_0/prior/network/kernel",
        "glow/level_1/prior/shift:0",
    ):
        assert any(found.startswith(name) for found in names), name


def test_there_are_as_many_variables_for_many_steps_as_for_few():
    few, many = make_glow(num_steps=2), make_glow(num_steps=9)
    assert len(few.variables) == len(many.variables)
    flow = tfg.glow_distribution
    sizes = [
        helpers.count_ops(
            flow([4, 4, 1], num_levels=1, num_steps=k, num_filters=4).log_prob,
            tf.zeros([3, 4, 4, 1]),
            op_type=None,
        )
        for k in (2, 9)
    ]
    assert sizes[0] == sizes[1]


def test_permutations_and_signs_are_not_trainable():
    glow = make_glow()
    names = {v.name.split("/")[-1] for v in glow.non_trainable_variables}
    assert names == {"permutation:0", "sign:0"}


def test_seed_decides_all_variables():
    one, same, other = (make_glow(seed=seed).variables for seed in (0, 0, 1))
    assert len(one) == len(same) == len(other)
    for a, b in zip(one, same):
        np.testing.assert_array_equal(a, b)
    assert any(np.any(a != b) for a, b in zip(one, other))


def test_steps_of_one_flow_differ():
    glow = make_glow()
    convs = [blocks(glow, 0, k)[1].matrix().numpy() for k in range(2)]
    kernels = stacked(glow, 0)["network"]["hidden_0"]["kernel"].numpy()
    other_level = stacked(glow, 1)["network"]["hidden_1"]["kernel"].numpy()
    one_level = stacked(glow, 0)["network"]["hidden_1"]["kernel"].numpy()
    for one, other in (convs, kernels, (one_level, other_level)):
        assert np.max(np.abs(one - other)) > 1e-3


def assert_normalized(y, atol):
    y = np.reshape(y, [-1, y.shape[-1]])
    np.testing.assert_allclose(np.mean(y, axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(np.var(y, axis=0), 1.0, atol=atol)


def test_initialize_normalizes_every_norm_and_every_hidden_layer():
    glow = make_glow([4, 4, 2])
    helpers.perturb(glow)
    images = 100.0 + 20.0 * helpers.normal([2000, 4, 4, 2])
    glow.initialize(images)
    h = images
    for level in range(2):
        h = tfg.Squeeze().forward(h)
        for k in range(2):
            coupling, conv, norm = blocks(glow, level, k)
            h = norm.forward(h)
            assert_normalized(h, atol=2e-2)
            h = conv.forward(h)
            seen = h[..., : h.shape[-1] // 2]
            x = 4.0 * np.tanh(seen / 4.0)
            for layer in coupling.network.hidden:
                y = layer(x)
                assert_normalized(y, atol=2e-2)
                x = tf.nn.relu(y)
            h = coupling.forward(h)
        h = tf.split(h, 2, axis=-1)[0]


def correlated_images(num=2000):
    noise = helpers.normal([num, 5, 5, 2])
    smooth = noise[:, 1:, 1:] + noise[:, :-1, 1:] + noise[:, 1:, :-1]
    return 100.0 + smooth @ helpers.normal([2, 2], seed=1)


@pytest.mark.parametrize(
    "permutation",
    ["learned", pytest.param("full", marks=pytest.mark.slow)],
)
def test_initialize_whitens_the_input_of_every_convolution(permutation):
    options = dict(coupling="additive", permutation=permutation)
    glow = make_glow(**options)
    images = correlated_images()
    latents = glow.initialize(images)
    np.testing.assert_array_equal(latents, glow.inverse(tf.identity(images)))
    # Additive couplings and priors are the identity at initialization.
    for z in glow.split_latents(latents):
        z = np.reshape(z, [-1, z.shape[-1]])
        np.testing.assert_allclose(np.mean(z, axis=0), 0.0, atol=1e-6)
        np.testing.assert_allclose(np.cov(z.T), np.eye(z.shape[-1]), atol=0.05)
    paper = make_glow(**options, initialization="normalize")
    z = paper.split_latents(paper.initialize(images))[0]
    z = np.reshape(z, [-1, z.shape[-1]])
    assert np.max(np.abs(np.cov(z.T) - np.eye(z.shape[-1]))) > 0.2


def test_a_whitened_level_passes_its_smooth_channels_on():
    glow = make_glow([8, 8, 1], num_levels=1, coupling="additive")
    # The mean of each square of pixels is a slope, and the rest is noise.
    slope = np.add.outer(np.arange(4.0), np.arange(4.0))
    slope = np.kron(slope, np.ones([2, 2]))[..., np.newaxis]
    images = slope + helpers.normal([500, 8, 8, 1])
    z = glow.split_latents(glow.initialize(images))[0].numpy()
    roughness = sum(
        np.sum(np.diff(z, axis=axis) ** 2, axis=(0, 1, 2)) for axis in (1, 2)
    )
    assert np.all(np.diff(roughness) > 0.0)
    assert roughness[0] < 0.5 * roughness[1]


def test_whitened_images_are_likelier():
    images = correlated_images()
    nats = {}
    for initialization in ("normalize", "whiten"):
        flow = tfg.glow_distribution(
            [4, 4, 2],
            num_levels=2,
            num_steps=2,
            num_filters=4,
            dtype=tf.float64,
            initialization=initialization,
        )
        flow.bijector.initialize(images[:1000])
        nats[initialization] = -np.mean(flow.log_prob(images[1000:]))
    assert nats["whiten"] < nats["normalize"] - 1.0


def test_initialize_takes_any_batch_shape_and_dtype():
    images = helpers.normal([6, 4, 4, 2])
    one, other = make_glow(), make_glow()
    one.initialize(images)
    other.initialize(np.reshape(images, [2, 3, 4, 4, 2]))
    for a, b in zip(one.variables, other.variables):
        np.testing.assert_allclose(a, b, atol=1e-10)


@pytest.mark.parametrize("initialization", ["normalize", "whiten"])
def test_constant_images_initialize_to_a_finite_flow(initialization):
    glow = make_glow(dtype=tf.float32, initialization=initialization)
    images = tf.fill([8, 4, 4, 2], 0.25)
    glow.initialize(images)
    assert np.all(np.isfinite(glow.inverse(images)))


# Each level's loop holds two convolutions, because a matrix product applies the
# 1x1 kernel. The split prior has one. A padded edge adds to each of them one
# convolution of a single image with one channel.
@pytest.mark.parametrize(
    "edge_padding, convolutions", [(False, 2 * 2 + 1), (True, 4 * 2 + 2)]
)
def test_networks_run_once_for_log_prob_and_once_for_sample(
    edge_padding, convolutions
):
    flow = tfg.glow_distribution(
        [4, 4, 2],
        num_levels=2,
        num_steps=2,
        num_filters=4,
        network=networks.CouplingNetwork(edge_padding=edge_padding),
    )

    def sample_then_log_prob():
        x = flow.sample(3, seed=0)
        return x, flow.log_prob(x)

    x = tf.zeros([3, 4, 4, 2])
    assert helpers.count_ops(flow.log_prob, x) == convolutions
    assert helpers.count_ops(sample_then_log_prob) == convolutions


@pytest.mark.parametrize(
    "magnitude", [pytest.param(1e2, marks=pytest.mark.slow), 1e6]
)
def test_inverse_and_its_way_back_stay_finite_far_outside_the_data(magnitude):
    glow = make_glow(dtype=tf.float32, num_steps=4)
    glow.initialize(helpers.normal([20, 4, 4, 2], dtype=tf.float32))
    helpers.perturb(glow, stddev=0.3)
    for direction, shape in (
        (glow.inverse, [20, 4, 4, 2]),
        (glow.forward, [20, 32]),
    ):
        x = magnitude * helpers.normal(shape, dtype=tf.float32)
        assert np.all(np.isfinite(direction(x)))


def poison(glow, part):
    """Makes a part of a variable NaN and returns where the check finds it."""
    first, second = stacked(glow, 0), stacked(glow, 1)
    split_prior, top_prior = (
        level.prior for level in glow.parameters["levels"]
    )
    norm, conv = first["act_norm"], first["invertible_1x1_conv"]
    variable, index, place = {
        "norm": (norm["shift"], 0, "level_0: .*step] [0]"),
        "conv": (conv["log_diagonal"], 1, "level_0: .*step] [1]"),
        "coupling": (
            second["network"]["last"]["shift"],
            0,
            "level_1: .*step] [0]",
        ),
        "split prior": (
            split_prior.affine.network.shift.value,
            0,
            "checked: .*level 0, the prior",
        ),
        "top prior": (
            top_prior.trainable_variables[0],
            0,
            "checked: .*level 1, the prior",
        ),
    }[part]
    value = variable.numpy()
    value[index] = np.nan
    variable.assign(value)
    return place


@pytest.mark.parametrize(
    "part",
    [
        pytest.param("norm", marks=pytest.mark.slow),
        pytest.param("conv", marks=pytest.mark.slow),
        pytest.param("coupling", marks=pytest.mark.slow),
        "split prior",
        "top prior",
    ],
)
def test_validate_args_names_where_a_value_first_was_not_finite(part):
    glow = make_glow(validate_args=True, name="checked")
    image = tf.zeros([2, 4, 4, 2], tf.float64)
    assert np.all(np.isfinite(glow.inverse(image)))
    place = poison(glow, part)
    message = re.escape(place).replace(r"\.\*", "not finite after ")
    error = tf.errors.InvalidArgumentError
    for inverse in (glow.inverse, tf.function(glow.inverse)):
        with pytest.raises(error, match=message):
            inverse(tf.identity(image))
    with pytest.raises(error, match=message):
        glow.forward(tf.zeros([2, 32], tf.float64))
    unchecked = glow.copy(validate_args=False)
    assert not np.all(np.isfinite(unchecked.inverse(tf.identity(image))))


@pytest.mark.parametrize(
    "kwargs, argument",
    [
        (dict(num_levels=0), "num_levels"),
        (dict(num_steps=-1), "num_steps"),
        (dict(num_filters=1.5), "num_filters"),
        (dict(image_shape=[4, 4, 0]), "image_shape"),
        (dict(image_shape=[0, 4, 1]), "image_shape"),
        (dict(image_shape=[4, None, 1]), "image_shape"),
    ],
)
def test_a_size_that_is_not_a_positive_integer_raises(kwargs, argument):
    message = rf"`{argument}`. Expected .*positive integer.*{argument}="
    with pytest.raises(ValueError, match=message):
        make_glow(**kwargs)


def test_inputs_of_other_shapes_raise():
    glow = make_glow()
    with pytest.raises(ValueError, match=r"\(4, 4, 2\). Received: \(4, 2, 2\)"):
        glow.inverse(tf.zeros([5, 4, 2, 2], tf.float64))
    with pytest.raises(ValueError, match=r"Expected 32 channels.*\(5, 30\)"):
        glow.forward(tf.zeros([5, 30], tf.float64))
    with pytest.raises(ValueError, match=r"event shape \(32,\). Received"):
        glow.forward_event_shape([30])
    with pytest.raises(ValueError, match=r"event shape \(4, 4, 2\). Received"):
        glow.inverse_event_shape([4, 4, 3])


@pytest.mark.parametrize(
    "direction, conditioning_size",
    [
        pytest.param("inverse", None, marks=pytest.mark.slow),
        ("inverse", 3),
        pytest.param("inverse", (4, 4, 2), marks=pytest.mark.slow),
        pytest.param("forward", (4, 4, 2), marks=pytest.mark.slow),
    ],
)
def test_every_gradient_is_that_of_automatic_differentiation(
    direction, conditioning_size
):
    glow = helpers.perturb(make_glow(conditioning_size=conditioning_size))
    start = helpers.normal([3, 4, 4, 2] if direction == "inverse" else [3, 32])
    start_ndims = start.shape.rank - 1
    kwargs, sources = {}, list(glow.trainable_variables)
    if conditioning_size is not None:
        shape = np.atleast_1d(conditioning_size)
        kwargs = dict(conditioning=helpers.normal([3, *shape], 5))
        sources.append(kwargs["conditioning"])

    def evaluate(flow):
        with tf.GradientTape() as tape:
            x = tf.identity(start)
            tape.watch([x, *kwargs.values()])
            y = getattr(flow, direction)(x, **kwargs)
            log_det = getattr(flow, f"{direction}_log_det_jacobian")
            log_det = log_det(x, event_ndims=start_ndims, **kwargs)
            loss = tf.reduce_sum(y**2) - tf.reduce_sum(log_det)
        return y, log_det, *tape.gradient(loss, [x, *sources])

    expected = evaluate(glow.copy(gradient="store"))
    for gradient in ("recompute", "invert"):
        for a, b in zip(evaluate(glow.copy(gradient=gradient)), expected):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)
    # Every event has its own conditioning.
    if kwargs:
        assert np.all(np.any(np.reshape(expected[-1], [3, -1]), axis=-1))


def test_a_coupling_may_be_a_transformer():
    one = make_glow(coupling="affine_exp")
    other = make_glow(coupling=tfg.Affine("exp"))
    image = helpers.normal([2, 4, 4, 2])
    for glow in (one, other):
        helpers.perturb(glow)
    np.testing.assert_array_equal(
        one.inverse(image), other.inverse(tf.identity(image))
    )
    paper = helpers.perturb(make_glow())
    assert np.any(one.inverse(image) != paper.inverse(tf.identity(image)))


def test_a_template_carries_the_options_of_the_networks():
    network = networks.CouplingNetwork(
        num_filters=3,
        edge_padding=False,
        input_bound=None,
        output_bound=2.0,
        dtype="float32",
    )
    glow = make_glow(network=network)
    weights = stacked(glow, 0)["network"]
    assert weights["hidden_0"]["kernel"].shape == [2, 3, 3, 4, 3]
    assert "edge_kernel" not in weights["hidden_0"]
    assert weights["last"]["shift"].dtype == tf.float32
    assert stacked(glow, 0)["act_norm"]["shift"].dtype == tf.float64
    prior = glow.parameters["levels"][0].prior.affine.network
    assert (prior.input_bound, prior.output_bound) == (None, 2.0)
    assert not prior.edge_padding
    assert glow.inverse(helpers.normal([2, 4, 4, 2])).dtype == tf.float64


def test_the_defaults_make_a_model_that_trains_on_a_laptop(monkeypatch):
    # Initial rotations, which nobody asks for, would take most of the time.
    monkeypatch.setattr(np.linalg, "qr", lambda matrix: (matrix, None))
    with tf.Graph().as_default():
        glow = tfg.Glow([32, 32, 3])
    weights = sum(v.shape.num_elements() for v in glow.trainable_variables)
    assert weights < 1_000_000
    assert glow.steps(0).num_steps == 8
    assert "num_levels=3" in repr(glow)
    assert tfg.Glow([8, 4, 1], num_steps=1, num_filters=2).num_levels == 1


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        # The activations of 64 images take 0.82, 1.64 and 0.41 GiB.
        (dict(num_steps=32), "store"),
        (dict(num_steps=64), "invert"),
        (dict(num_steps=32, num_filters=4, dtype=tf.float64), "store"),
    ],
)
def test_the_gradient_is_chosen_by_the_memory_of_activations(
    monkeypatch, sizes, expected
):
    monkeypatch.setattr(np.linalg, "qr", lambda matrix: (matrix, None))
    with tf.Graph().as_default():
        glow = tfg.Glow([32, 32, 3], **{"num_filters": 64, **sizes})
        assert {glow.steps(i).gradient for i in range(3)} == {expected}
        assert glow.parameters["gradient"] is None
        factor = sizes["num_steps"] if expected == "invert" else 1
        stored = glow.copy(gradient="store")
        assert levels.activation_bytes(stored) == (
            factor * levels.activation_bytes(glow)
        )
        copy = glow.copy(gradient="recompute")
    assert copy.steps(0).gradient == "recompute"


def test_a_machine_of_little_memory_inverts(monkeypatch):
    num_bytes = gradients.stored_bytes([(8, 8, 12)], 8, 64, tf.float32)
    assert gradients.choose(None, num_bytes) == "store"
    # One page of 32 MiB.
    monkeypatch.setattr(
        os, "sysconf", lambda name: 2**25 if name == "SC_PAGE_SIZE" else 1
    )
    assert gradients.choose(None, num_bytes) == "invert"
    assert gradients.choose("recompute", num_bytes) == "recompute"
