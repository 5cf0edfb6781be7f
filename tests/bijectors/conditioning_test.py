# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of a Glow that is conditioned on classes, vectors and images."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests import helpers

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


@pytest.mark.parametrize("kind", SHAPES)
def test_every_gradient_mode_reaches_the_conditioning(kind):
    x = helpers.normal([3, 4, 4, 1])
    c = conditioning(kind)
    found = []
    glow = conditional_glow(kind)
    for gradient in ("store", "recompute", "invert"):
        flow = glow.copy(gradient=gradient)
        with tf.GradientTape() as tape:
            tape.watch(c)
            z = flow.inverse(x, conditioning=c)
            loss = tf.reduce_sum(z**2) - tf.reduce_sum(
                flow.inverse_log_det_jacobian(x, 3, conditioning=c)
            )
        found.append(tape.gradient(loss, [c, *flow.trainable_variables]))
    for part in zip(*found):
        np.testing.assert_allclose(part[1], part[0], atol=1e-9)
        np.testing.assert_allclose(part[2], part[0], atol=1e-9)
    assert np.all(np.any(found[0][0] != 0, axis=tuple(range(1, c.shape.rank))))


def test_at_first_nothing_depends_on_the_conditioning():
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


def test_priors_that_are_not_learned_have_no_variables():
    glow = conditional_glow(
        "vectors", learn_split_priors=False, learn_top_prior=False
    )
    assert not any("prior" in v.name for v in glow.variables)
    x, c = helpers.normal([3, 4, 4, 1]), conditioning("vectors")
    z = glow.inverse(x, conditioning=c)
    back = glow.copy().forward(tf.identity(z), conditioning=c)
    np.testing.assert_allclose(back, x, atol=1e-10)


@pytest.mark.parametrize(
    "network",
    [keras.layers.Conv2D(3, 1, dtype="float64")],
)
def test_other_networks_are_conditioned_too(network):
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
        (dict(mask="checker"), "Did you mean 'checkerboard'"),
    ],
)
def test_bad_arguments_are_errors(kwargs, message):
    with pytest.raises((TypeError, ValueError), match=message):
        tfg.Glow([4, 4, 1], **SIZE, **kwargs)


def test_a_checkerboard_changes_both_colours_of_every_step():
    glow = conditional_glow("vectors", mask="checkerboard", num_levels=1)
    x, c = helpers.normal([2, 4, 4, 1]), conditioning("vectors", [2])
    glow.initialize(x, c)
    np.testing.assert_allclose(
        glow.inverse_log_det_jacobian(x, event_ndims=3, conditioning=c),
        helpers.log_det_by_autodiff(
            lambda copies: glow.inverse(copies, conditioning=c), x
        ),
        atol=1e-9,
    )
    z = glow.inverse(x, conditioning=c)
    back = glow.copy().forward(tf.identity(z), conditioning=c)
    np.testing.assert_allclose(back, x, atol=1e-10)
    step = glow.steps(0)[0]
    h = helpers.normal([1, 2, 2, 4])
    c = c[:1]
    moved = step.forward(h, conditioning=c) - step.forward(
        h, conditioning=c + 1.0
    )
    assert np.all(np.any(moved != 0.0, axis=-1))


def test_missing_and_unexpected_conditioning_are_errors():
    x = helpers.normal([3, 4, 4, 1])
    with pytest.raises(
        ValueError, match=r"Expected \[\.\.\., 3\]. Received: None"
    ):
        conditional_glow("vectors").inverse(x)
    with pytest.raises(ValueError, match="Expected none"):
        tfg.Glow([4, 4, 1], dtype=tf.float64, **SIZE).inverse(
            x, conditioning=conditioning("vectors")
        )


def digits(num=24):
    images, labels = helpers.normal([num, 4, 4, 1]), np.arange(num) % 3
    # A class is a brightness, so that it can be learned.
    levels = tf.round(
        tf.clip_by_value(images + 6.0 * labels[:, None, None, None], 0, 15)
    )
    return tf.cast(levels, tf.int32), labels


def classes_model(**kwargs):
    kwargs = {**SIZE, "num_classes": 3, **kwargs}
    return tfg.GlowModel([4, 4, 1], bins=16, seed=0, **kwargs)


def test_a_model_of_classes_learns_and_saves_them(tmp_path):
    images, labels = digits()
    model = classes_model()
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(images, labels, batch_size=8, epochs=25, verbose=0)
    by_class = model.class_log_probs(images)
    assert by_class.shape == (24, 3)
    np.testing.assert_allclose(
        tf.gather(by_class, labels, batch_dims=1),
        model.log_prob(images, labels),
        rtol=1e-4,
    )
    assert np.mean(np.argmax(by_class, axis=-1) == labels) > 0.9
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        again.log_prob(images, labels),
        model.log_prob(images, labels),
        rtol=1e-5,
    )
    samples = model.sample(5, [0.5, 1.0], conditioning=[0, 1, 2, 0, 1], seed=0)
    assert samples.shape == (5, 4, 4, 1)
    latents = model.encode(images, labels)
    back = model.decode(latents, labels)
    np.testing.assert_allclose(back, images, atol=1e-6)


def test_labels_that_are_no_classes_are_errors():
    images, labels = digits(6)
    model = classes_model()
    for wrong in (labels + 1, labels - 1):
        with pytest.raises(ValueError, match=r"integers in \[0, 3\)"):
            model.log_prob(images, wrong)
        with pytest.raises(ValueError, match=r"integers in \[0, 3\)"):
            model.sample(6, conditioning=wrong)
    with pytest.raises(TypeError, match="integers"):
        model.log_prob(images, labels.astype(np.float32))
    with pytest.raises(ValueError, match="one for every event"):
        model.log_prob(images, labels[:5])
    with pytest.raises(ValueError, match="Expected the conditioning"):
        model.log_prob(images)
    model.compile("adam")
    labels[-1] = 3  # Beyond the batch that initialises.
    wrong = tf.data.Dataset.from_tensor_slices((images, labels)).batch(3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="labels"):
        model.fit(wrong, verbose=0)


def test_an_auxiliary_classifier_learns_from_what_the_top_prior_gets():
    images, labels = digits()
    model = classes_model(conditioned="priors", classifier_weight=0.5)
    model.compile(keras.optimizers.Adam(1e-2))
    history = model.fit(images, labels, batch_size=8, epochs=25, verbose=0)
    assert history.history["accuracy"][-1] > 0.9
    logs = model.evaluate(images, labels, verbose=0, return_dict=True)
    assert logs["accuracy"] > 0.9
    assert logs["loss"] > logs["bits_per_dim"]
    found = np.argmax(model.class_logits(images), axis=-1)
    assert np.mean(found == labels) > 0.9


def test_a_model_without_classes_has_no_class_log_probs():
    model = tfg.GlowModel([4, 4, 1], bins=16, **SIZE)
    with pytest.raises(ValueError, match="num_classes"):
        model.class_log_probs(digits(3)[0])
    with pytest.raises(ValueError, match="classifier_weight"):
        model.class_logits(digits(3)[0])


def test_a_learned_dequantizer_is_trained_and_saved_with_the_model(tmp_path):
    images, _ = digits()
    model = tfg.GlowModel(
        [4, 4, 1],
        bins=16,
        seed=0,
        dequantizer="learned",
        num_noise_samples=2,
        num_levels=1,
        num_steps=1,
        num_filters=4,
    )
    model.compile(keras.optimizers.Adam(1e-2))
    before = model.get_weights()
    model.fit(images, batch_size=8, epochs=2, verbose=0)
    moved = {
        v.path.split(".")[0]
        for v, old in zip(model.weights, before)
        if np.any(v.numpy() != old)
    }
    assert {"dequantizer", "glow"} <= moved
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        again.log_prob(images), model.log_prob(images), rtol=1e-5
    )


@pytest.mark.parametrize(
    "kwargs",
    [
        dict(classifier_weight=-1.0),
        dict(classifier_weight=0.1),
        dict(classifier_weight=0.1, num_classes=None, conditioned="priors"),
        dict(conditioning_size=3),
    ],
)
def test_arguments_of_classes_that_do_not_fit_are_errors(kwargs):
    with pytest.raises(ValueError, match="Expected"):
        classes_model(**kwargs)
