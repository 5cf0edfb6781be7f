# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The training recipe: an optimizer with warm-up, decay, clipping, averaging."""

import math

import keras
import tensorflow as tf

from tfp_glow import _checks


class EarlyAverage:
    """A mixin of Keras optimizers: an average of weights that starts at once.

    Keras' average follows the weights only after about `1 / (1 - momentum)`
    steps. This one, see `make_optimizer`, is never far behind. A gradient that
    is not finite raises an error before it reaches the weights. Weight decay is
    for kernels only, and reads the learning rate's schedule once.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.weight_decay is not None:
            self.exclude_from_weight_decay(var_names=[r"^(?!.*kernel)"])

    def _clip_gradients(self, grads):
        norm = tf.linalg.global_norm(grads)
        # `nan_report` reads this message.
        norm = tf.debugging.check_numerics(
            norm, "optimizer: gradient not finite before the weights change"
        )
        if self.global_clipnorm:
            grads, _ = tf.clip_by_global_norm(
                grads, self.global_clipnorm, use_norm=norm
            )
            return grads
        with tf.control_dependencies([norm]):
            grads = tf.nest.map_structure(
                tf.identity, grads, expand_composites=True
            )
        return super()._clip_gradients(grads)

    def _apply_weight_decay(self, variables):
        """Does nothing, because `update_step` has the learning rate already."""

    def update_step(self, gradient, variable, learning_rate):
        self._decay(gradient, variable, learning_rate)
        super().update_step(gradient, variable, learning_rate)

    def _decay(self, gradient, variable, learning_rate):
        if self.weight_decay is None or not self._use_weight_decay(variable):
            return
        # After the check of the gradients.
        with tf.control_dependencies([gradient]):
            decay = tf.cast(learning_rate * self.weight_decay, variable.dtype)
            variable.assign_sub(decay * variable)

    def _update_model_variables_moving_average(self, trainable_variables):
        step = tf.cast(self.iterations, tf.float32)
        momentum = tf.minimum(self.ema_momentum, step / (step + 9.0))
        for variable, average in zip(
            trainable_variables, self._model_variables_moving_average
        ):
            # Constant weights have exactly themselves as their average.
            weights = tf.convert_to_tensor(variable)
            change = tf.cast(momentum, weights.dtype) * (average - weights)
            average.assign(weights + change)

    def finalize_variable_values(self, var_list):
        """Replaces variables by their averages, as Keras' `fit` does last."""
        if self.iterations > 0:  # Until the first step the averages are zero.
            super().finalize_variable_values(var_list)


@keras.saving.register_keras_serializable(package="tfp_glow")
class AveragedAdam(EarlyAverage, keras.optimizers.Adam):
    """Keras' Adam with `EarlyAverage`.

    It updates each variable by one TensorFlow operation, and computes the numbers
    that all variables share once. Keras' own Adam needs 22 operations for each
    variable, so a step takes longer to trace and to optimize.
    """

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        step = tf.cast(self.iterations + 1, tf.float32)
        beta_1, beta_2 = tf.constant(self.beta_1), tf.constant(self.beta_2)
        numbers = dict(
            lr=learning_rate,
            beta1=beta_1,
            beta2=beta_2,
            beta1_power=beta_1**step,
            beta2_power=beta_2**step,
            epsilon=tf.constant(self.epsilon),
        )
        super()._backend_update_step(grads, trainable_variables, numbers)

    def update_step(self, gradient, variable, numbers):
        """Updates a variable; `numbers` are those of `ResourceApplyAdam`."""
        if self.amsgrad:
            super().update_step(gradient, variable, numbers["lr"])
            return
        self._decay(gradient, variable, numbers["lr"])
        index = self._get_variable_index(variable)
        dtype = variable.dtype
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            grad=tf.cast(tf.convert_to_tensor(gradient), dtype),
            **{name: tf.cast(n, dtype) for name, n in numbers.items()},
        )


@keras.saving.register_keras_serializable(package="tfp_glow")
class AveragedAdamax(EarlyAverage, keras.optimizers.Adamax):
    """Keras' Adamax with `EarlyAverage`."""


OPTIMIZERS = {"adam": AveragedAdam, "adamax": AveragedAdamax}
DECAYS = ("constant", "cosine")


def make_optimizer(
    optimizer="adam",
    learning_rate=2e-3,
    warmup_steps=100,
    decay="constant",
    total_steps=None,
    beta_2=0.999,
    clipnorm=100.0,
    weight_decay=1.0,
    ema=0.999,
):
    """Returns a Keras optimizer for flows, which can be saved with a model.

    Its learning rate follows `make_schedule`. Before Adam or Adamax, the
    gradient of all weights, as one vector, is scaled down to the norm
    `clipnorm` if it is longer. Each step also multiplies the kernels of the
    networks by `1 - learning_rate * weight_decay`. The optimizer keeps an average
    of the weights and updates it in step t = 0, 1, 2, ...,

    ```none
    average = momentum * average + (1 - momentum) * weights
    momentum = min(ema, t / (t + 9))
    ```

    Example:

    ```python
    optimizer = tfg.recipe.make_optimizer(
        "adamax", learning_rate=1e-3, decay="cosine", total_steps=10_000
    )
    model.compile(optimizer)
    ```

    Args:
        optimizer: `"adam"` or `"adamax"`.
        learning_rate, warmup_steps, decay, total_steps: see `make_schedule`.
        beta_2: `float` in [0, 1), decay rate of the second moment (in Adamax,
            of the infinity norm).
        clipnorm: non-negative `float`; 0 turns clipping off.
        weight_decay: non-negative `float`; 0 turns weight decay off.
        ema: `float` in [0, 1), momentum of the average after its start;
            0 turns it off.

    References:
        Kingma and Ba, Adam, 2015, algorithms 1 and 2. Loshchilov and Hutter,
        Decoupled weight decay regularization, 2019.
    """
    _checks.choice("optimizer", optimizer, OPTIMIZERS)
    return OPTIMIZERS[optimizer](
        make_schedule(learning_rate, warmup_steps, decay, total_steps),
        beta_2=_number("beta_2", beta_2, 1.0),
        global_clipnorm=_number("clipnorm", clipnorm) or None,
        weight_decay=_number("weight_decay", weight_decay) or None,
        # Keep an average even when `ema=0`, because callbacks rely on it.
        use_ema=True,
        ema_momentum=_number("ema", ema, 1.0),
    )


def make_schedule(
    learning_rate, warmup_steps, decay="constant", total_steps=None
):
    """Returns a Keras learning rate schedule with a linear warm-up.

    ```none
    step < warmup_steps:  rate = learning_rate * step / warmup_steps
    then, "constant":     rate = learning_rate
    then, "cosine":       rate = learning_rate * (1 + cos(pi * f)) / 2,
                          f = (step - warmup_steps) / (total_steps - warmup_steps)
    ```

    Args:
        learning_rate: non-negative `float`, the rate after the warm-up.
        warmup_steps: non-negative `int`.
        decay: `"constant"` or `"cosine"`.
        total_steps: `int` above `warmup_steps`, the step at which the cosine
            reaches 0; it stays there. Required by `"cosine"` only.

    References:
        Loshchilov and Hutter, SGDR, 2017, equation 5.
    """
    _checks.choice("decay", decay, DECAYS)
    expected = "a non-negative integer"
    [warmup_steps] = _checks.integers(0, expected, warmup_steps=warmup_steps)
    if decay == "constant":
        # The cosine ends after one step, and `alpha` keeps the rate after it.
        shape = dict(decay_steps=1, alpha=1.0)
    else:
        expected = f"an integer above {warmup_steps=} for decay='cosine'"
        [total_steps] = _checks.integers(
            warmup_steps + 1, expected, total_steps=total_steps
        )
        shape = dict(decay_steps=total_steps - warmup_steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        warmup_target=_number("learning_rate", learning_rate),
        warmup_steps=warmup_steps,
        **shape,
    )


def _number(name, value, limit=math.inf):
    """Returns a `float` in [0, limit)."""
    expected = f"a number in [0, {limit})"
    return _checks.number(name, value, expected, lambda x: 0.0 <= x < limit)
