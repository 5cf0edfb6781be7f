# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfg.latents`."""

import matplotlib.image
import numpy as np
import pytest
import sklearn.discriminant_analysis
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers
from tfp_glow.analysis.latents import annealing
from tfp_glow.analysis.latents import attributes

tfd = tfp.distributions
latents = tfg.latents


def _images(count=8, seed=0):
    """Correlated images `[count, 4, 4, 1]` of 256 gray levels."""
    generator = np.random.default_rng(seed)
    x = generator.standard_normal([count, 4, 4, 1])
    x = x + 1.5 * generator.standard_normal([count, 1, 1, 1])
    return np.clip(np.round(128 + 20 * x), 0, 255).astype(np.int32)


@pytest.fixture(scope="module")
def traced():
    """A model of three classes, and two sets of weights for it."""
    model = tfg.GlowModel(
        [4, 4, 1],
        num_levels=2,
        num_steps=1,
        num_filters=4,
        num_classes=3,
        seed=0,
    )
    model.initialize(_images(1000), np.arange(1000) % 3)
    initial = [v.numpy() for v in model.named_variables.values()]
    helpers.perturb(model, 0.05)
    changed = [v.numpy() for v in model.named_variables.values()]
    return model, initial, changed


def _with_weights(model, weights):
    for variable, value in zip(model.named_variables.values(), weights):
        variable.assign(value)
    return model


@pytest.fixture
def linear(traced):
    """The model as it is initialized, an affine map of the latents."""
    model, initial, _ = traced
    return _with_weights(model, initial)


@pytest.fixture
def model(traced):
    """The model with networks that depend on the image and the class."""
    model, _, changed = traced
    return _with_weights(model, changed)


def _affine(model):
    """The matrix `[D, D]` and the offset `[D]` of an affine flow."""
    points = latents.decode(model, np.eye(17, 16, -1), np.zeros(17, int))
    points = points.reshape(17, -1)
    return (points[1:] - points[0]).T, points[0]


LABELS = np.arange(8) % 3


def test_levels_are_those_of_the_model(model):
    parts = latents.encode(model, _images(), LABELS)
    assert [part.shape for part in parts] == [(8, 2, 2, 2), (8, 1, 1, 8)]
    flat = np.concatenate([part.reshape(8, -1) for part in parts], axis=1)
    np.testing.assert_array_equal(flat, model.encode(_images(), LABELS))
    decoded = latents.decode(model, parts, LABELS)
    np.testing.assert_allclose(decoded, _images(), atol=1e-3)
    weights = np.eye(3)[LABELS]
    np.testing.assert_allclose(
        latents.decode(model, flat, weights), decoded, atol=1e-3
    )


def test_numbers_are_bits_per_dim_at_the_images(linear):
    matrix, offset = _affine(linear)
    ends = _images(4), _images(4, seed=1)
    grid = latents.interpolate(linear, *ends, 2, conditioning=LABELS[:4])
    normal = tfd.MultivariateNormalFullCovariance(offset, matrix @ matrix.T)
    log_probs = normal.log_prob(grid.images.reshape(4, 2, 16)).numpy()
    expected = tfg.bits_per_dim(log_probs, 16)
    np.testing.assert_allclose(grid.values, expected, rtol=1e-4)


@pytest.mark.parametrize("method", ["linear", "spherical"])
def test_paths_lead_from_image_to_image(model, method):
    ends = _images(4), _images(4, seed=1)
    labels = np.array([0, 1, 2, 0]), np.array([1, 1, 0, 2])
    grid = latents.interpolate(model, *ends, 5, method, labels)
    for column, images in zip((0, -1), ends):
        found = grid.images[:, column]
        np.testing.assert_allclose(found, images, atol=1e-3)
    z, norms = grid.latents, np.linalg.norm(grid.latents, axis=-1)
    if method == "linear":
        np.testing.assert_allclose(z[:, 2], (z[:, 0] + z[:, 4]) / 2)
    else:
        np.testing.assert_allclose(norms[:, 2], (norms[:, 0] + norms[:, 4]) / 2)
        # Steps are equal angles.
        unit = z / norms[..., np.newaxis]
        cosines = np.sum(unit[:, 1:] * unit[:, :-1], axis=-1)
        np.testing.assert_allclose(cosines, cosines[:, :1].repeat(4, 1))


@pytest.mark.parametrize("method", attributes.METHODS)
def test_an_attribute_is_the_direction_between_whitened_classes(method):
    generator = np.random.default_rng(0)
    factor = generator.standard_normal([5, 5])
    z = generator.standard_normal([4000, 5]) @ factor.T
    is_positive = np.arange(4000) % 2 == 1
    difference = factor @ [1.0, 0.5, 0.0, 0.0, 0.0]
    z += is_positive[:, np.newaxis] * difference
    found = attributes._fit(z, is_positive, method, "")
    projected = [found.project(z[is_positive == x]).mean() for x in (0, 1)]
    np.testing.assert_allclose(projected, [0.0, 1.0], atol=1e-9)
    moved = found.apply(z, 2.5)
    np.testing.assert_allclose(
        found.project(moved), found.project(z) + 2.5, atol=1e-9
    )
    # In whitened spaces the shortest way to the other class is the difference.
    np.testing.assert_allclose(found.direction, difference, atol=0.4)
    lda = sklearn.discriminant_analysis.LinearDiscriminantAnalysis()
    [normal] = lda.fit(z, is_positive).coef_
    cosine = found.normal @ normal / np.linalg.norm(normal)
    assert cosine / np.linalg.norm(found.normal) > 0.99


def test_an_attribute_moves_images_between_classes(linear):
    images, given = _images(200), np.zeros(200, int)
    bright = images.mean((1, 2, 3)) > 128
    found = latents.attribute(linear, images, bright, True, conditioning=given)
    grid = latents.vary(linear, images[:5], found, [-2, 0, 2], given[:5])
    np.testing.assert_allclose(grid.images[:, 1], images[:5], atol=1e-3)
    brightness = grid.images.mean((2, 3, 4))
    assert np.all(np.diff(brightness, axis=1) > 10.0)
    assert grid.title == "Attribute: True rather than others"


def test_principal_directions_are_singular_vectors_of_a_linear_flow(linear):
    found = latents.principal_directions(
        linear, 1, num=2, conditioning=[0], num_samples=4000
    )
    matrix, _ = _affine(linear)
    _, scales, vectors = np.linalg.svd(matrix[:, 8:])
    np.testing.assert_allclose(
        found.shares, scales[:2] ** 2 / np.sum(scales**2), atol=0.03
    )
    cosines = np.sum(found.directions[:, 8:] * vectors[:2], axis=1)
    assert np.all(np.abs(cosines) > 0.97)
    assert not found.directions[:, :8].any()
    np.testing.assert_allclose(np.linalg.norm(found.directions, axis=1), 1.0)
    assert found.images.shape == (2, 7, 4, 4, 1)


def test_neighbors_are_the_nearest_by_pixels_or_latents(model):
    data, labels = _images(30), np.arange(30) % 3
    given = (data[3:5], data, 4)
    z = model.encode(data, labels).numpy()
    for space, points in (("pixels", data.reshape(30, -1)), ("latent", z)):
        found = latents.nearest(model, *given, space, labels[3:5], labels)
        distances = np.linalg.norm(points[3:5, np.newaxis] - points, axis=-1)
        expected = np.argsort(distances, axis=1)[:, :4]
        np.testing.assert_array_equal(found.indices, expected)
        np.testing.assert_array_equal(found.indices[:, 0], [3, 4])
        np.testing.assert_allclose(
            found.distances, np.sort(distances, axis=1)[:, :4], atol=1e-6
        )


def test_resampling_draws_some_levels_and_keeps_the_others(model):
    images = _images(2)
    z = model.encode(images, LABELS[:2]).numpy()[:, np.newaxis]
    given = dict(num=200, seed=0, conditioning=LABELS[:2])
    grid = latents.resample(model, images, 0, 0.5, **given)
    kept = np.broadcast_to(z[..., 8:], [2, 201, 8])
    np.testing.assert_array_equal(grid.latents[..., 8:], kept)
    np.testing.assert_allclose(grid.images[:, 0], images, atol=1e-3)
    drawn = grid.latents[:, 1:, :8]
    np.testing.assert_allclose(np.std(drawn), 0.5, rtol=0.05)
    cold = latents.resample(model, images, [0, 1], 0.0, **given).latents
    assert not cold[:, 1:].any()


def test_morphs_decode_the_same_latents_as_other_classes(model):
    z = model.encode(_images(), LABELS).numpy()
    grid = latents.morph(model, z)
    for label in range(3):
        expected = model.decode(z, np.full(8, label))
        np.testing.assert_allclose(grid.images[:, label], expected, atol=1e-3)
    own = grid.images[np.arange(8), LABELS]
    np.testing.assert_allclose(own, _images(), atol=1e-3)
    halfway = latents.morph(model, z, np.full([8, 1, 3], [0.5, 0.5, 0.0]))
    assert np.all(np.abs(halfway.images[:, 0] - grid.images[:, 0]).max() > 0.1)


def test_annealing_finds_a_normal_distribution_and_its_integral():
    generator = np.random.default_rng(0)
    factor = generator.standard_normal([4, 4]) / 2.0 + 0.5 * np.eye(4)
    mean = generator.standard_normal(4)
    target = tfd.MultivariateNormalTriL(
        np.float32(mean),
        np.float32(np.linalg.cholesky(factor @ factor.T)),
    )
    move = annealing.mover(lambda x, given: target.log_prob(x) + 3.0)
    found = annealing.anneal(move, [], (40, 32, 4), num_steps=40, seed=0)
    assert abs(found.log_integral.mean() - 3.0) < 0.06
    particles = found.particles.reshape(-1, 4)
    np.testing.assert_allclose(particles.mean(0), mean, atol=0.1)
    np.testing.assert_allclose(
        np.cov(particles.T), factor @ factor.T, atol=0.15
    )
    assert 0.5 < found.acceptance < 0.95


@pytest.mark.slow
def test_holes_are_filled_as_by_the_gaussian_that_the_model_is(linear):
    images, hole = _images(6, seed=1), np.zeros([4, 4], bool)
    hole[1:3, 1:3] = True
    found = latents.inpaint(
        linear, images, hole, LABELS[:6], 40, num_samples=64, seed=0
    )
    matrix, offset = _affine(linear)
    covariance, flat = matrix @ matrix.T, hole.ravel()
    deviations = images.reshape(6, -1) - offset
    inside, across = covariance[np.ix_(flat, flat)], covariance[flat][:, ~flat]
    slope = np.linalg.solve(covariance[np.ix_(~flat, ~flat)], across.T)
    rest = inside - across @ slope
    expected = deviations[:, ~flat] @ slope
    scale = np.sqrt(np.diag(rest))
    error = (found.mean - images)[:, hole][..., 0] + deviations[:, flat]
    np.testing.assert_allclose(error / scale, expected / scale, atol=0.45)
    normal = tfd.MultivariateNormalFullCovariance(expected, rest)
    bits = tfg.bits_per_dim(normal.log_prob(deviations[:, flat]).numpy(), 4)
    np.testing.assert_allclose(found.hole_bits_per_dim, bits, atol=0.12)
    # The other pixels stay as they are.
    kept = np.broadcast_to(images[:, np.newaxis], found.samples.shape)
    np.testing.assert_array_equal(found.samples[:, :, ~hole], kept[:, :, ~hole])


def test_pictures_have_titles_labels_and_numbers(linear, tmp_path):
    grid = latents.resample(
        linear, _images(2), 1, num=3, seed=0, conditioning=LABELS[:2]
    )
    grid.save(tmp_path / "grid.png")
    assert matplotlib.image.imread(tmp_path / "grid.png").ndim == 3
    figure = grid.plot()
    [axes] = figure.axes
    assert len(axes.images) == 8
    titles = {
        "Level 1, drawn again",
        "columns: the image, and draws at the temperature 1",
        "below each image: bits per dimension",
    }
    shown = {text.get_text() for text in axes.texts}
    numbers = {f"{value:.2f}" for value in grid.values.flat}
    labels = {*grid.row_labels, *grid.column_labels}
    assert shown == titles | labels | numbers
    assert grid.to_dict()["bits per dimension"] == grid.values.tolist()


IMAGES = _images()
HOLE = np.eye(4, dtype=bool)
BAD = {
    "another size": (
        lambda m: latents.encode(m, np.zeros([2, 8, 8, 1], int), LABELS[:2]),
        r"\(None, 4, 4, 1\)",
    ),
    "no labels": (lambda m: latents.encode(m, IMAGES), "conditioning"),
    "latents": (lambda m: latents.decode(m, np.zeros([2, 5]), [0, 1]), "16"),
    "one image": (
        lambda m: latents.interpolate(m, IMAGES, IMAGES, 1),
        "at least 2 images",
    ),
    "method": (
        lambda m: latents.interpolate(m, IMAGES, IMAGES, method="spheric"),
        "Did you mean 'spherical'",
    ),
    "different numbers": (
        lambda m: latents.interpolate(m, IMAGES, IMAGES[1:]),
        "Received: 7 and 8",
    ),
    "one class": (
        lambda m: latents.attribute(m, IMAGES, np.ones(8), 1),
        "two different classes",
    ),
    "labels of others": (
        lambda m: latents.attribute(m, IMAGES, LABELS[1:], 1),
        "each of 8 images",
    ),
    "attribute without labels": (
        lambda m: latents.attribute(m, IMAGES, None, 1),
        "an array",
    ),
    "strength": (
        lambda m: latents.vary(m, IMAGES, np.zeros(16), [np.nan], LABELS),
        "finite",
    ),
    "cold": (lambda m: latents.resample(m, IMAGES, 0, -0.1), "at least 0"),
    "hot": (lambda m: latents.resample(m, IMAGES, 0, np.inf), "finite"),
    "level 2": (lambda m: latents.resample(m, IMAGES, 2), "to 1"),
    "level -1": (lambda m: latents.principal_directions(m, -1), "to 1"),
    "too many": (lambda m: latents.principal_directions(m, 0, 9), "at most 8"),
    "neighbors": (
        lambda m: latents.nearest(m, IMAGES, IMAGES, 9),
        "at most 8",
    ),
    "label": (lambda m: latents.morph(m, np.zeros([1, 16]), [3]), "labels"),
    "whole mask": (
        lambda m: latents.inpaint(m, IMAGES, HOLE | True, LABELS),
        "True everywhere",
    ),
    "empty mask": (
        lambda m: latents.inpaint(m, IMAGES, HOLE & False, LABELS),
        "False everywhere",
    ),
    "other mask": (
        lambda m: latents.inpaint(m, IMAGES, np.eye(5) > 0, LABELS),
        "bool mask",
    ),
}


@pytest.mark.parametrize("call, message", BAD.values(), ids=BAD)
def test_bad_input_is_explained(model, call, message):
    with pytest.raises(ValueError, match=message):
        call(model)


def test_a_model_without_classes_cannot_morph():
    model = tfg.GlowModel([4, 4, 1], num_steps=1, num_filters=4)
    with pytest.raises(ValueError, match="train --conditional"):
        latents.morph(model, np.zeros([1, 16]))
