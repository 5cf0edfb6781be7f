# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.recipe`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tfp_glow.models import recipe

STEPS = np.array([0, 1, 2, 3, 4, 5, 7, 12, 13, 20, 10**6])


def rates(optimizer):
    found = []
    for step in STEPS:
        optimizer.iterations.assign(step)
        found.append(float(optimizer.learning_rate))
    return found


def expected_rates(decay, total_steps=None):
    """Computes the rates for 0.01 after 4 steps of warm-up."""
    rate = np.minimum(STEPS / 4, 1.0)
    if decay == "cosine":
        done = np.clip((STEPS - 4) / (total_steps - 4), 0.0, 1.0)
        rate *= (1 + np.cos(np.pi * done)) / 2
    return 0.01 * rate


@pytest.mark.parametrize("optimizer", recipe.OPTIMIZERS)
@pytest.mark.parametrize(
    ("decay", "total_steps"), [("constant", None), ("cosine", 13)]
)
def test_the_rate_rises_linearly_and_then_decays_also_when_loaded(
    optimizer, decay, total_steps
):
    made = recipe.make_optimizer(
        optimizer, 0.01, 4, decay=decay, total_steps=total_steps
    )
    loaded = keras.optimizers.deserialize(keras.optimizers.serialize(made))
    assert type(loaded) is recipe.OPTIMIZERS[optimizer]
    for one in (made, loaded):
        np.testing.assert_allclose(
            rates(one), expected_rates(decay, total_steps), atol=1e-9
        )


def test_without_a_warm_up_the_first_step_has_the_whole_rate():
    assert rates(recipe.make_optimizer("adam", 0.01, 0)) == pytest.approx(
        [0.01] * len(STEPS)
    )


@pytest.mark.parametrize("name", recipe.OPTIMIZERS)
def test_kernels_decay_and_nothing_else_also_when_loaded(name):
    made = recipe.make_optimizer(
        name, learning_rate=0.1, warmup_steps=0, weight_decay=2.0
    )
    loaded = keras.optimizers.deserialize(keras.optimizers.serialize(made))
    for optimizer in (made, loaded):
        variables = [
            keras.Variable([1.0], name=name)
            for name in ("kernel", "edge_kernel", "shift", "log_scale")
        ]
        optimizer.build(variables)
        optimizer.apply([keras.ops.zeros(1)] * 4)
        found = [float(v[0]) for v in variables]
        assert found == pytest.approx([0.8, 0.8, 1.0, 1.0])


@pytest.mark.parametrize("options", [{}, {"amsgrad": True}])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adam_makes_the_steps_of_keras(dtype, options):
    gradients = np.random.default_rng(0).normal(size=[5, 2, 3])
    found = []
    for optimizer in (recipe.AveragedAdam, keras.optimizers.Adam):
        made = optimizer(0.1, use_ema=True, **options)
        weights = [keras.Variable(np.ones([3]), dtype=dtype) for _ in range(2)]
        made.build(weights)
        step = tf.function(made.apply)
        for pair in gradients:
            step([tf.constant(g, dtype) for g in pair])
        found.append(np.concatenate([w.numpy() for w in weights]))
    # Keras rounds the powers of `beta_1` and `beta_2` to float32.
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_adam_takes_the_sparse_gradients_of_an_embedding():
    weight = keras.Variable(np.ones([3, 2]))
    optimizer = recipe.make_optimizer(
        learning_rate=0.1, warmup_steps=0, clipnorm=0.0
    )
    optimizer.build([weight])
    row = tf.IndexedSlices(
        tf.ones([1, 2]), tf.constant([1]), dense_shape=tf.constant([3, 2])
    )
    optimizer.apply([row])
    np.testing.assert_allclose(
        weight, [[1.0, 1.0], [0.9, 0.9], [1.0, 1.0]], rtol=1e-5
    )


@pytest.mark.parametrize(("clipnorm", "length"), [(100.0, 100.0), (0.0, 500.0)])
@pytest.mark.parametrize("optimizer", recipe.OPTIMIZERS)
def test_the_whole_gradient_is_clipped(optimizer, clipnorm, length):
    made = recipe.make_optimizer(optimizer, clipnorm=clipnorm)
    weights = [keras.Variable([0.0]), keras.Variable([0.0, 0.0])]
    made.build(weights)
    made.apply([np.float32([300.0]), np.float32([0.0, 400.0])])
    momenta = np.concatenate(
        [v.numpy() for v in made.variables if "momentum" in v.path]
    )
    assert np.linalg.norm(momenta) == pytest.approx(0.1 * length)
    assert momenta[0] / momenta[2] == pytest.approx(0.75)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("ema", [0.6, 0.0])
def test_the_average_starts_at_once_and_slows_down_to_its_momentum(
    ema, jit_compile
):
    optimizer = recipe.make_optimizer(
        learning_rate=0.1, warmup_steps=0, ema=ema
    )
    weight = keras.Variable([1.0])
    optimizer.build([weight])
    step = tf.function(
        lambda: optimizer.apply([tf.constant([1.0])]), jit_compile=jit_compile
    )
    (average,) = optimizer._model_variables_moving_average
    expected = 0.0
    for t in range(20):
        step()
        momentum = min(ema, t / (t + 9))
        expected = momentum * expected + (1 - momentum) * weight.numpy()
        np.testing.assert_allclose(average, expected, atol=1e-6)
        # After t steps of 0.1 the average is a tenth of the way behind.
        lag = average.numpy()[0] - weight.numpy()[0]
        assert 0.0 <= lag <= 0.1 * t / 10 + 1e-6
    assert momentum == ema
    assert (lag == 0) == (ema == 0)


@pytest.mark.parametrize(
    "dtype",
    ["float32", pytest.param("mixed_float16", marks=pytest.mark.slow)],
)
def test_a_model_that_is_loaded_goes_on_with_its_recipe(tmp_path, dtype):
    images = np.random.default_rng(0).integers(0, 16, [32, 4, 4, 1], np.uint8)

    def fit(model, epochs):
        model.fit(images, epochs=epochs, batch_size=8, shuffle=False, verbose=0)

    model = tfg.GlowModel(
        [4, 4, 1],
        num_levels=1,
        num_steps=1,
        num_filters=4,
        bins=16,
        seed=5,
        dtype=dtype,
    )
    model.compile(
        recipe.make_optimizer(
            "adamax", 1e-2, 3, "cosine", total_steps=12, clipnorm=1.0
        )
    )
    fit(model, epochs=1)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for part in (model, loaded):
        fit(part, epochs=3)
    for ours, theirs in zip(
        [*loaded.weights, *loaded.optimizer.variables],
        [*model.weights, *model.optimizer.variables],
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"optimizer": "adamx"}, "`optimizer`.*Did you mean 'adamax'"),
        ({"decay": "cosin"}, "`decay`.*Did you mean 'cosine'"),
        ({"learning_rate": -1e-3}, r"`learning_rate`.*\[0, inf\)"),
        ({"learning_rate": float("nan")}, "`learning_rate`.*nan"),
        ({"learning_rate": float("inf")}, "`learning_rate`.*inf"),
        ({"warmup_steps": -1}, "`warmup_steps`.*non-negative integer"),
        ({"warmup_steps": 0.5}, "`warmup_steps`.*non-negative integer"),
        ({"beta_2": 1.0}, r"`beta_2`.*\[0, 1.0\)"),
        ({"clipnorm": -1.0}, "`clipnorm`"),
        ({"weight_decay": -1.0}, "`weight_decay`"),
        ({"ema": 1.0}, "`ema`"),
        ({"decay": "cosine"}, "`total_steps`.*above warmup_steps=100.*None"),
        (
            {"decay": "cosine", "total_steps": 100},
            "`total_steps`.*above warmup_steps=100.*100",
        ),
    ],
)
def test_an_invalid_argument_is_an_error(wrong, message):
    with pytest.raises(ValueError, match=message):
        recipe.make_optimizer(**wrong)
