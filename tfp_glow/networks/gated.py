# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""A gated residual network, with self-attention if it is asked for."""

import keras
from keras import ops

from tfp_glow import _checks


@keras.saving.register_keras_serializable(package="tfp_glow")
class GatedResidual(keras.layers.Layer):
    """Residual blocks whose updates are gated, as Flow++'s networks are made of.

    ```none
    h = conv3x3(x)
    num_blocks times:
        a, b = split(conv1x1(silu(conv3x3(silu(h)))))
        h = norm(h + a * sigmoid(b))
        with attention:  h = norm(h + attention(h + position))
    y = silu(h)
    ```

    `norm` is a layer normalisation of the channels. Attention is between all
    pixels of an image, so its memory grows with the square of their number: it
    is for small maps.

    Shapes: `[N, H, W, C]` to `[N, H, W, num_filters]`, or `[N, C]` to
    `[N, num_filters]`, where the convolutions are matrix products.

    References:
        Ho et al., Flow++, 2019, section 3.3 and appendix A.
    """

    def __init__(
        self, num_filters, num_blocks=2, num_heads=0, kernel_size=3, **kwargs
    ):
        """Makes the layer.

        Args:
            num_filters: `int`, width.
            num_blocks: positive `int`.
            num_heads: `int`, attention heads, which divide `num_filters`; 0 is
                without attention.
            kernel_size: odd `int`, or `None` for vectors.
            **kwargs: arguments of `keras.layers.Layer`.

        Raises:
            ValueError: if an argument is not as described.
        """
        super().__init__(**kwargs)
        _checks.positive_integer(num_filters=num_filters, num_blocks=num_blocks)
        if num_heads and (kernel_size is None or num_filters % num_heads):
            raise ValueError(
                "Invalid value received for argument `num_heads`. Expected 0, "
                "or a divisor of `num_filters` for a network of images. "
                f"Received: num_heads={num_heads}, num_filters={num_filters}, "
                f"kernel_size={kernel_size}"
            )
        self.num_filters = num_filters
        self.num_blocks = num_blocks
        self.num_heads = num_heads
        self.kernel_size = kernel_size
        self.first = self._linear(num_filters, kernel_size, "first")
        self.blocks = [
            {
                "hidden": self._linear(num_filters, kernel_size, f"hidden_{i}"),
                "gated": self._linear(
                    2 * num_filters, kernel_size and 1, f"gated_{i}"
                ),
                "norm": self._norm(f"norm_{i}"),
            }
            for i in range(num_blocks)
        ]
        self.attentions = [
            {
                "attention": keras.layers.MultiHeadAttention(
                    num_heads,
                    num_filters // num_heads,
                    dtype=self.dtype_policy,
                    name=f"attention_{i}",
                ),
                "norm": self._norm(f"attention_norm_{i}"),
            }
            for i in range(num_blocks if num_heads else 0)
        ]

    def _linear(self, units, kernel_size, name):
        if kernel_size is None:
            return keras.layers.Dense(units, dtype=self.dtype_policy, name=name)
        return keras.layers.Conv2D(
            units,
            kernel_size,
            padding="same",
            dtype=self.dtype_policy,
            name=name,
        )

    def _norm(self, name):
        return keras.layers.LayerNormalization(
            dtype=self.dtype_policy, name=name
        )

    def build(self, input_shape):
        self.first.build(input_shape)
        shape = (*input_shape[:-1], self.num_filters)
        for block in self.blocks:
            for layer in block.values():
                layer.build(shape)
        if not self.num_heads:
            return
        num_pixels = input_shape[1] * input_shape[2]
        self.position = self.add_weight(
            shape=(num_pixels, self.num_filters),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
            name="position",
        )
        pixels = (input_shape[0], num_pixels, self.num_filters)
        for block in self.attentions:
            block["attention"].build(pixels, pixels)
            block["norm"].build(pixels)

    def call(self, x):
        h = self.first(x)
        for i, block in enumerate(self.blocks):
            update = ops.silu(block["hidden"](ops.silu(h)))
            a, b = ops.split(block["gated"](update), 2, axis=-1)
            h = block["norm"](h + a * ops.sigmoid(b))
            if self.num_heads:
                h = self._attend(h, **self.attentions[i])
        return ops.silu(h)

    def _attend(self, h, attention, norm):
        pixels = ops.reshape(h, (-1, *self.position.shape))
        placed = pixels + self.position
        pixels = norm(pixels + attention(placed, placed))
        return ops.reshape(pixels, (-1, *h.shape[1:]))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.num_filters)

    def get_config(self):
        return {
            **super().get_config(),
            "num_filters": self.num_filters,
            "num_blocks": self.num_blocks,
            "num_heads": self.num_heads,
            "kernel_size": self.kernel_size,
        }
