# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.models.event_spec`: data that do not fit."""

import numpy as np
import pytest
import tensorflow as tf

from tests.models import tiny

BAD_DATA = {
    "floats": (
        tiny.gray().astype(np.float32),
        TypeError,
        r"integers in \[0, 17\)",
    ),
    "too large": (
        tiny.gray() + 9,
        ValueError,
        r"\[0, 17\).*values from 9 to 25",
    ),
    "negative": (
        tiny.gray().astype(int) - 1,
        ValueError,
        "values from -1 to 15",
    ),
    "none": (tiny.gray(0), ValueError, "at least one event"),
    "one image": (
        tiny.gray()[0],
        ValueError,
        r"\(None, 4, 4, 1\).*\(4, 4, 1\)",
    ),
    "no channel": (tiny.gray()[..., 0], ValueError, r"Received: \(8, 4, 4\)"),
    "three channels": (
        tiny.gray(shape=[4, 4, 3]),
        ValueError,
        r"\(8, 4, 4, 3\)",
    ),
    "another size": (tiny.gray(shape=[6, 4, 1]), ValueError, r"\(8, 6, 4, 1\)"),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_data_that_do_not_fit_are_an_error_before_training(eager, name):
    x, error, message = BAD_DATA[name]
    before = tiny.values(eager)
    for use in (eager.fit, eager.initialize, eager.log_prob, eager.encode):
        for data in (x, tf.constant(x)):
            with pytest.raises(error, match=message):
                use(data)
    assert not eager.initialized
    tiny.assert_equal_weights(tiny.values(eager), before)
    assert int(eager.optimizer.iterations) == 0


# An initialized model first sees the values while it trains.
@pytest.mark.parametrize(
    ("name", "initialized"),
    [(name, False) for name in BAD_DATA]
    + [
        (name, True) for name in sorted({*BAD_DATA} - {"too large", "negative"})
    ],
)
@pytest.mark.parametrize("labels", [False, True])
def test_data_sets_that_do_not_fit_are_an_error_before_training(
    eager, name, labels, initialized
):
    x, error, message = BAD_DATA[name]
    if initialized:
        eager.initialize(tiny.gray())
    data = (x, np.zeros(len(x))) if labels else x
    dataset = tf.data.Dataset.from_tensor_slices(data)
    if name == "one image":
        message = "Invalid shape received for the data"
    message = "an empty one" if name == "none" else message
    message = message.replace(r"\(8, ", r"\(None, ")
    before = tiny.values(eager)
    with pytest.raises(error, match=message):
        eager.fit(dataset.batch(8), verbose=0)
    tiny.assert_equal_weights(tiny.values(eager), before)
    assert int(eager.optimizer.iterations) == 0


def test_a_data_set_of_dictionaries_is_an_error(eager):
    dataset = tf.data.Dataset.from_tensor_slices({"image": tiny.gray()}).batch(
        4
    )
    with pytest.raises(TypeError, match=r"batches of events.*'image'"):
        eager.fit(dataset)


def test_a_data_set_of_single_images_is_an_error(eager):
    dataset = tf.data.Dataset.from_tensor_slices(tiny.gray())
    with pytest.raises(ValueError, match=r"\(None, 4, 4, 1\).*\(4, 4, 1\)"):
        eager.fit(dataset)


@pytest.mark.parametrize(
    ("conditioning", "kwargs"),
    [
        (np.arange(8) % 3, {"num_classes": 3}),
        (np.ones([8, 2], np.float32), {"conditioning_size": 2}),
    ],
)
def test_conditioning_of_unknown_rank_has_the_shape_of_the_model(
    conditioning, kwargs
):
    model = tiny.model(**kwargs)
    dtype = tf.as_dtype(conditioning.dtype)
    images = tiny.gray()

    @tf.function(input_signature=[tf.TensorSpec(None, dtype)])
    def call(conditioning):
        return model(images, conditioning)

    np.testing.assert_allclose(
        call(conditioning), model.log_prob(images, conditioning), rtol=1e-5
    )
