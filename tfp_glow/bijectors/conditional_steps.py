# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Steps of a flow whose couplings also see features, as a loop."""

import functools

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import networks
from tfp_glow.bijectors import affine_coupling
from tfp_glow.bijectors import channel_map
from tfp_glow.bijectors import channel_matrix
from tfp_glow.bijectors import invertible_1x1_conv
from tfp_glow.bijectors import repeated

tfb = tfp.bijectors


def make_steps(
    event_shape,
    num_features,
    num_steps,
    num_filters,
    seed,
    dtype,
    mask,
    network,
    **kwargs,
):
    """Makes K steps with fresh variables, coupling(conv1x1(x)) each.

    The couplings' scale is 1 at first, so that the steps start as rotations,
    which leave a standard normal one. With a checkerboard a step has two
    couplings, one for each colour.

    Args:
        event_shape: `(H, W, C)`.
        num_features: `int`, channels of the keyword argument `features` of the
            result's methods, `[N, H, W, num_features]`, where N is the product
            of all leading dimensions of the input.
        num_steps: positive `int`, K.
        num_filters: `int`, width of the couplings' networks.
        seed: `int` or `None`.
        dtype: floating dtype of the flow.
        mask: `"channel"` or `"checkerboard"`.
        network: dictionary of further arguments of the couplings' networks,
            `dtype` among them.
        **kwargs: further arguments of `Repeated`.

    Returns:
        A `Repeated`.
    """
    num_channels = event_shape[-1]
    num_seen, num_changed = num_channels // 2, -(-num_channels // 2)
    changes = ("second",)
    if mask == "checkerboard":
        num_seen = num_changed = num_channels
        changes = ("second", "first")
    conv_seed, *network_seeds = (
        np.random.SeedSequence(seed).generate_state(1 + len(changes)).tolist()
    )
    conv = invertible_1x1_conv.Invertible1x1Conv.trainable(
        num_channels, seed=conv_seed, dtype=dtype, batch_shape=[num_steps]
    )
    templates, weights = {}, {}
    for change, network_seed in zip(changes, network_seeds):
        templates[change] = networks.CouplingNetwork(
            num_outputs=2 * num_changed,
            num_filters=num_filters,
            seed=network_seed,
            **network,
        )
        with tf.name_scope(f"change_{change}"):
            weights[change] = templates[change].stacked_variables(
                num_seen + num_features, num_steps
            )
    factors = ("permutation", "lower", "upper", "sign", "log_diagonal")
    return repeated.Repeated(
        functools.partial(_make_step, templates=templates, mask=mask),
        {
            "invertible_1x1_conv": {
                name: conv.parameters[name] for name in factors
            },
            "networks": weights,
        },
        prepare_fn=functools.partial(
            _prepare,
            templates=templates,
            num_pixels=event_shape[0] * event_shape[1],
        ),
        event_ndims=3,
        dtype=dtype,
        **kwargs,
    )


def _prepare(p, templates, num_pixels):
    """What steps compute with, from their parameters `[K, ...]`."""
    conv = invertible_1x1_conv.Invertible1x1Conv(**p["invertible_1x1_conv"])
    kernel = tf.linalg.matrix_transpose(conv.matrix())
    no_shift = tf.zeros_like(conv.log_diagonal)
    log_det = tf.reduce_sum(conv.log_diagonal, axis=-1)
    return {
        "channel_map": {
            "kernel": kernel,
            "shift": no_shift,
            "inverse_kernel": channel_matrix.inverse_or_nan(kernel),
            "inverse_shift": no_shift,
            "log_det": log_det * tf.cast(num_pixels, log_det.dtype),
        },
        "networks": {
            change: networks.computed(
                template, template.fold(p["networks"][change])
            )
            for change, template in templates.items()
        },
    }


def _make_step(p, features, templates, mask):
    couplings = [
        affine_coupling.AffineCoupling(
            functools.partial(
                _shift_and_raw_scale,
                template=template,
                folded=p["networks"][change],
                features=features,
            ),
            scale="bounded_exp",
            change=change,
            mask=mask,
        )
        for change, template in templates.items()
    ]
    rotation = channel_map.ChannelMap(**p["channel_map"])
    return tfb.Chain([*couplings, rotation], name="step")


def _shift_and_raw_scale(seen, template, folded, features):
    seen = tf.concat([seen, tf.cast(features, seen.dtype)], axis=-1)
    return template.apply(folded, seen)
