# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.networks`."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import helpers
from tfp_glow import networks

IMAGES, VECTORS = [6, 4, 4, 2], [6, 2]


def perturb_weights(layer, stddev=0.3, seed=0):
    generator = np.random.default_rng(seed)
    for weight in layer.trainable_weights:
        weight.assign_add(stddev * generator.standard_normal(weight.shape))
    return layer


def coupling_network(shape, **kwargs):
    """A network for inputs of a shape, and perturbed weights."""
    kwargs = dict(num_outputs=3, num_filters=5, dtype="float64") | kwargs
    kernel_size = 3 if len(shape) == 4 else None
    network = networks.CouplingNetwork(kernel_size=kernel_size, **kwargs)
    network.build((None, *shape[1:]))
    return network


def scaled_linear(shape, **kwargs):
    layer = networks.ScaledLinear(
        4, kernel_initializer="random_normal", dtype="float64", **kwargs
    )
    layer.build((None, *shape[1:]))
    return layer


def constructors():
    """Every layer, by name, with the shape of its input."""
    return {
        "scaled_linear": (networks.ScaledLinear(3, kernel_size=3), IMAGES),
        "scaled_linear_of_vectors": (networks.ScaledLinear(3), VECTORS),
        "scaled_linear_padded": (
            networks.ScaledLinear(
                3, 3, kernel_initializer="orthogonal", edge_padding=True
            ),
            IMAGES,
        ),
        "coupling_network": (
            networks.CouplingNetwork(3, num_filters=4, seed=1),
            IMAGES,
        ),
        "coupling_network_of_vectors": (
            networks.CouplingNetwork(
                3,
                num_filters=4,
                kernel_size=None,
                edge_padding=False,
                input_bound=None,
                output_bound=2.0,
            ),
            VECTORS,
        ),
        "feature_network": (
            networks.FeatureNetwork(5, seed=1),
            IMAGES,
        ),
        "prior_network": (
            networks.PriorNetwork(3, kernel_size=3, input_bound=7.0),
            IMAGES,
        ),
        "conditioning_linear": (networks.ConditioningLinear(3), VECTORS),
        "gated_residual": (networks.GatedResidual(4, num_blocks=1), IMAGES),
        "gated_residual_of_vectors": (
            networks.GatedResidual(4, kernel_size=None),
            VECTORS,
        ),
        "gated_residual_with_attention": (
            networks.GatedResidual(4, num_blocks=1, num_heads=2),
            IMAGES,
        ),
        "layer_network": (
            networks.LayerNetwork(3, keras.layers.Dense(5), IMAGES[1:3]),
            IMAGES,
        ),
        "layer_network_of_vectors": (
            networks.LayerNetwork(
                3,
                keras.Sequential([keras.layers.Dense(5, "relu")]),
                (),
                output_bound=None,
            ),
            VECTORS,
        ),
    }


@pytest.mark.parametrize("name", constructors())
def test_config_makes_the_layer_again(name):
    layer, shape = constructors()[name]
    x = helpers.normal(shape, dtype=tf.float32)
    layer.build(x.shape)
    perturb_weights(layer)
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x), layer(x))
    assert np.any(layer(x))


@pytest.mark.parametrize("name", constructors())
def test_declared_output_shape_is_that_of_the_output(name):
    layer, shape = constructors()[name]
    y = layer(tf.zeros(shape))
    assert y.shape == layer.compute_output_shape(tuple(shape))
    assert y.dtype == tf.float32


@pytest.mark.parametrize("name", constructors())
def test_every_weight_receives_a_gradient(name):
    layer, shape = constructors()[name]
    layer.build(shape)
    perturb_weights(layer)
    with tf.GradientTape() as tape:
        y = layer(helpers.normal(shape, dtype=tf.float32))
        loss = tf.reduce_sum(y**2)
    values = [w.value for w in layer.trainable_weights]
    assert values
    for weight, gradient in zip(values, tape.gradient(loss, values)):
        assert gradient is not None, weight.name
        assert np.any(gradient), weight.name


@pytest.mark.parametrize("edge_padding", [False, True])
def test_linear_layer_is_a_convolution_with_scaled_outputs(edge_padding):
    layer = scaled_linear(IMAGES, kernel_size=3, edge_padding=edge_padding)
    perturb_weights(layer)
    x = helpers.normal(IMAGES)
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
    linear = tf.nn.conv2d(images, kernel, strides=1, padding="VALID")
    scale = np.exp(3.0 * layer.log_scale.numpy())
    np.testing.assert_allclose(
        layer(x), scale * (linear + layer.shift.numpy()), atol=1e-12
    )


def test_linear_layer_of_vectors_is_a_product_with_scaled_outputs():
    layer = perturb_weights(scaled_linear(VECTORS))
    x = helpers.normal(VECTORS)
    scale = np.exp(3.0 * layer.log_scale.numpy())
    np.testing.assert_allclose(
        layer(x),
        scale * (x.numpy() @ layer.kernel.numpy() + layer.shift.numpy()),
        atol=1e-12,
    )


def test_edge_padding_lets_a_network_tell_the_edge_from_the_inside():
    x = tf.zeros([1, 5, 5, 2], tf.float64)
    for edge_padding in (False, True):
        layer = scaled_linear(
            [1, 5, 5, 2], kernel_size=3, edge_padding=edge_padding
        )
        y = perturb_weights(layer)(x)
        differs = np.max(np.abs(y[0, 0, 0] - y[0, 2, 2])) > 1e-3
        assert differs == edge_padding


def test_edge_padding_leaves_the_images_channels_as_they_are():
    """One channel more, and a GPU's tensor cores stand still."""
    network = networks.CouplingNetwork(12, num_filters=16)
    network.build([None, 4, 4, 6])
    folded = network.fold(network.tensors())
    assert [kernel.shape[-2:] for kernel, *_ in folded] == [
        [6, 16],
        [16, 16],
        [16, 12],
    ]


def test_edge_padding_of_a_kernel_without_neighbours_adds_nothing():
    for kernel_size in (1, None):
        layer = networks.ScaledLinear(
            3, kernel_size=kernel_size, edge_padding=True
        )
        assert not layer.edge_padding


@pytest.mark.parametrize(
    "shape, kwargs",
    [
        (IMAGES, dict(kernel_size=3)),
        (IMAGES, dict(kernel_size=3, edge_padding=True)),
        (VECTORS, dict()),
    ],
)
def test_initialize_normalises_the_outputs_of_a_layer(shape, kwargs):
    layer = perturb_weights(scaled_linear([50, *shape[1:]], **kwargs))
    x = 3.0 + 5.0 * helpers.normal([50, *shape[1:]])
    layer.initialize(x)
    y = np.reshape(layer(x), [-1, 4])
    np.testing.assert_allclose(np.mean(y, axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(np.var(y, axis=0), 1.0, atol=1e-3)


def test_initialize_leaves_a_layer_of_constant_outputs_finite():
    layer = scaled_linear(VECTORS)
    layer.initialize(tf.ones([10, 2], tf.float64))
    assert np.all(np.isfinite(layer(helpers.normal(VECTORS))))


def hidden_outputs(network, x):
    """What each hidden layer gives, before its nonlinearity."""
    outputs = []
    x = networks.bounds.bound(x, network.input_bound)
    for layer in network.hidden:
        outputs.append(layer(x))
        x = tf.nn.relu(outputs[-1])
    return outputs


@pytest.mark.parametrize("shape", [[40, 4, 4, 2], [200, 2]])
def test_initialize_normalises_every_hidden_layer(shape):
    network = coupling_network(shape)
    x = 1.0 + 3.0 * helpers.normal(shape)
    network.initialize(x)
    for y in hidden_outputs(network, x):
        y = np.reshape(y, [-1, 5])
        np.testing.assert_allclose(np.mean(y, axis=0), 0.0, atol=1e-4)
        np.testing.assert_allclose(np.var(y, axis=0), 1.0, atol=2e-2)
    np.testing.assert_array_equal(network(x), tf.zeros([*shape[:-1], 3]))


@pytest.mark.parametrize("shape", [IMAGES, VECTORS])
def test_coupling_network_is_the_formula(shape):
    network = perturb_weights(coupling_network(shape))
    x = helpers.normal(shape)
    hidden = tf.nn.relu(hidden_outputs(network, x)[-1])
    y = network.last(hidden)
    np.testing.assert_allclose(network(x), 5.0 * np.tanh(y / 5.0), atol=1e-12)


@pytest.mark.parametrize("shape", [IMAGES, VECTORS])
def test_networks_start_at_zero(shape):
    x = helpers.normal(shape)
    network = coupling_network(shape)
    assert not np.any(network(x))
    assert all(np.any(y) for y in hidden_outputs(network, x))
    prior = networks.PriorNetwork(
        4, kernel_size=3 if len(shape) == 4 else None, dtype="float64"
    )
    assert not np.any(prior(x))


def test_features_of_inputs_of_variance_1_have_about_that_variance():
    network = networks.FeatureNetwork(64, seed=0, dtype="float64")
    features = network(helpers.normal([4, 8, 8, 3]))
    assert features.shape == [4, 8, 8, 64]
    inside = features[:, 2:-2, 2:-2]  # Zeros pad the image.
    np.testing.assert_allclose(np.mean(inside**2), 1.0, atol=0.2)


def test_bounds_limit_what_a_network_sees_and_says():
    for network in (
        networks.CouplingNetwork(
            3, kernel_size=None, input_bound=2.0, output_bound=3.0
        ),
        networks.PriorNetwork(3, input_bound=2.0, output_bound=3.0),
    ):
        network.build((None, 2))
        perturb_weights(network, stddev=3.0)
        far, further = (network(tf.constant([[s, -s]])) for s in (1e3, 1e6))
        np.testing.assert_allclose(far, further, atol=1e-6)
        assert np.max(np.abs(further)) <= 3.0


def test_without_bounds_a_network_grows_with_its_input():
    network = coupling_network(VECTORS, input_bound=None, output_bound=None)
    perturb_weights(network)
    y = network(1e6 * helpers.normal(VECTORS))
    assert np.max(np.abs(y)) > 1e3


def test_bound_is_nearly_the_identity_well_inside_its_limit():
    x = tf.constant([-0.1, 0.0, 0.1], tf.float64)
    np.testing.assert_allclose(networks.bounds.bound(x, 4.0), x, rtol=1e-3)
    np.testing.assert_allclose(networks.bounds.bound(1e9 * x, 4.0), [-4, 0, 4])
    assert networks.bounds.bound(x, None) is x


def test_seed_decides_the_weights():
    one, same, other = (
        coupling_network(IMAGES, seed=seed).get_weights() for seed in (0, 0, 1)
    )
    for a, b in zip(one, same):
        np.testing.assert_array_equal(a, b)
    assert any(np.any(a != b) for a, b in zip(one, other))


def test_hidden_layers_of_one_network_differ():
    network = networks.CouplingNetwork(
        3, num_filters=4, kernel_size=None, edge_padding=False, seed=0
    )
    network.build((None, 4))
    first, second = (layer.kernel.numpy() for layer in network.hidden)
    assert np.max(np.abs(first - second)) > 1e-3


@pytest.mark.parametrize(
    "make", [networks.CouplingNetwork, networks.PriorNetwork]
)
@pytest.mark.parametrize("argument", ["input_bound", "output_bound"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_a_bound_that_is_not_positive_raises(make, argument, value):
    with pytest.raises(
        ValueError, match=f"`{argument}`. Expected a positive number or None"
    ):
        make(2, **{argument: value})


@pytest.mark.parametrize("argument", ["num_outputs", "num_filters"])
def test_a_size_that_is_not_a_positive_integer_raises(argument):
    arguments = dict(num_outputs=2, num_filters=2) | {argument: 0}
    with pytest.raises(
        ValueError, match=f"`{argument}`. Expected a positive integer"
    ):
        networks.CouplingNetwork(**arguments)


def stateful(layer):
    return networks.LayerNetwork(2, layer, IMAGES[1:3])


@pytest.mark.parametrize(
    "layer", [keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
)
def test_a_layer_with_state_is_no_network(layer):
    with pytest.raises(ValueError, match="without state"):
        stateful(layer).build((None, *IMAGES[1:]))


def test_a_layer_that_changes_the_size_is_no_network():
    with pytest.raises(ValueError, match=r"Expected outputs of shape"):
        stateful(keras.layers.MaxPooling2D()).build((None, *IMAGES[1:]))


def test_what_is_no_layer_is_no_network():
    with pytest.raises(TypeError, match="Received: function"):
        stateful(lambda x: x)


def test_a_network_of_a_layer_is_zero_at_first_and_bounded():
    x = helpers.normal(IMAGES, dtype=tf.float32)
    network = networks.LayerNetwork(
        2, keras.layers.Conv2D(3, 1), IMAGES[1:3], output_bound=0.5
    )
    assert not np.any(network(x))
    network.last.kernel.assign(100.0 * tf.ones_like(network.last.kernel))
    assert 0.4 < np.max(np.abs(network(x))) <= 0.5


def test_stacked_steps_of_a_layer_start_differently_and_by_their_seed():
    def kernels(seed):
        network = networks.LayerNetwork(
            2, keras.layers.Dense(3), IMAGES[1:3], seed=seed
        )
        return network.stacked_variables(2, num_steps=2)["layer"][0].numpy()

    first, second = kernels(0)
    assert np.all(first != second)
    np.testing.assert_array_equal(kernels(0), [first, second])
    assert np.all(kernels(1) != kernels(0))


def test_a_network_of_a_layer_leaves_the_state_of_random_alone():
    layer = keras.layers.Dense(3)
    random.seed(3)
    expected = random.random()
    random.seed(3)
    networks.LayerNetwork(2, layer, IMAGES[1:3], seed=0).stacked_variables(
        2, num_steps=2
    )
    assert random.random() == expected


@pytest.mark.parametrize(
    "kwargs", [dict(num_heads=3), dict(num_heads=2, kernel_size=None)]
)
def test_heads_that_do_not_divide_are_an_error(kwargs):
    with pytest.raises(ValueError, match="num_heads"):
        networks.GatedResidual(4, **kwargs)
