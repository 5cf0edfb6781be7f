# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a network adds to its values for what it is conditioned on."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfp_glow")
class ConditioningLinear(keras.layers.Layer):
    """A linear map of the conditioning at every pixel.

    ```none
    y[n, h, w, :] = conditioning[n, :] kernel          of vectors
    y[n, h, w, :] = conditioning[n, h, w, :] kernel    of images
    ```

    | | shape |
    |---|---|
    | conditioning | `[N, D]` or `[N, H, W, D]` |
    | output | `[N, 1, 1, units]` or `[N, H, W, units]`; `[N, units]` beside vectors |

    As `ScaledLinear` it is also a function of weights kept elsewhere.

    References:
        Kingma and Dhariwal, Glow, 2018, section 6; the paper's code,
        `model.py`, adds such a map of the class to the top prior alone.
    """

    def __init__(self, units, kernel_initializer="zeros", **kwargs):
        """Makes the layer.

        Args:
            units: `int`, number of outputs.
            kernel_initializer: as in `keras.layers.Dense`.
            **kwargs: arguments of `keras.layers.Layer`.
        """
        super().__init__(autocast=False, **kwargs)
        self.units = units
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units),
            initializer=self.kernel_initializer,
            name="kernel",
        )

    def stacked_variables(self, num_inputs, num_steps):
        """Dictionary of fresh weights of `num_steps` such layers."""
        kernel = self.kernel_initializer(
            (num_steps, num_inputs, self.units), dtype=self.variable_dtype
        )
        return {"kernel": tf.Variable(kernel, name=f"{self.name}/kernel")}

    def tensors(self):
        """The layer's own weights, by name."""
        return {"kernel": tf.convert_to_tensor(self.kernel)}

    def call(self, conditioning):
        kernel = tf.cast(self.kernel, self.compute_dtype)
        return of_conditioning(kernel, conditioning, event_ndims=3)

    def compute_output_shape(self, input_shape):
        num_events, *pixels, _ = input_shape
        return (num_events, *(pixels or (1, 1)), self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
        }


def of_conditioning(kernel, conditioning, event_ndims):
    """What to add to values, given the kernel.

    Args:
        kernel: `Tensor` `[D, units]`.
        conditioning: `Tensor` `[N, D]` or `[N, H, W, D]`.
        event_ndims: 3 if it is added to images, 1 if to vectors.
    """
    y = tf.cast(conditioning, kernel.dtype) @ kernel
    if y.shape.rank == 2 and event_ndims == 3:
        return y[:, tf.newaxis, tf.newaxis, :]
    return y


def check_given(layer, conditioning_size, conditioning):
    """Raises `ValueError` if there is conditioning, or none, unexpectedly."""
    if (conditioning_size is None) == (conditioning is None):
        return
    expected = (
        "no conditioning, since it was made without `conditioning_size`"
        if conditioning_size is None
        else f"conditioning of {conditioning_size} channels"
    )
    received = None if conditioning is None else conditioning.shape
    raise ValueError(
        f"Invalid conditioning of `{layer.name}`. Expected {expected}. "
        f"Received: {received}"
    )
