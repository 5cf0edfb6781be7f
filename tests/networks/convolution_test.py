# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import tensorflow as tf

from tfp_glow.networks import convolution


def _gradients(x, kernel, dy, as_products):
    with (
        convolution.as_products(as_products),
        tf.GradientTape(persistent=True) as outer,
    ):
        outer.watch([x, kernel])
        with tf.GradientTape() as inner:
            inner.watch([x, kernel])
            y = convolution.CONV2D.get()(x, kernel)
        first = inner.gradient(y, [x, kernel], dy)
        norms = [tf.reduce_sum(d**3) for d in first]
    # The gradient of x depends on the kernel, and the other way round.
    second = [
        outer.gradient(norms[0], kernel),
        outer.gradient(norms[1], x),
    ]
    return [y, *first, *second]


@pytest.mark.parametrize(
    "size, channels",
    [(3, (2, 5)), (3, (5, 2)), (1, (3, 3)), (5, (1, 4)), (5, (4, 1))],
)
@pytest.mark.parametrize("shape", [(3, 4), (1, 1), (2, 2)])
def test_matrix_products_give_the_convolution_of_tensorflow(
    size, channels, shape
):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=[2, *shape, channels[0]]))
    kernel = tf.constant(rng.normal(size=[size, size, *channels]))
    dy = tf.constant(rng.normal(size=[2, *shape, channels[1]]))
    expected = _gradients(x, kernel, dy, as_products=False)
    for value, own in zip(_gradients(x, kernel, dy, True), expected):
        np.testing.assert_allclose(value, own, rtol=1e-12, atol=1e-12)


def test_products_replace_the_convolution_and_its_gradients():
    x, kernel = tf.zeros([2, 4, 4, 3]), tf.zeros([3, 3, 3, 5])

    @tf.function
    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = convolution.CONV2D.get()(x, kernel)
        return tape.gradient(y, [x, kernel])

    with convolution.as_products():
        graph = gradients.get_concrete_function(
            tf.TensorSpec([None, *x.shape[1:]])
        ).graph
    types = [operation.type for operation in graph.get_operations()]
    assert not [name for name in types if "Conv2D" in name]
    # The convolution, and the gradients of images and of the kernel.
    assert types.count("MatMul") == 3


def test_images_of_unknown_size_are_convolved_all_the_same():
    kernel = tf.ones([3, 3, 1, 1])
    function = tf.function(
        lambda x, kernel: convolution.CONV2D.get()(x, kernel),
        input_signature=[
            tf.TensorSpec([None, None, None, 1]),
            tf.TensorSpec([3, 3, 1, 1]),
        ],
    )
    with convolution.as_products():
        y = function(tf.ones([1, 2, 2, 1]), kernel)
    np.testing.assert_array_equal(y, np.full([1, 2, 2, 1], 4.0))
