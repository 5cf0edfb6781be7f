# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The training recipe: an optimizer with warm-up, decay, clipping, averaging."""

import math

import keras

from tfp_glow import _checks

OPTIMIZERS = {"adam": keras.optimizers.Adam, "adamax": keras.optimizers.Adamax}
DECAYS = ("constant", "cosine")


def make_optimizer(
    optimizer="adam",
    learning_rate=2e-3,
    warmup_steps=100,
    decay="constant",
    total_steps=None,
    beta_2=0.999,
    clipnorm=100.0,
    ema=0.99,
):
    """A Keras optimizer for flows, which can be saved with a model.

    ```none
    step < warmup_steps:  rate = learning_rate * step / warmup_steps
    after, "constant":    rate = learning_rate
    after, "cosine":      rate = learning_rate * (1 + cos(pi * f)) / 2,
                          f = (step - warmup_steps) / (total_steps - warmup_steps)
    ```

    Gradients longer than `clipnorm`, taken as one vector over all weights, are
    shortened to it, in front of Adam or Adamax. Beside the weights their
    average is kept, `average = ema * average + (1 - ema) * weights` in every
    step, which `FlowModel.averaged_weights` evaluates, and which Keras' `fit`
    leaves in the model unless `tfg.callbacks.SwapEMAWeights` hinders it.

    Example:

    ```python
    optimizer = tfg.recipe.make_optimizer(
        "adamax", learning_rate=1e-3, decay="cosine", total_steps=10_000
    )
    model.compile(optimizer)
    ```

    Args:
        optimizer: `"adam"` or `"adamax"`.
        learning_rate: non-negative `float`, the rate after the warm-up.
        warmup_steps: non-negative `int`.
        decay: `"constant"` or `"cosine"`.
        total_steps: `int` above `warmup_steps`, the step at which the cosine
            reaches 0, and stays there; needed for it alone.
        beta_2: `float` in [0, 1), memory of the gradients' size.
        clipnorm: non-negative `float`, 0 for no clipping.
        ema: `float` in [0, 1), momentum of the average; 0 for none.

    Returns:
        `keras.optimizers.Optimizer`.

    Raises:
        ValueError: if an argument is not as described.

    References:
        Kingma and Ba, Adam, 2015, algorithms 1 and 2; Loshchilov and Hutter,
        SGDR, 2017, equation 5.
    """
    check(optimizer, learning_rate, warmup_steps, decay, beta_2, clipnorm, ema)
    if decay == "cosine":
        _check_total_steps(total_steps, warmup_steps)
        shape = dict(decay_steps=total_steps - warmup_steps)
    else:
        # Past its first step the cosine is over and `alpha` holds the rate.
        shape = dict(decay_steps=1, alpha=1.0)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        warmup_target=learning_rate,
        warmup_steps=warmup_steps,
        **shape,
    )
    return OPTIMIZERS[optimizer](
        schedule,
        beta_2=beta_2,
        global_clipnorm=clipnorm or None,
        # An average of no memory too, so that all callbacks find one.
        use_ema=True,
        ema_momentum=ema,
    )


def check(optimizer, learning_rate, warmup_steps, decay, beta_2, clipnorm, ema):
    """Raises `ValueError` unless the arguments are as in `make_optimizer`."""
    _checks.choice("optimizer", optimizer, tuple(OPTIMIZERS))
    _checks.choice("decay", decay, DECAYS)
    for name, value, limit in (
        ("learning_rate", learning_rate, math.inf),
        ("beta_2", beta_2, 1.0),
        ("clipnorm", clipnorm, math.inf),
        ("ema", ema, 1.0),
    ):
        if not 0.0 <= value < limit:
            raise ValueError(
                f"Invalid value received for argument `{name}`. Expected a "
                f"number in [0, {limit}). Received: {name}={value!r}"
            )
    if not isinstance(warmup_steps, int) or warmup_steps < 0:
        raise ValueError(
            "Invalid value received for argument `warmup_steps`. Expected a "
            f"non-negative integer. Received: warmup_steps={warmup_steps!r}"
        )


def _check_total_steps(total_steps, warmup_steps):
    if not isinstance(total_steps, int) or total_steps <= warmup_steps:
        raise ValueError(
            "Invalid value received for argument `total_steps`. Expected for "
            f"decay='cosine' an integer above warmup_steps={warmup_steps}. "
            f"Received: total_steps={total_steps!r}"
        )
