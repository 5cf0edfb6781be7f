# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.networks`."""

import pathlib
import random
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import helpers
from tfp_glow import networks
from tfp_glow.networks import linear

IMAGES, VECTORS = (6, 4, 4, 2), (6, 2)


@keras.saving.register_keras_serializable(package="tfp_glow_tests")
class Residual(keras.layers.Layer):
    """The example in the documentation of `LayerNetwork`."""

    def __init__(self, num_filters, **kwargs):
        super().__init__(**kwargs)
        self.num_filters = num_filters
        self.first, self.second = (
            keras.layers.Conv2D(
                num_filters, 3, padding="same", dtype=self.dtype_policy
            )
            for _ in range(2)
        )

    def build(self, input_shape):
        self.first.build(input_shape)
        self.second.build(self.first.compute_output_shape(input_shape))

    def call(self, x):
        h = self.first(x)
        return h + self.second(keras.ops.silu(h))

    def get_config(self):
        return {**super().get_config(), "num_filters": self.num_filters}


def linear_template(dtype, kernel_size=3, **kwargs):
    return networks.ScaledLinear(
        kernel_size=kernel_size,
        kernel_initializer="orthogonal",
        dtype=dtype,
        **kwargs,
    )


def coupling_template(dtype, **kwargs):
    return networks.CouplingNetwork(dtype=dtype, **kwargs)


def prior_template(dtype, **kwargs):
    return networks.PriorNetwork(kernel_size=3, dtype=dtype, **kwargs)


def residual_template(dtype, **kwargs):
    return networks.LayerNetwork(Residual(4, dtype=dtype), **kwargs)


def dense_template(dtype, **kwargs):
    layer = keras.layers.Dense(5, "relu", dtype=dtype)
    return networks.LayerNetwork(layer, **kwargs)


# Every network, by name: its template, the shape of its input, the size of its
# conditioning, and the template's options.
NETWORKS = {
    "linear": (linear_template, IMAGES, None, {}),
    "linear_of_vectors": (linear_template, VECTORS, 2, {}),
    "linear_padded": (linear_template, IMAGES, 2, dict(edge_padding=True)),
    "coupling": (coupling_template, IMAGES, None, {}),
    "coupling_of_vectors": (coupling_template, VECTORS, None, {}),
    "coupling_conditioned": (coupling_template, IMAGES, 2, {}),
    "coupling_of_vectors_conditioned": (coupling_template, VECTORS, 2, {}),
    "coupling_unbounded": (
        coupling_template,
        IMAGES,
        None,
        dict(num_filters=5, input_bound=None, output_bound=None),
    ),
    "prior": (prior_template, IMAGES, None, dict(input_bound=7.0)),
    "prior_conditioned": (prior_template, IMAGES, 2, dict(edge_padding=True)),
    "layer": (residual_template, IMAGES, None, dict(edge_padding=False)),
    "layer_conditioned": (residual_template, IMAGES, 2, dict(input_bound=None)),
    "layer_of_vectors": (dense_template, VECTORS, None, dict(output_bound=2.0)),
}
CONDITIONED = [name for name in NETWORKS if NETWORKS[name][2]]


def make_template(name, dtype="float64"):
    template, _, _, options = NETWORKS[name]
    return template(dtype, **options)


def make_sized(template, name, **kwargs):
    """An unbuilt network of the size of a registered one."""
    _, shape, conditioning_size, _ = NETWORKS[name]
    sizes = dict(
        num_filters=4,
        num_outputs=3,
        conditioning_size=conditioning_size,
        seed=1,
        name="network",
    )
    return template.sized(shape[1:-1], **sizes | kwargs)


def make(name, dtype="float64", shape=None, perturbed=True):
    """A built network, a batch of inputs, and their conditioning."""
    network = make_sized(make_template(name, dtype), name)
    shape = shape or NETWORKS[name][1]
    network.build((None, *shape[1:]))
    if perturbed:
        perturb_weights(network)
    x = helpers.normal(shape, dtype=network.variable_dtype)
    return network, x, conditioning_of(network, shape[0])


def conditioning_of(network, num_events, seed=1):
    if network.conditioning_size is None:
        return None
    shape = [num_events, network.conditioning_size]
    return helpers.normal(shape, seed, network.variable_dtype)


def perturb_weights(layer, stddev=0.3, seed=0):
    generator = np.random.default_rng(seed)
    for weight in layer.trainable_weights:
        weight.assign_add(stddev * generator.standard_normal(weight.shape))
    return layer


@pytest.mark.parametrize("name", NETWORKS)
def test_a_template_makes_networks_and_cannot_be_built(name):
    template = make_template(name)
    network = make_sized(template, name)
    assert type(network) is type(template)
    assert isinstance(network, networks.StackedLayer)
    assert network.num_outputs == 3
    assert not network.weights
    shape = NETWORKS[name][1]
    with pytest.raises(ValueError, match="Received: num_outputs=None"):
        template.build((None, *shape[1:]))
    with pytest.raises(ValueError, match="Expected `num_outputs`"):
        template.stacked_variables(shape[-1], num_steps=2)


@pytest.mark.parametrize("name", NETWORKS)
def test_stacked_weights_are_those_of_as_many_networks(name):
    network, x, c = make(name)
    own = network.own_weights()
    stacked = network.stacked_variables(x.shape[-1], num_steps=2)
    assert all(isinstance(v, tf.Variable) for v in tf.nest.flatten(stacked))
    generator = np.random.default_rng(0)

    def randomize(variable, weight):
        assert variable.shape == (2, *weight.shape)
        assert variable.dtype.name == weight.dtype
        assert variable.name.endswith(f"{weight.name}:0")
        variable.assign_add(0.3 * generator.standard_normal(variable.shape))

    tf.nest.map_structure(randomize, stacked, own)
    prepared = network.prepare(stacked)
    for k in range(2):
        tf.nest.map_structure(
            lambda weight, v, k=k: weight.assign(v[k]), own, stacked
        )
        step = tf.nest.map_structure(lambda w, k=k: w[k], prepared)
        y = network.apply(step, x, c)
        assert np.any(y)
        np.testing.assert_allclose(y, network(x, c), atol=1e-12)


@pytest.mark.parametrize(
    "name, expected",
    [
        (
            "coupling_conditioned",
            ["hidden_0/conditioning_kernel", "hidden_1/shift", "last/kernel"],
        ),
        ("prior_conditioned", ["network/kernel", "network/edge_kernel"]),
        ("layer_of_vectors", ["layer/0_kernel", "layer/1_bias", "last/shift"]),
    ],
)
def test_names_of_weights_which_files_hold(name, expected):
    network = make_sized(make_template(name), name)
    stacked = network.stacked_variables(2, num_steps=1)
    assert not network.weights  # A flow trains the stacked weights only.
    names = {v.name for v in tf.nest.flatten(stacked)}
    assert names >= {f"{name}:0" for name in expected}


@pytest.mark.parametrize("name", NETWORKS)
def test_config_makes_the_network_again(name):
    network, x, c = make(name, dtype="float32")
    config = keras.layers.serialize(network)
    again = keras.layers.deserialize(config)
    assert type(again) is type(network)
    assert keras.layers.serialize(again) == config
    again.set_weights(network.get_weights())
    y = network(x, c)
    np.testing.assert_array_equal(again(x, c), y)
    assert np.any(y)
    assert y.shape == network.compute_output_shape(tuple(x.shape))
    assert y.dtype == tf.float32


@pytest.mark.parametrize("name", NETWORKS)
def test_config_keeps_the_options_of_a_template(name):
    template = make_template(name, dtype="mixed_bfloat16")
    again = keras.layers.deserialize(keras.layers.serialize(template))
    assert again.num_outputs is None
    one, other = (make_sized(t, name) for t in (template, again))
    assert keras.layers.serialize(one) == keras.layers.serialize(other)
    assert one.compute_dtype == "bfloat16"
    for option, value in NETWORKS[name][3].items():
        assert getattr(one, option) == value


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_and_conditioning_receive_gradients(name):
    network, x, c = make(name)
    sources = [w.value for w in network.trainable_weights]
    sources += [] if c is None else [c]
    assert len(sources) > 1
    with tf.GradientTape() as tape:
        if c is not None:
            tape.watch(c)
        loss = tf.reduce_sum(network(x, c) ** 2)
    for gradient in tape.gradient(loss, sources):
        assert gradient is not None
        assert np.any(gradient)


@pytest.mark.parametrize("name", CONDITIONED)
def test_conditioning_of_pixels_and_of_images(name):
    network, x, c = make(name)
    y = network(x, c)
    assert np.any(y != network(x, conditioning_of(network, len(c), seed=2)))
    if len(x.shape) == 4:
        # The same vector at every pixel.
        pixels = tf.broadcast_to(
            c[:, tf.newaxis, tf.newaxis], [*x.shape[:-1], c.shape[-1]]
        )
        np.testing.assert_allclose(network(x, pixels), y, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_conditioning_must_be_what_the_network_was_made_for(name):
    network, x, c = make(name)
    with pytest.raises(
        ValueError,
        match="Expected no conditioning"
        if c is None
        else "Expected conditioning of 2 channels. Received: None",
    ):
        network(x, x if c is None else None)


@pytest.mark.parametrize(
    "name", [name for name in NETWORKS if not name.startswith("linear")]
)
def test_output_is_zero_at_first_with_any_conditioning(name):
    network, x, c = make(name, perturbed=False)
    network.initialize(x)
    np.testing.assert_array_equal(network(x, c), tf.zeros([*x.shape[:-1], 3]))


@pytest.mark.parametrize("name", NETWORKS)
def test_mixed_policy_keeps_weights_and_folds_in_float32(name):
    network, x, c = make(name, dtype="mixed_bfloat16")
    exact, _, _ = make(name, dtype="float32")
    exact.set_weights(network.get_weights())
    assert {w.dtype for w in network.weights} == {"float32"}
    x = tf.cast(x, tf.float64)
    y = network(x, c)
    assert y.dtype == tf.bfloat16
    np.testing.assert_array_equal(
        y, network.apply(network.prepare(network.own_weights()), x, c)
    )
    np.testing.assert_allclose(
        tf.cast(y, tf.float64), exact(x, c), rtol=0.05, atol=0.15
    )
    stacked = network.stacked_variables(x.shape[-1], num_steps=1)
    assert {v.dtype for v in tf.nest.flatten(stacked)} == {tf.float32}
    # A flow in float64 may hold the weights of float32 networks in float64.
    double = tf.nest.map_structure(lambda v: tf.cast(v, tf.float64), stacked)
    for prepared in (network.prepare(stacked), network.prepare(double)):
        assert {w.dtype for w in tf.nest.flatten(prepared)} == {tf.bfloat16}


@pytest.mark.parametrize("name", NETWORKS)
def test_apply_goes_one_call_deep(name):
    """So that the stack between a flow and its arithmetic stays short."""
    network, x, c = make(name)
    prepared = network.prepare(network.own_weights())
    folder = str(pathlib.Path(networks.__file__).parent)
    depth, deepest = 0, 0

    def count(frame, event, _):
        nonlocal depth, deepest
        if frame.f_code.co_filename.startswith(folder):
            depth += {"call": 1, "return": -1}.get(event, 0)
            deepest = max(deepest, depth)

    sys.setprofile(count)
    try:
        network.apply(prepared, x, c)
    finally:
        sys.setprofile(None)
    assert deepest == 2


@pytest.mark.parametrize("edge_padding", [False, True])
def test_linear_layer_is_a_convolution_with_scaled_outputs(edge_padding):
    layer = linear_template("float64", num_outputs=4, edge_padding=edge_padding)
    x = helpers.normal(IMAGES)
    layer.build(IMAGES)
    perturb_weights(layer)
    # The edge is a channel: 1 around the image and 0 inside.
    images = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    kernel = tf.convert_to_tensor(layer.kernel)
    if edge_padding:
        edge = tf.pad(
            tf.zeros([*IMAGES[:-1], 1], tf.float64),
            [[0, 0], [1, 1], [1, 1], [0, 0]],
            constant_values=1,
        )
        images = tf.concat([images, edge], axis=-1)
        edge_kernel = tf.convert_to_tensor(layer.edge_kernel)
        kernel = tf.concat([kernel, edge_kernel], axis=2)
    y = tf.nn.conv2d(images, kernel, strides=1, padding="VALID")
    scale = np.exp(3.0 * layer.log_scale.numpy())
    np.testing.assert_allclose(
        layer(x), scale * (y + layer.shift.numpy()), atol=1e-12
    )


def test_linear_layer_of_vectors_is_a_product_with_scaled_outputs():
    layer, x, c = make("linear_of_vectors")
    scale = np.exp(3.0 * layer.log_scale.numpy())
    y = scale * (x.numpy() @ layer.kernel.numpy() + layer.shift.numpy())
    y += c.numpy() @ layer.conditioning_kernel.numpy()
    np.testing.assert_allclose(layer(x, c), y, atol=1e-12)


def test_edge_padding_lets_a_network_tell_the_edge_from_the_inside():
    for edge_padding in (False, True):
        layer = linear_template(
            "float64", num_outputs=4, edge_padding=edge_padding
        )
        layer.build([None, 5, 5, 2])
        y = perturb_weights(layer)(tf.zeros([1, 5, 5, 2], tf.float64))
        differs = np.max(np.abs(y[0, 0, 0] - y[0, 2, 2])) > 1e-3
        assert differs == edge_padding


def test_edge_padding_does_not_widen_the_convolutions():
    """With 513 input channels, a GPU would not use its tensor cores."""
    network = networks.CouplingNetwork(12, num_filters=16)
    network.build([None, 4, 4, 6])
    assert [
        folded["kernel"].shape[-2:]
        for folded in network.prepare(network.own_weights())
    ] == [[6, 16], [16, 16], [16, 12]]


def test_edge_padding_of_a_kernel_without_neighbors_adds_nothing():
    for kernel_size in (1, None):
        layer = networks.ScaledLinear(3, kernel_size, edge_padding=True)
        assert not layer.edge_padding


@pytest.mark.parametrize(
    "name", ["linear", "linear_padded", "linear_of_vectors"]
)
def test_initialize_normalizes_the_outputs_of_a_layer(name):
    layer, x, c = make(name, shape=(50, *NETWORKS[name][1][1:]))
    layer.initialize(3.0 + 5.0 * x)
    y = layer.apply(
        layer.prepare(layer.own_weights()),
        3.0 + 5.0 * x,
        None if c is None else tf.zeros_like(c),
    )
    y = np.reshape(y, [-1, 3])
    np.testing.assert_allclose(np.mean(y, axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(np.var(y, axis=0), 1.0, atol=1e-3)


def test_initialize_leaves_a_layer_of_constant_outputs_finite():
    layer = linear_template("float64", kernel_size=None, num_outputs=3)
    layer.build(VECTORS)
    layer.initialize(tf.ones([10, 2], tf.float64))
    assert np.all(np.isfinite(layer(helpers.normal(VECTORS))))


def hidden_outputs(network, x, c=None):
    """The output of each hidden layer, before its nonlinearity."""
    x = linear.bound(x, network.input_bound)
    first, second = network.hidden
    hidden = first(x, c)
    return [hidden, second(tf.nn.relu(hidden))]


@pytest.mark.parametrize(
    "name, shape",
    [("coupling", [40, 4, 4, 2]), ("coupling_of_vectors", [200, 2])],
)
def test_initialize_normalizes_every_hidden_layer(name, shape):
    network, x, _ = make(name, shape=shape, perturbed=False)
    x = 1.0 + 3.0 * x
    network.initialize(x)
    for y in hidden_outputs(network, x):
        y = np.reshape(y, [-1, 4])
        np.testing.assert_allclose(np.mean(y, axis=0), 0.0, atol=1e-4)
        np.testing.assert_allclose(np.var(y, axis=0), 1.0, atol=2e-2)


@pytest.mark.parametrize(
    "name", ["coupling_conditioned", "coupling_of_vectors"]
)
def test_coupling_network_is_the_formula(name):
    network, x, c = make(name)
    y = network.last(tf.nn.relu(hidden_outputs(network, x, c)[-1]))
    np.testing.assert_allclose(
        network(x, c), 5.0 * np.tanh(y / 5.0), atol=1e-12
    )


def test_features_of_inputs_of_variance_1_have_about_that_variance():
    network = networks.FeatureNetwork(64, seed=0, dtype="float64")
    features = network(helpers.normal([4, 8, 8, 3]))
    assert features.shape == [4, 8, 8, 64]
    inside = features[:, 2:-2, 2:-2]  # Zeros pad the image.
    np.testing.assert_allclose(np.mean(inside**2), 1.0, atol=0.2)


def test_config_makes_the_feature_network_again():
    network = networks.FeatureNetwork(5, seed=1)
    x = helpers.normal(IMAGES, dtype=tf.float32)
    again = keras.layers.deserialize(keras.layers.serialize(network))
    np.testing.assert_array_equal(again(x), network(x))
    assert again(x).shape == network.compute_output_shape(IMAGES)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(network(x) ** 2)
    values = [w.value for w in network.trainable_weights]
    assert len(values) == 8
    assert all(np.any(g) for g in tape.gradient(loss, values))


@pytest.mark.parametrize(
    "template", [coupling_template, prior_template, dense_template]
)
def test_bounds_limit_the_input_and_the_output(template):
    network = template("float64", input_bound=2.0, output_bound=3.0)
    network = network.sized((), 4, num_outputs=3)
    network.build((None, 2))
    perturb_weights(network, stddev=3.0)
    far, further = (network(tf.constant([[s, -s]])) for s in (1e3, 1e6))
    np.testing.assert_allclose(far, further, atol=1e-6)
    assert 0.5 < np.max(np.abs(further)) <= 3.0


def test_without_bounds_a_network_grows_with_its_input():
    network, x, _ = make("coupling_unbounded")
    assert np.max(np.abs(network(1e6 * x))) > 1e3


def test_bound_is_nearly_the_identity_well_inside_its_limit():
    x = tf.constant([-0.1, 0.0, 0.1], tf.float64)
    np.testing.assert_allclose(linear.bound(x, 4.0), x, rtol=1e-3)
    np.testing.assert_allclose(linear.bound(1e9 * x, 4.0), [-4, 0, 4])
    assert linear.bound(x, None) is x


@pytest.mark.parametrize("name", ["coupling_conditioned", "layer"])
def test_seed_determines_the_weights(name):
    def weights(seed):
        network = make_sized(make_template(name), name, seed=seed)
        stacked = tf.nest.flatten(network.stacked_variables(2, num_steps=2))
        return [v.numpy() for v in stacked if np.any(v)]

    one, same, other = weights(0), weights(0), weights(1)
    for a, b, c in zip(one, same, other):
        np.testing.assert_array_equal(a, b)
        assert np.all(a != c)
        assert np.all(a[0] != a[1])  # Nor do two steps start alike.


def test_hidden_layers_of_one_network_differ():
    network = networks.CouplingNetwork(
        3, num_filters=4, kernel_size=None, seed=0
    )
    network.build((None, 4))
    first, second = (layer.kernel.numpy() for layer in network.hidden)
    assert np.max(np.abs(first - second)) > 1e-3


def test_width_is_512_unless_it_is_given():
    network = networks.CouplingNetwork(3, kernel_size=None)
    network.build((None, 2))
    assert network.hidden[1].kernel.shape == (512, 512)


@pytest.mark.parametrize(
    "template", [coupling_template, prior_template, dense_template]
)
@pytest.mark.parametrize("argument", ["input_bound", "output_bound"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_a_bound_that_is_not_positive_raises(template, argument, value):
    with pytest.raises(
        ValueError, match=f"`{argument}`. Expected a positive number or None"
    ):
        template("float32", **{argument: value})


@pytest.mark.parametrize(
    "argument", ["num_outputs", "num_filters", "conditioning_size"]
)
def test_a_size_that_is_not_a_positive_integer_raises(argument):
    with pytest.raises(
        ValueError, match=f"`{argument}`. Expected a positive integer"
    ):
        networks.CouplingNetwork(**{argument: 0})


def network_of(layer):
    return networks.LayerNetwork(layer, 2, IMAGES[1:3])


@pytest.mark.parametrize(
    "layer", [keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
)
def test_a_layer_with_state_raises(layer):
    with pytest.raises(ValueError, match="without state"):
        network_of(layer).build((None, *IMAGES[1:]))


def test_a_layer_that_changes_the_size_raises():
    with pytest.raises(ValueError, match=r"Expected outputs of shape"):
        network_of(keras.layers.MaxPooling2D()).build((None, *IMAGES[1:]))


def test_a_function_is_not_a_layer():
    with pytest.raises(TypeError, match="Received: function"):
        network_of(lambda x: x)


def test_a_layer_need_not_be_registered():
    class Doubled(keras.layers.Dense):
        def call(self, x):
            return 2.0 * super().call(x)

    network = networks.make_network(
        Doubled(4), num_outputs=3, num_filters=9, spatial_shape=()
    )
    assert type(network.layer).__name__ == "Doubled"
    assert network.stacked_variables(2, 1)["layer"][0].shape == (1, 2, 4)


def test_a_network_of_a_layer_leaves_the_state_of_random_alone():
    layer = keras.layers.Dense(3)
    random.seed(3)
    expected = random.random()
    random.seed(3)
    networks.LayerNetwork(layer, 2, seed=0).stacked_variables(2, num_steps=2)
    assert random.random() == expected


def make_pair(network, **kwargs):
    """The networks of couplings and priors that a choice makes."""
    kwargs = dict(num_outputs=3, spatial_shape=(4, 4)) | kwargs
    return (
        networks.make_network(network, num_filters=4, seed=0, **kwargs),
        networks.make_prior_network(network, **kwargs),
    )


@pytest.mark.parametrize("spatial_shape", [(4, 4), ()])
def test_paper_makes_the_networks_of_the_paper(spatial_shape):
    coupling, prior = make_pair(
        "paper",
        spatial_shape=spatial_shape,
        conditioning_size=2,
        dtype="float64",
    )
    kernel_size = 3 if spatial_shape else None
    assert type(coupling) is networks.CouplingNetwork
    assert coupling.get_config() == {
        **networks.CouplingNetwork(
            3, 4, kernel_size, seed=0, conditioning_size=2, dtype="float64"
        ).get_config(),
        "name": "network",
    }
    assert type(prior) is networks.PriorNetwork
    assert prior.get_config() == {
        **networks.PriorNetwork(
            3,
            kernel_size,
            edge_padding=True,
            conditioning_size=2,
            dtype="float64",
        ).get_config(),
        "name": "network",
    }


@pytest.mark.parametrize(
    "template",
    [
        networks.CouplingNetwork(
            num_filters=7,
            kernel_size=5,
            edge_padding=False,
            input_bound=None,
            output_bound=2.0,
            dtype="mixed_bfloat16",
        ),
        networks.LayerNetwork(
            keras.layers.Dense(3, dtype="mixed_bfloat16"),
            edge_padding=False,
            input_bound=None,
            output_bound=2.0,
        ),
    ],
)
def test_networks_take_the_options_of_a_template(template):
    for network in make_pair(template, dtype="float64"):
        assert network.dtype_policy.name == "mixed_bfloat16"
        assert not network.edge_padding
        assert (network.input_bound, network.output_bound) == (None, 2.0)
        assert network.num_outputs == 3
    coupling, _ = make_pair(template)
    for option in ("num_filters", "kernel_size"):
        wanted = getattr(template, option, None)
        assert getattr(coupling, option, None) == wanted


def test_a_keras_layer_brings_its_dtype():
    for network in make_pair(keras.layers.Dense(3, dtype="float64")):
        assert network.dtype_policy.name == "float64"
        assert network.input_bound == networks.INPUT_BOUND


@pytest.mark.parametrize("network", ["papr", "gated", tf.sin, None])
def test_a_choice_that_is_not_a_network_raises(network):
    for function in (networks.check_network, make_pair):
        with pytest.raises(ValueError, match="Expected 'paper', a Keras layer"):
            function(network)
