# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.networks`."""

import functools
import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import helpers
from tfp_glow import networks
from tfp_glow.networks import linear

IMAGES, VECTORS = (6, 4, 4, 2), (6, 2)
raises = functools.partial(pytest.raises, ValueError)
named = functools.partial(pytest.mark.parametrize, "name")


@keras.saving.register_keras_serializable(package="tfp_glow_tests")
class Residual(keras.layers.Layer):
    """The example in the documentation of `LayerNetwork`."""

    def __init__(self, num_filters, **kwargs):
        super().__init__(**kwargs)
        kwargs = dict(padding="same", dtype=self.dtype_policy)
        self.first = keras.layers.Conv2D(num_filters, 3, **kwargs)
        self.second = keras.layers.Conv2D(num_filters, 3, **kwargs)

    def build(self, input_shape):
        self.first.build(input_shape)
        self.second.build(self.first.compute_output_shape(input_shape))

    def call(self, x):
        h = self.first(x)
        return h + self.second(keras.ops.silu(h))


linear_template = functools.partial(
    networks.ScaledLinear, kernel_size=3, kernel_initializer="orthogonal"
)
coupling_template = networks.CouplingNetwork
prior_template = functools.partial(networks.PriorNetwork, kernel_size=3)


def residual_template(dtype, **kwargs):
    return networks.LayerNetwork(Residual(4, dtype=dtype), **kwargs)


def dense_template(dtype, **kwargs):
    return networks.LayerNetwork(keras.layers.Dense(5, dtype=dtype), **kwargs)


BOUNDED = pytest.mark.parametrize(
    "template", [coupling_template, prior_template, dense_template]
)
UNBOUNDED = dict(num_filters=5, input_bound=None, output_bound=None)
PADDED = dict(edge_padding=True)
# Every network, by name: its template, the shape of its input, the size of its
# conditioning, and the template's options.
NETWORKS = {
    "linear": (linear_template, IMAGES, None, {}),
    "linear_of_vectors": (linear_template, VECTORS, 2, {}),
    "linear_padded": (linear_template, IMAGES, 2, PADDED),
    "coupling": (coupling_template, IMAGES, None, {}),
    "coupling_of_vectors": (coupling_template, VECTORS, None, {}),
    "coupling_conditioned": (coupling_template, IMAGES, 2, {}),
    "coupling_of_vectors_conditioned": (coupling_template, VECTORS, 2, {}),
    "coupling_unbounded": (coupling_template, IMAGES, None, UNBOUNDED),
    "prior": (prior_template, IMAGES, None, dict(input_bound=7.0)),
    "prior_conditioned": (prior_template, IMAGES, 2, PADDED),
    "layer": (residual_template, IMAGES, None, dict(edge_padding=False)),
    "layer_conditioned": (residual_template, IMAGES, 2, dict(input_bound=None)),
    "layer_of_vectors": (dense_template, VECTORS, None, dict(output_bound=2.0)),
}
each_network = named(NETWORKS)


def make_template(name, dtype="float64"):
    template, _, _, options = NETWORKS[name]
    return template(dtype=dtype, **options)


def make_sized(template, name, seed=1):
    """An unbuilt network of the size of a registered one."""
    _, shape, size, _ = NETWORKS[name]
    sizes = dict(num_outputs=3, conditioning_size=size, seed=seed)
    return template.sized(shape[1:-1], 4, name="network", **sizes)


def make(name, dtype="float64", shape=None, perturbed=True):
    """A built network, a batch of inputs, and their conditioning."""
    network = make_sized(make_template(name, dtype), name)
    shape = shape or NETWORKS[name][1]
    network.build((None, *shape[1:]))
    if perturbed:
        helpers.perturb(network)
    x = helpers.normal(shape, dtype=network.variable_dtype)
    if network.conditioning_size is None:
        return network, x, None
    return network, x, helpers.normal([len(x), 2], 1, x.dtype)


@each_network
def test_a_template_makes_networks_and_cannot_be_built(name):
    template = make_template(name, dtype="mixed_bfloat16")
    network = make_sized(template, name)
    assert type(network) is type(template)
    assert isinstance(network, networks.StackedLayer)
    assert not network.weights
    assert network.compute_dtype == "bfloat16"
    for option, value in NETWORKS[name][3].items():
        assert getattr(network, option) == value
    again = keras.layers.deserialize(keras.layers.serialize(template))
    assert again.num_outputs is None
    config = keras.layers.serialize(make_sized(again, name))
    assert config == keras.layers.serialize(network)
    with raises(match="Expected `num_outputs`.* Received: num_outputs=None"):
        template.build((None, *NETWORKS[name][1][1:]))
    with raises(match="Expected `num_outputs`.* Received: num_outputs=None"):
        template.stacked_variables(2, num_steps=2)


@each_network
def test_config_makes_the_network_again(name):
    network, x, c = make(name, dtype="float32")
    config = keras.layers.serialize(network)
    again = keras.layers.deserialize(config)
    assert keras.layers.serialize(again) == config
    again.set_weights(network.get_weights())
    y = network(x, c)
    np.testing.assert_array_equal(again(x, c), y)
    assert np.any(y)
    assert y.shape == network.compute_output_shape(tuple(x.shape))
    assert y.dtype == tf.float32


@each_network
def test_stacked_weights_are_those_of_as_many_networks(name):
    network, x, c = make(name)
    own = network.own_weights()
    stacked = network.stacked_variables(x.shape[-1], num_steps=2)
    generator = np.random.default_rng(0)

    def randomize(variable, weight):
        assert isinstance(variable, tf.Variable)
        assert variable.shape == (2, *weight.shape)
        assert variable.dtype.name == weight.dtype
        assert variable.name.endswith(f"{weight.name}:0")
        variable.assign_add(0.3 * generator.standard_normal(variable.shape))

    tf.nest.map_structure(randomize, stacked, own)
    prepared = network.prepare(stacked)
    for k in range(2):
        tf.nest.map_structure(lambda w, v, k=k: w.assign(v[k]), own, stacked)
        step = tf.nest.map_structure(lambda w, k=k: w[k], prepared)
        y = network.apply(step, x, c)
        assert np.any(y)
        np.testing.assert_allclose(y, network(x, c), atol=1e-12)


def test_names_of_weights_which_files_hold():
    for name, expected in {
        "coupling_conditioned": "hidden_0/conditioning_kernel hidden_1/shift",
        "prior_conditioned": "network/kernel network/edge_kernel",
        "layer_of_vectors": "layer/0_kernel layer/1_bias last/shift",
    }.items():
        network = make_sized(make_template(name), name)
        stacked = network.stacked_variables(2, num_steps=1)
        assert not network.weights  # A flow trains the stacked weights only.
        names = {v.name.removesuffix(":0") for v in tf.nest.flatten(stacked)}
        assert names >= set(expected.split())


@each_network
def test_weights_and_conditioning_receive_gradients(name):
    network, x, c = make(name)
    sources = [w.value for w in network.trainable_weights]
    sources += [] if c is None else [c]
    assert len(sources) > 1
    with tf.GradientTape() as tape:
        if c is not None:
            tape.watch(c)
        loss = tf.reduce_sum(network(x, c) ** 2)
    assert all(np.any(g) for g in tape.gradient(loss, sources))


@each_network
def test_conditioning_of_pixels_and_of_images(name):
    network, x, c = make(name)
    expected = "conditioning of 2 channels. Received: None"
    if c is None:
        expected = "no conditioning, because `conditioning_size` is None"
    with raises(match=f"Expected {expected}"):
        network(x, x if c is None else None)
    if c is not None:
        y = network(x, c)
        assert np.any(y != network(x, c[::-1]))
    if c is not None and len(x.shape) == 4:
        pixels = c[:, tf.newaxis, tf.newaxis] + 0.0 * x  # Both have 2 channels.
        np.testing.assert_allclose(network(x, pixels), y, atol=1e-12)


@named([name for name in NETWORKS if not name.startswith("linear")])
def test_output_is_zero_at_first_with_any_conditioning(name):
    network, x, c = make(name, perturbed=False)
    network.initialize(x)
    np.testing.assert_array_equal(network(x, c), tf.zeros([*x.shape[:-1], 3]))


@each_network
def test_mixed_policy_keeps_weights_and_folds_in_float32(name):
    network, x, c = make(name, dtype="mixed_bfloat16")
    exact, _, _ = make(name, dtype="float32")
    exact.set_weights(network.get_weights())
    assert {w.dtype for w in network.weights} == {"float32"}
    x = tf.cast(x, tf.float64)
    y = network(x, c)
    assert y.dtype == tf.bfloat16
    prepared = network.prepare(network.own_weights())
    np.testing.assert_array_equal(y, network.apply(prepared, x, c))
    y = tf.cast(y, tf.float64)
    np.testing.assert_allclose(y, exact(x, c), rtol=0.05, atol=0.15)
    stacked = network.stacked_variables(x.shape[-1], num_steps=1)
    assert {v.dtype for v in tf.nest.flatten(stacked)} == {tf.float32}
    # A flow in float64 may hold the weights of float32 networks in float64.
    double = tf.nest.map_structure(lambda v: tf.cast(v, tf.float64), stacked)
    for prepared in (network.prepare(stacked), network.prepare(double)):
        assert {w.dtype for w in tf.nest.flatten(prepared)} == {tf.bfloat16}


@pytest.mark.parametrize("edge_padding", [False, True])
def test_linear_layer_is_a_convolution_with_scaled_outputs(edge_padding):
    layer = linear_template(4, dtype="float64", edge_padding=edge_padding)
    x = helpers.normal(IMAGES)
    layer.build(IMAGES)
    helpers.perturb(layer)
    # The edge is a channel: 1 around the image and 0 inside.
    sides = [[0, 0], [1, 1], [1, 1], [0, 0]]
    images = tf.pad(x, sides)
    kernel = layer.kernel.value
    if edge_padding:
        edge = tf.pad(tf.zeros_like(x[..., :1]), sides, constant_values=1)
        images = tf.concat([images, edge], axis=-1)
        kernel = tf.concat([kernel, layer.edge_kernel.value], axis=2)
    y = tf.nn.conv2d(images, kernel, strides=1, padding="VALID")
    y = np.exp(3.0 * layer.log_scale.numpy()) * (y + layer.shift.numpy())
    np.testing.assert_allclose(layer(x), y, atol=1e-12)
    # So a network can tell the edge from the inside, even of zeros.
    y = layer(tf.zeros_like(x))[0]
    assert (np.max(np.abs(y[0, 0] - y[2, 2])) > 1e-3) == edge_padding


def test_linear_layer_of_vectors_is_a_product_with_scaled_outputs():
    layer, x, c = make("linear_of_vectors")
    scale = np.exp(3.0 * layer.log_scale.numpy())
    y = scale * (x.numpy() @ layer.kernel.numpy() + layer.shift.numpy())
    y += c.numpy() @ layer.conditioning_kernel.numpy()
    np.testing.assert_allclose(layer(x, c), y, atol=1e-12)


def test_edge_padding_does_not_widen_the_convolutions():
    """With 513 input channels, a GPU would not use its tensor cores."""
    network = networks.CouplingNetwork(12, num_filters=16)
    network.build([None, 4, 4, 6])
    prepared = network.prepare(network.own_weights())
    shapes = [folded["kernel"].shape[-2:] for folded in prepared]
    assert shapes == [[6, 16], [16, 16], [16, 12]]
    for kernel_size in (1, None):  # Kernels without neighbors need no edge.
        layer = networks.ScaledLinear(3, kernel_size, edge_padding=True)
        assert not layer.edge_padding


def test_initialize_leaves_a_layer_of_constant_outputs_finite():
    layer = networks.ScaledLinear(3, None, "orthogonal", dtype="float64")
    layer.build(VECTORS)
    layer.initialize(tf.ones([10, 2], tf.float64))
    assert np.all(np.isfinite(layer(helpers.normal(VECTORS))))


def hidden_outputs(network, x, c=None):
    """The output of each hidden layer, before its nonlinearity."""
    first, second = network.hidden
    hidden = first(linear.bound(x, network.input_bound), c)
    return [hidden, second(tf.nn.relu(hidden))]


@named([n for n in NETWORKS if n.startswith(("linear", "coupling"))])
def test_initialize_normalizes_a_layer_or_every_hidden_layer(name):
    network, x, c = make(name, shape=(200, *NETWORKS[name][1][1:]))
    x, c = 3.0 + 5.0 * x, None if c is None else tf.zeros_like(c)
    network.initialize(x)
    is_linear = isinstance(network, networks.ScaledLinear)
    for y in [network(x, c)] if is_linear else hidden_outputs(network, x, c):
        y = np.reshape(y, [-1, y.shape[-1]])
        np.testing.assert_allclose(np.mean(y, axis=0), 0.0, atol=1e-5)
        np.testing.assert_allclose(np.var(y, axis=0), 1.0, atol=1e-3)


@named(["coupling_conditioned", "coupling_of_vectors"])
def test_coupling_network_is_the_formula(name):
    network, x, c = make(name)
    y = network.last(tf.nn.relu(hidden_outputs(network, x, c)[-1]))
    y = 5.0 * np.tanh(y / 5.0)
    np.testing.assert_allclose(network(x, c), y, atol=1e-12)


def test_features_of_inputs_of_variance_1_have_about_that_variance():
    network = networks.FeatureNetwork(64, seed=0, dtype="float64")
    x = helpers.normal((4, 8, 8, 3))
    with tf.GradientTape() as tape:
        features = network(x)
    assert features.shape == network.compute_output_shape(tuple(x.shape))
    inside = features[:, 2:-2, 2:-2]  # Zeros pad the image.
    np.testing.assert_allclose(np.mean(inside**2), 1.0, atol=0.2)
    again = keras.layers.deserialize(keras.layers.serialize(network))
    np.testing.assert_array_equal(again(x), features)
    values = [w.value for w in network.trainable_weights]
    assert len(values) == 8
    assert all(np.any(g) for g in tape.gradient(features, values))


@BOUNDED
def test_bounds_limit_the_input_and_the_output(template):
    network = template(dtype="float64", input_bound=2.0, output_bound=3.0)
    network = network.sized((), 4, num_outputs=3)
    network.build((None, 2))
    helpers.perturb(network, stddev=3.0)
    far, further = (network(tf.constant([[s, -s]])) for s in (1e3, 1e6))
    np.testing.assert_allclose(far, further, atol=1e-6)
    assert 0.5 < np.max(np.abs(further)) <= 3.0


def test_without_bounds_a_network_grows_with_its_input():
    network, x, _ = make("coupling_unbounded")
    assert np.max(np.abs(network(1e6 * x))) > 1e3
    assert linear.bound(x, None) is x
    # A bound is nearly the identity well inside its limit.
    x = tf.constant([-0.1, 0.0, 0.1], tf.float64)
    np.testing.assert_allclose(linear.bound(x, 4.0), x, rtol=1e-3)
    np.testing.assert_allclose(linear.bound(1e9 * x, 4.0), [-4, 0, 4])


@named(["coupling_conditioned", "layer"])
def test_seed_determines_the_weights(name):
    def weights(seed):
        template = make_template(name)
        state = random.getstate()
        network = make_sized(template, name, seed)
        stacked = tf.nest.flatten(network.stacked_variables(2, num_steps=2))
        assert random.getstate() == state
        return [v.numpy() for v in stacked if np.any(v)]

    for a, b, c in zip(weights(0), weights(0), weights(1)):
        np.testing.assert_array_equal(a, b)
        assert np.all(a != c)
        assert np.all(a[0] != a[1])  # The two steps differ.


def test_hidden_layers_differ_and_have_512_outputs_by_default():
    network = networks.CouplingNetwork(3, kernel_size=None, seed=0)
    network.build((None, 512))
    first, second = (layer.kernel.numpy() for layer in network.hidden)
    assert second.shape == (512, 512)
    assert np.max(np.abs(first - second)) > 1e-3


@BOUNDED
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_a_bound_that_is_not_positive_raises(template, value):
    for name in ("input_bound", "output_bound"):
        with raises(match=f"`{name}`. Expected a positive number or None"):
            template(dtype="float32", **{name: value})


@named(["num_outputs", "num_filters", "conditioning_size"])
def test_a_size_that_is_not_a_positive_integer_raises(name):
    with raises(match=f"`{name}`. Expected a positive integer"):
        networks.CouplingNetwork(**{name: 0})


def test_a_layer_with_state_or_that_changes_the_size_raises():
    for layer, expected in (
        (keras.layers.BatchNormalization(), "a layer without state"),
        (keras.layers.Dropout(0.5), "a layer without state"),
        (keras.layers.MaxPooling2D(), r"outputs of shape \(None, 4, 4, 'any'"),
    ):
        network = networks.LayerNetwork(layer, 2, IMAGES[1:3])
        with raises(match=f"Expected {expected}.*Received: .*{layer.name}"):
            network.build((None, *IMAGES[1:]))
    with pytest.raises(TypeError, match="Received: function"):
        networks.LayerNetwork(lambda x: x, 2)


def test_a_layer_need_not_be_registered():
    class Doubled(keras.layers.Dense):
        def call(self, x):
            return 2.0 * super().call(x)

    network, _ = make_pair(Doubled(4), spatial_shape=())
    assert type(network.layer).__name__ == "Doubled"
    assert network.stacked_variables(2, 1)["layer"][0].shape == (1, 2, 4)


def make_pair(network, **kwargs):
    """Makes the networks of a coupling and of a prior."""
    kwargs = dict(num_outputs=3, spatial_shape=(4, 4)) | kwargs
    return (
        networks.make_network(network, num_filters=4, seed=0, **kwargs),
        networks.make_prior_network(network, **kwargs),
    )


@pytest.mark.parametrize("spatial_shape, size", [((4, 4), 3), ((), None)])
def test_paper_makes_the_networks_of_the_paper(spatial_shape, size):
    kwargs = dict(conditioning_size=2, dtype="float64")
    made = make_pair("paper", spatial_shape=spatial_shape, **kwargs)
    kwargs |= dict(name="network", edge_padding=True)
    coupling = networks.CouplingNetwork(3, 4, size, seed=0, **kwargs)
    prior = networks.PriorNetwork(3, size, **kwargs)
    for found, expected in zip(made, (coupling, prior)):
        assert keras.layers.serialize(found) == keras.layers.serialize(expected)


@pytest.mark.parametrize("network", ["paper", keras.layers.Dense(4)])
def test_an_unknown_option_is_an_error_that_names_the_nearest(network):
    with pytest.raises(ValueError, match="Did you mean 'conditioning_size'"):
        make_pair(network, conditoning_size=2)


@pytest.mark.parametrize("options", [{}, UNBOUNDED | dict(kernel_size=5)])
def test_networks_take_the_options_of_a_template(options):
    template = networks.CouplingNetwork(**options, dtype="mixed_bfloat16")
    coupling, prior = make_pair(template, dtype="float64")
    config = template.get_config() | dict(num_outputs=3, seed=0, name="network")
    config["num_filters"] = options.get("num_filters", 4)
    assert coupling.get_config() == config
    del config["seed"], config["num_filters"], config["kernel_size"]
    assert prior.get_config().items() >= config.items()


def test_a_keras_layer_brings_its_dtype():
    options = dict(edge_padding=False, input_bound=None, output_bound=2.0)
    for template, bounds in (
        (keras.layers.Dense(3, dtype="float64"), (True, 4.0, 5.0)),
        (dense_template("float64", **options), (False, None, 2.0)),
    ):
        for made in make_pair(template):
            assert made.dtype_policy.name == "float64"
            found = (made.edge_padding, made.input_bound, made.output_bound)
            assert found == bounds


@pytest.mark.parametrize("network", ["papr", "gated", tf.sin, None])
def test_a_choice_that_is_not_a_network_raises(network):
    for function in (networks.check_network, make_pair):
        with raises(match="Expected 'paper', a Keras layer"):
            function(network)
