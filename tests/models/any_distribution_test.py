# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`FlowModel` around distributions that this project did not write."""

import copy
import math
import os
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg

tfb = tfp.bijectors
tfd = tfp.distributions


def normal(size):
    return tfd.Sample(tfd.Normal(0.0, 1.0), [size])


def real_nvp_of_a_template():
    """A RealNVP whose variables only its first call creates, in a closure."""
    template = tfb.real_nvp_default_template([8], activation=tf.nn.tanh)
    coupling = tfb.RealNVP(2, shift_and_log_scale_fn=template)
    return tfd.TransformedDistribution(normal(4), coupling)


def masked_autoregressive_flow():
    made = tfb.AutoregressiveNetwork(
        2, event_shape=[4], hidden_units=[8], activation="tanh"
    )
    return tfd.TransformedDistribution(
        normal(4), tfb.MaskedAutoregressiveFlow(made)
    )


def spline_coupling():
    network = keras.Sequential(
        [keras.layers.Dense(8, "tanh"), keras.layers.Dense(2 * 14)]
    )

    def spline(x, _):
        parameters = tf.reshape(network(x), [-1, 2, 14])
        widths, heights, slopes = tf.split(parameters, [5, 5, 4], axis=-1)
        return tfb.RationalQuadraticSpline(
            10.0 * tf.nn.softmax(widths),
            10.0 * tf.nn.softmax(heights),
            tf.nn.softplus(slopes) + 0.1,
            range_min=-5.0,
        )

    coupling = tfb.RealNVP(2, bijector_fn=spline)
    return tfd.TransformedDistribution(normal(4), coupling)


def mixture():
    scale = tfp.util.TransformedVariable(
        tf.ones([3, 4]), tfb.Softplus(), name="scale"
    )
    loc = tf.random.stateless_normal([3, 4], seed=[0, 0])
    return tfd.MixtureSameFamily(
        tfd.Categorical(logits=tf.Variable(tf.zeros(3), name="logits")),
        tfd.MultivariateNormalDiag(tf.Variable(loc, name="loc"), scale),
    )


def multivariate_normal():
    tril = tfp.util.TransformedVariable(
        tf.eye(4), tfb.FillScaleTriL(), name="scale_tril"
    )
    loc = tf.Variable(tf.zeros(4), name="loc")
    return tfd.MultivariateNormalTriL(loc, tril)


def joint():
    loc = tf.Variable(0.0, name="loc")
    slope = tf.Variable([1.0, 1.0, 1.0], name="slope")
    return tfd.JointDistributionNamed(
        {
            "a": lambda: tfd.Normal(loc, 1.0),
            "b": lambda a: tfd.Independent(
                tfd.Normal(a[..., tf.newaxis] * slope, 1.0), 1
            ),
        }
    )


# And the number of trainable parameters of each.
DISTRIBUTIONS = {
    real_nvp_of_a_template: 2 * 8 + 8 + 8 * 4 + 4,
    masked_autoregressive_flow: 4 * 8 + 8 + 8 * 8 + 8,
    spline_coupling: 2 * 8 + 8 + 8 * 28 + 28,
    mixture: 3 + 12 + 12,
    multivariate_normal: 4 + 10,
    joint: 1 + 3,
}


def data(make, count=256, seed=0):
    x = np.random.default_rng(seed).normal(1.0, 2.0, [count, 4])
    x = x.astype(np.float32)
    return {"a": x[:, 0], "b": x[:, 1:]} if make is joint else x


def compiled(model, rate=1e-2, **kwargs):
    model.compile(keras.optimizers.Adam(rate), **kwargs)
    return model


# These have what makes a distribution hard to adopt. The others are as usual.
HARD = (real_nvp_of_a_template, mixture, joint)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            make,
            id=make.__name__,
            marks=[] if make in HARD else [pytest.mark.slow],
        )
        for make in DISTRIBUTIONS
    ],
)
def fitted(request):
    """A trained model, its history, what made it, and its data."""
    make = request.param
    keras.utils.set_random_seed(1)
    model = compiled(tfg.FlowModel(make()))
    x = data(make)
    history = model.fit(
        x, batch_size=64, epochs=8, validation_split=0.25, verbose=0
    ).history
    return model, history, make, x


def test_every_parameter_is_adopted_once_and_trained(fitted):
    model, history, make, _ = fitted
    sizes = [math.prod(v.shape) for v in model.trainable_variables]
    assert sum(sizes) == DISTRIBUTIONS[make]
    assert len({id(v.value) for v in model.variables}) == len(model.variables)
    assert len(model.optimizer.variables) == 2 + 2 * len(sizes)
    untrained = tfg.FlowModel(make())
    start = compiled(untrained).evaluate(
        data(make), verbose=0, return_dict=True
    )
    end = model.evaluate(data(make), verbose=0, return_dict=True)
    assert end["nats"] < start["nats"]
    assert history["val_nats"][-1] < history["val_nats"][0]


def test_metrics_are_in_nats_and_in_bits_per_dimension(fitted):
    model, _, _, x = fitted
    results = model.evaluate(x, verbose=0, return_dict=True)
    nats = -np.mean(model.log_prob(x))
    np.testing.assert_allclose(results["nats"], nats, rtol=1e-5)
    bits = nats / (4 * math.log(2))
    np.testing.assert_allclose(results["bits_per_dim"], bits, rtol=1e-5)
    np.testing.assert_allclose(results["loss"], bits, rtol=1e-5)


def test_predict_is_the_distribution_s_own_log_prob(fitted):
    model, _, _, x = fitted
    expected = model.distribution.log_prob(
        tf.nest.map_structure(tf.constant, x)
    )
    assert expected.shape == [256]
    predicted = model.predict(x, verbose=0)
    np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        model.log_prob(x), expected, rtol=1e-4, atol=1e-5
    )


def test_samples_repeat_by_seed(fitted):
    model, _, _, x = fitted
    first, again, other = (model.sample(5, seed=seed) for seed in (0, 0, 1))
    tf.nest.assert_same_structure(first, x)
    for one, same, different, event in zip(
        *(tf.nest.flatten(s) for s in (first, again, other, x))
    ):
        assert one.shape == (5, *event.shape[1:])
        np.testing.assert_array_equal(one, same)
        assert np.all(np.isfinite(one))
        assert np.all(one != different)


def test_weights_load_into_another_model_of_the_same_making(fitted, tmp_path):
    model, _, make, x = fitted
    path = tmp_path / "flow.weights.h5"
    model.save_weights(path)
    other = tfg.FlowModel(make())
    assert list(other.named_variables) == list(model.named_variables)
    assert not np.allclose(other.log_prob(x), model.log_prob(x))
    other.load_weights(path)
    np.testing.assert_array_equal(other.log_prob(x), model.log_prob(x))
    assert other.initialized


def test_checkpoints_of_tensorflow_keep_weights_and_optimizer(fitted, tmp_path):
    model, _, make, x = fitted
    path = tf.train.Checkpoint(model=model).save(str(tmp_path / "checkpoint"))
    other = compiled(tfg.FlowModel(make()))
    other.optimizer.build(other.trainable_variables)
    restored = tf.train.Checkpoint(model=other).restore(path)
    restored.assert_existing_objects_matched()
    np.testing.assert_array_equal(other.log_prob(x), model.log_prob(x))
    for one, same in zip(other.optimizer.variables, model.optimizer.variables):
        np.testing.assert_array_equal(one, same)


# Features of Keras, tested with the fastest distributions.


def start_and_end(rate=1e-2, optimizer=None, epochs=1, x=None, **kwargs):
    """Weights before and after some steps of 64 events."""
    model = tfg.FlowModel(multivariate_normal())
    x = data(multivariate_normal) if x is None else x
    model.compile(optimizer or keras.optimizers.SGD(rate), **kwargs)
    before = model.get_weights()
    model.fit(x, batch_size=64, epochs=epochs, shuffle=False, verbose=0)
    return before, model.get_weights(), model


def assert_close(first, second, atol=1e-6):
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one, other, atol=atol)


@pytest.mark.parametrize(
    "how",
    [
        {"jit_compile": True},
        {"run_eagerly": True},
        {"steps_per_execution": 4},
    ],
    ids=str,
)
def test_ways_to_run_a_step_give_the_same_weights(how):
    start, expected, _ = start_and_end(jit_compile=False)
    _, weights, model = start_and_end(**how)
    assert_close(weights, expected)
    assert int(model.optimizer.iterations) == 4
    assert np.max(np.abs(expected[0] - start[0])) > 1e-3


def test_train_on_batch_is_a_step_of_fit():
    x = data(multivariate_normal)
    _, expected, _ = start_and_end()
    model = tfg.FlowModel(multivariate_normal())
    model.compile(keras.optimizers.SGD(1e-2))
    for i in range(0, 256, 64):
        logs = model.train_on_batch(x[i : i + 64], return_dict=True)
    assert set(logs) == {"loss", "nats", "bits_per_dim"}
    assert_close(model.get_weights()[:2], expected[:2])


def test_accumulated_gradients_are_those_of_the_larger_batch():
    optimizer = keras.optimizers.SGD(1e-2, gradient_accumulation_steps=4)
    _, weights, _ = start_and_end(optimizer=optimizer)
    model = tfg.FlowModel(multivariate_normal())
    model.compile(keras.optimizers.SGD(1e-2))
    model.fit(data(multivariate_normal), batch_size=256, verbose=0)
    assert_close(weights[:2], model.get_weights()[:2])


def test_clipped_gradients_bound_a_step():
    optimizer = keras.optimizers.SGD(1.0, global_clipnorm=1e-3)
    before, after, _ = start_and_end(optimizer=optimizer)
    moved = math.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(after, before)))
    # Four steps, and the flag that says that the norms are initialized.
    assert 1e-3 < math.sqrt(moved**2 - 1.0) < 4.001e-3


def test_a_schedule_decides_the_steps():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [2], [0.1, 0.0]
    )
    _, after, model = start_and_end(optimizer=keras.optimizers.SGD(schedule))
    _, two, _ = start_and_end(0.1, x=data(multivariate_normal)[:192])
    assert int(model.optimizer.iterations) == 4
    assert_close(after, two)


def test_averaged_weights_are_used_within_their_block_alone():
    optimizer = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)
    model = tfg.FlowModel(multivariate_normal())
    model.compile(optimizer)
    x = data(multivariate_normal)
    for _ in range(4):  # At its end `fit` leaves the averages in their place.
        model.train_on_batch(x)
    trained, drawn = model.log_prob(x), model.sample(3, seed=0)
    averages = optimizer._model_variables_moving_average
    kept = [v.numpy() for v in model.trainable_variables]
    with model.averaged_weights():
        assert_close(
            [v.numpy() for v in model.trainable_variables],
            [v.numpy() for v in averages],
            atol=0,
        )
        loc = model.distribution.loc.numpy()
        evaluated = model.evaluate(x, verbose=0, return_dict=True)["nats"]
        expected = -np.mean(model.log_prob(x))
        averaged = model.sample(3, seed=0)
    np.testing.assert_allclose(evaluated, expected, rtol=1e-5)
    assert not np.allclose(expected, -np.mean(trained))
    assert not np.allclose(averaged, drawn)
    assert not np.allclose(loc, model.distribution.loc)
    assert_close([v.numpy() for v in model.trainable_variables], kept, atol=0)
    np.testing.assert_array_equal(model.log_prob(x), trained)


def test_averaged_weights_come_back_after_an_error():
    optimizer = keras.optimizers.SGD(0.1, use_ema=True)
    _, after, model = start_and_end(optimizer=optimizer)
    with pytest.raises(InterruptedError), model.averaged_weights():
        raise InterruptedError
    assert_close(model.get_weights(), after, atol=0)


def test_a_model_without_averages_says_so():
    _, _, model = start_and_end()
    with pytest.raises(ValueError, match="`use_ema=True`"):
        model.averaged_weights().__enter__()


def test_weights_that_are_not_trainable_stay():
    network = keras.layers.Dense(4, name="shift_network")
    flow = tfd.TransformedDistribution(
        tfd.MultivariateNormalDiag(tf.Variable(tf.zeros(4), name="loc")),
        tfb.RealNVP(
            2, shift_and_log_scale_fn=lambda x, _: tf.split(network(x), 2, -1)
        ),
    )
    model = compiled(tfg.FlowModel(flow), rate=0.1)
    network.trainable = False
    before = [w.numpy() for w in network.weights]
    assert [w.name for w in model.trainable_variables] == ["loc"]
    model.fit(data(mixture), verbose=0)
    assert_close([w.numpy() for w in network.weights], before, atol=0)
    assert np.all(flow.distribution.loc.numpy() != 0.0)


def test_losses_of_adopted_layers_are_added():
    regularizer = keras.regularizers.L2(0.5)
    network = keras.layers.Dense(4, kernel_regularizer=regularizer)
    flow = tfd.TransformedDistribution(
        normal(4),
        tfb.RealNVP(
            2, shift_and_log_scale_fn=lambda x, _: tf.split(network(x), 2, -1)
        ),
    )
    model = compiled(tfg.FlowModel(flow))
    results = model.evaluate(data(mixture), verbose=0, return_dict=True)
    added = 0.5 * np.sum(network.kernel.numpy() ** 2)
    np.testing.assert_allclose(
        results["loss"], results["bits_per_dim"] + added, rtol=1e-5
    )


# Conditional distributions.


def conditional(size=3):
    made = tfb.AutoregressiveNetwork(
        2,
        event_shape=[4],
        hidden_units=[8],
        activation="tanh",
        conditional=True,
        conditional_event_shape=[size],
    )
    flow = tfd.TransformedDistribution(
        normal(4), tfb.MaskedAutoregressiveFlow(made)
    )
    return tfg.FlowModel(
        flow,
        conditioning_fn=lambda c: {"bijector_kwargs": {"conditional_input": c}},
        conditioning_shape=[size],
    )


def pairs(count=256):
    """Events around a linear function of their conditioning."""
    generator = np.random.default_rng(0)
    c = generator.normal(size=[count, 3])
    x = 3.0 * c @ np.ones([3, 4]) + generator.normal(size=[count, 4])
    return x.astype(np.float32), c.astype(np.float32)


def test_a_conditional_distribution_is_fitted_and_sampled():
    x, c = pairs()
    model = compiled(conditional(), rate=3e-2)
    history = model.fit(
        x, c, batch_size=32, epochs=40, validation_data=(x, c), verbose=0
    ).history
    assert history["val_nats"][-1] < history["val_nats"][0] - 2.0
    drawn = model.sample(256, c, seed=0)
    assert drawn.shape == [256, 4]
    assert np.corrcoef(drawn[:, 0], c.sum(axis=1))[0, 1] > 0.7
    shuffled = model.log_prob(x, c[::-1].copy())
    assert np.mean(model.log_prob(x, c)) > np.mean(shuffled) + 2.0


def test_conditioning_reaches_the_density_in_every_way():
    x, c = pairs(64)
    model = compiled(conditional(), run_eagerly=True)
    expected = model.distribution.log_prob(
        x, bijector_kwargs={"conditional_input": c}
    )
    dataset = tf.data.Dataset.from_tensor_slices((x, c)).batch(16)
    for log_prob in (
        model.log_prob(x, c),
        model(x, c),
        model((x, c)),
        model.predict((x, c), verbose=0),
        model.predict(dataset, verbose=0),
    ):
        np.testing.assert_allclose(log_prob, expected, rtol=1e-4, atol=1e-4)
    weight = np.arange(64.0)
    mean = -np.average(expected, weights=weight)
    weighted = tf.data.Dataset.from_tensor_slices((x, c, weight)).batch(64)
    for results in (
        model.evaluate(
            x,
            c,
            batch_size=64,
            sample_weight=weight,
            verbose=0,
            return_dict=True,
        ),
        model.evaluate(weighted, verbose=0, return_dict=True),
        model.test_on_batch(x, c, sample_weight=weight, return_dict=True),
    ):
        np.testing.assert_allclose(results["nats"], mean, rtol=1e-4)
    for fit in (
        lambda: model.fit(x, c, batch_size=16, verbose=0),
        lambda: model.fit(dataset, validation_data=dataset, verbose=0),
        lambda: model.fit(weighted, verbose=0),
        lambda: model.train_on_batch(x, c),
    ):
        before = model.get_weights()
        fit()
        assert not np.allclose(before[0], model.get_weights()[0])


def test_norms_of_a_conditional_flow_are_initialized():
    norm = tfg.ActNorm.trainable(4, name="norm")
    made = tfb.AutoregressiveNetwork(
        2,
        event_shape=[4],
        hidden_units=[4],
        conditional=True,
        conditional_event_shape=[3],
    )
    chain = tfb.Chain(
        [tfb.MaskedAutoregressiveFlow(made, name="maf"), tfb.Invert(norm)]
    )
    flow = tfd.TransformedDistribution(normal(4), chain)
    model = tfg.FlowModel(
        flow,
        lambda c: {"bijector_kwargs": {"maf": {"conditional_input": c}}},
        [3],
    )
    x, c = pairs()
    model.initialize(x, c)
    inner = chain.bijectors[0].inverse(x, conditional_input=c)
    np.testing.assert_allclose(
        np.std(norm.forward(inner), axis=0), 1.0, atol=1e-3
    )


def test_a_conditional_vector_flow_needs_no_function_of_its_conditioning():
    y, c = pairs()
    y = y[:, :1]
    flow = tfg.vector_flow(1, 1, num_filters=8, conditioning_size=3, seed=0)
    model = tfg.FlowModel(flow)
    model.initialize(y, c)
    expected = flow.given(c).log_prob(y)
    np.testing.assert_allclose(model.log_prob(y, c), expected, atol=1e-4)


# A flow as a part of a larger model.


class AddLoss(keras.layers.Layer):
    """Adds the mean negative log-likelihood to the loss of a model."""

    def call(self, log_prob):
        self.add_loss(-tf.reduce_mean(log_prob))
        return log_prob


def encoder_and_flow(add_loss):
    """A network that reads features, and a flow given what it says."""
    flow = conditional(2)
    features, target = keras.Input([3]), keras.Input([4])
    network = keras.layers.Dense(2, name="encoder")
    log_prob = flow(target, network(features))
    if add_loss:
        log_prob = AddLoss()(log_prob)
    return keras.Model([features, target], log_prob), network, flow


@pytest.mark.parametrize(
    "add_loss", [False, pytest.param(True, marks=pytest.mark.slow)]
)
def test_an_encoder_is_trained_through_the_flow_it_conditions(add_loss):
    x, c = pairs()
    model, network, flow = encoder_and_flow(add_loss)
    assert model.output_shape == (None,)
    kwargs, labels = {}, None
    if not add_loss:
        kwargs = {"loss": lambda _, log_prob: -log_prob}
        labels = np.zeros(len(x))
    compiled(model, rate=3e-2, **kwargs)
    weights = {id(w) for w in model.trainable_variables}
    assert weights == {
        id(w) for w in network.weights + flow.trainable_variables
    }
    before = network.kernel.numpy()
    history = model.fit([c, x], labels, epochs=20, verbose=0).history["loss"]
    assert history[-1] < history[0] - 2.0
    assert np.all(network.kernel.numpy() != before)
    np.testing.assert_allclose(
        model.predict([c, x], verbose=0),
        flow.log_prob(x, network(c)),
        rtol=1e-4,
        atol=1e-4,
    )


def test_a_sample_layer_draws_an_event_for_every_row():
    _, c = pairs(64)
    flow = conditional()
    features = keras.Input([3])
    model = keras.Model(features, tfg.layers.Sample(flow, seed=3)(features))
    drawn = model.predict(c, verbose=0)
    assert drawn.shape == (64, 4)
    again = keras.Model(features, tfg.layers.Sample(flow, seed=3)(features))
    np.testing.assert_allclose(again.predict(c, verbose=0), drawn, rtol=1e-6)
    assert np.all(model.predict(c, verbose=0) != drawn)
    with tf.GradientTape() as tape:
        inputs = tf.constant(c)
        tape.watch(inputs)
        total = tf.reduce_sum(model(inputs))
    assert np.all(tape.gradient(total, inputs) != 0.0)


def test_an_unconditional_sample_layer_counts_rows_alone():
    layer = tfg.layers.Sample(tfg.FlowModel(mixture()))
    assert layer(np.zeros([7, 2])).shape == (7, 4)


def test_a_larger_model_around_a_glow_loads_by_itself(tmp_path):
    glow = tfg.GlowModel(
        [4, 4, 1], num_levels=1, num_steps=1, num_filters=4, bins=17, seed=0
    )
    images = keras.Input([4, 4, 1], dtype="int32")
    model = keras.Model(images, glow(images))
    x = np.random.default_rng(0).integers(0, 17, [5, 4, 4, 1])
    glow.initialize(x)
    model.save(tmp_path / "around.keras")
    copy = keras.models.load_model(tmp_path / "around.keras")
    np.testing.assert_allclose(
        copy.predict(x, verbose=0), glow.log_prob(x), rtol=1e-5
    )


def test_a_vector_flow_is_saved_alone_and_in_a_larger_model(tmp_path):
    x, c = pairs(32)
    flow = tfg.vector_flow(
        4, 1, num_filters=4, coupling=tfg.Affine("exp"), conditioning_size=3
    )
    flow = tfg.FlowModel(flow, weight_noise=0.1, seed=1, name="inner")
    flow.initialize(x, c)
    flow.save(tmp_path / "flow.keras")
    features, target = keras.Input([3]), keras.Input([4])
    model = keras.Model([features, target], flow(target, features))
    model.save(tmp_path / "model.keras")
    alone, around = (
        keras.models.load_model(tmp_path / f"{name}.keras")
        for name in ("flow", "model")
    )
    assert alone.initialized and alone.get_config() == flow.get_config()
    expected = flow.log_prob(x, c)
    np.testing.assert_allclose(alone.log_prob(x, c), expected, rtol=1e-5)
    np.testing.assert_allclose(
        around.predict([c, x], verbose=0), expected, rtol=1e-4
    )


# Bad input.


def test_arguments_that_make_no_model_are_errors():
    with pytest.raises(TypeError, match=r"`tfd.Distribution`. Received: Exp"):
        tfg.FlowModel(tfb.Exp())
    with pytest.raises(ValueError, match=r"without any gradient"):
        loc = tf.Variable(0.0)
        tfg.FlowModel(
            tfd.Normal(tfp.util.DeferredTensor(loc, tf.stop_gradient), 1.0)
        )
    with pytest.raises(ValueError, match=r"batch shape \[\]"):
        tfg.FlowModel(tfd.Normal(tf.Variable([0.0, 1.0]), 1.0))
    for arguments in (
        {"conditioning_shape": [3]},
        {"conditioning_fn": lambda c: {}},
    ):
        with pytest.raises(ValueError, match="Expected both"):
            tfg.FlowModel(mixture(), **arguments)


BAD_CONDITIONING = {
    "missing": (None, ValueError, "Received: None"),
    "of another width": (np.zeros([8, 2]), ValueError, r"\(8, 3\)"),
    "of another batch": (np.zeros([7, 3]), ValueError, r"\(8, 3\)"),
    "not finite": (np.full([8, 3], np.nan), ValueError, "24 of 24"),
    "no numbers": (np.full([8, 3], "a"), TypeError, "Expected numbers"),
    "several": ({"a": np.zeros([8, 3])}, TypeError, "Expected one array"),
}


@pytest.mark.parametrize("name", BAD_CONDITIONING)
def test_conditioning_that_does_not_fit_is_an_error(name):
    bad, error, message = BAD_CONDITIONING[name]
    model = compiled(conditional())
    x, _ = pairs(8)
    for use in (
        lambda: model.fit(x, bad),
        lambda: model.log_prob(x, bad),
        lambda: model.sample(8, bad),
        lambda: model.initialize(x, bad),
    ):
        with pytest.raises(error, match=message):
            use()
    assert not model.initialized


def test_data_sets_without_their_conditioning_are_errors():
    model = compiled(conditional())
    x, c = pairs(8)
    with pytest.raises(ValueError, match="pairs"):
        model.fit(tf.data.Dataset.from_tensor_slices(x).batch(4))
    with pytest.raises(ValueError, match=r"\(None, 3\)"):
        narrow = tf.data.Dataset.from_tensor_slices((x, c[:, :2])).batch(4)
        model.fit(narrow)


def test_conditioning_that_nothing_takes_is_an_error():
    model = tfg.FlowModel(mixture())
    with pytest.raises(ValueError, match="without `conditioning_fn`"):
        model.log_prob(data(mixture), np.zeros([256, 3]))


@pytest.mark.parametrize(
    "x",
    [
        np.zeros([8, 4]),
        {"a": np.zeros(8)},
        {"a": np.zeros(8), "c": np.zeros([8, 3])},
    ],
    ids=["array", "a part", "other names"],
)
def test_events_that_are_not_nested_as_expected_are_errors(x):
    with pytest.raises(TypeError, match="Invalid structure"):
        tfg.FlowModel(joint()).log_prob(x)


def test_parts_of_different_numbers_are_an_error():
    with pytest.raises(ValueError, match="same batch size in every part"):
        tfg.FlowModel(joint()).log_prob(
            {"a": np.zeros(8), "b": np.zeros([7, 3])}
        )


def test_a_density_that_is_nan_at_the_first_batch_stops_before_it_changes():
    loc = tf.Variable(tf.zeros(4), name="loc")
    scale = tf.Variable(tf.fill([4], -1.0), name="scale")
    flow = tfd.Independent(tfd.Normal(loc, scale), 1)
    model = compiled(tfg.FlowModel(flow))
    with pytest.raises(FloatingPointError, match="at step 1"):
        model.fit(data(mixture), verbose=0)
    np.testing.assert_array_equal(loc, np.zeros(4))


def test_saving_what_no_file_can_hold_says_what_can(tmp_path):
    with pytest.raises(NotImplementedError, match="`save_weights`"):
        tfg.FlowModel(mixture()).save(tmp_path / "model.keras")
    assert not list(tmp_path.iterdir())


def test_training_that_could_not_save_the_model_does_not_start(tmp_path):
    model = compiled(tfg.FlowModel(mixture()))
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "model.keras")
    with pytest.raises(NotImplementedError, match="`save_weights`"):
        model.fit(data(mixture), verbose=0, callbacks=[checkpoint])
    assert int(model.optimizer.iterations) == 0
    for copies in (copy.deepcopy, pickle.dumps):
        with pytest.raises(NotImplementedError, match="plain values"):
            copies(model)
    checkpoint = keras.callbacks.ModelCheckpoint(
        tmp_path / "model.weights.h5", save_weights_only=True
    )
    model.fit(data(mixture), verbose=0, callbacks=checkpoint)
    assert os.listdir(tmp_path) == ["model.weights.h5"]
