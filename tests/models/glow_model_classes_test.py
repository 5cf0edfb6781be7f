# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of a `tfp_glow.GlowModel` of classes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests import helpers

SIZE = dict(num_levels=2, num_steps=2, num_filters=4)


def digits(num=24):
    images, labels = helpers.normal([num, 4, 4, 1]), np.arange(num) % 3
    # Each class has its own brightness, which a model can learn.
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
    labels[-1] = 3  # It is not in the batch that initializes.
    wrong = tf.data.Dataset.from_tensor_slices((images, labels)).batch(3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="labels"):
        model.fit(wrong, verbose=0)


@pytest.mark.slow
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


@pytest.mark.slow
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
