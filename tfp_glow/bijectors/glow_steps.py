# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The steps of one level of a flow, as a loop over stacked variables."""

import functools
import math

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow import networks
from tfp_glow.bijectors import actnorm
from tfp_glow.bijectors import affine_coupling
from tfp_glow.bijectors import channel_map
from tfp_glow.bijectors import channel_matrix
from tfp_glow.bijectors import full_1x1_conv
from tfp_glow.bijectors import householder_1x1_conv
from tfp_glow.bijectors import invertible_1x1_conv
from tfp_glow.bijectors import mixture_coupling
from tfp_glow.bijectors import repeated
from tfp_glow.bijectors import spline_coupling
from tfp_glow.bijectors import whitening

tfb = tfp.bijectors


COUPLINGS = {
    "affine": affine_coupling.AffineCoupling,
    "additive": functools.partial(
        affine_coupling.AffineCoupling, additive=True
    ),
    "spline": spline_coupling.SplineCoupling,
    "mixture": mixture_coupling.MixtureCoupling,
}


# Factories of what mixes the channels.
PERMUTATIONS = {
    **{
        name: functools.partial(
            invertible_1x1_conv.Invertible1x1Conv.trainable, permutation=name
        )
        for name in invertible_1x1_conv.PERMUTATIONS
    },
    "full": full_1x1_conv.FullInvertible1x1Conv.trainable,
    "householder": householder_1x1_conv.HouseholderInvertible1x1Conv.trainable,
}


# How the first data set the steps, and which permutations can be set so.
INITIALIZATIONS = {
    "normalize": tuple(PERMUTATIONS),
    "whiten": ("learned", "full"),
}


# The networks of a step, by the names that files hold, and what each changes.
_CHANGES = {"network": "second", "network_first": "first"}
NETWORKS = {
    "channel": ("network",),
    "checkerboard": ("network", "network_first"),
}


def make_steps(
    event_shape,
    num_steps,
    num_filters,
    seed,
    dtype,
    permutation,
    coupling,
    scale,
    mask,
    network,
    initialization,
    network_arguments,
):
    """Makes K steps with fresh variables, coupling(conv1x1(actnorm(x))) each.

    With a checkerboard a step has two couplings, one for each colour.

    The activation norm and the 1x1 convolution are one affine map of the
    channels; it, its inverse and its log-det are computed for all steps
    together, before the loop.

    Args:
        event_shape: `(H, W, C)` inside the level, or `(D,)` of vectors.
        num_steps, num_filters, dtype, permutation, coupling, scale, mask,
            network, initialization: as in `Glow`.
        seed: `numpy.random.SeedSequence`.
        network_arguments: dictionary of further arguments of the couplings'
            networks, `dtype` among them. With a `conditioning_size` the steps
            take a keyword argument, `conditioning`, `[N, D]` or `[N, H, W, D]`
            where `N` is the number of events.

    Returns:
        A `Repeated`.
    """
    *spatial_shape, num_channels = event_shape
    event_ndims = len(event_shape)
    make_coupling = functools.partial(
        COUPLINGS[coupling],
        **({"scale": scale} if coupling == "affine" else {}),
        mask=mask,
        event_ndims=event_ndims,
    )
    num_seen, num_outputs = make_coupling(tf.identity).network_channels(
        event_shape
    )
    options = dict(network_arguments)
    conditioning_size = options.pop("conditioning_size", None)
    if network == "paper":
        network = networks.CouplingNetwork(**options)
    elif not isinstance(network, networks.StackedLayer):
        del options["dtype"]
        network = networks.LayerNetwork(network, **options)
    names = NETWORKS[mask]
    conv_seed, *network_seeds = seed.generate_state(1 + len(names)).tolist()
    templates = {
        name: networks.make_network(
            network,
            num_outputs=num_outputs,
            num_filters=num_filters,
            spatial_shape=spatial_shape,
            conditioning_size=conditioning_size,
            seed=network_seed,
        )
        for name, network_seed in zip(names, network_seeds)
    }
    norm = actnorm.ActNorm.trainable(
        num_channels, dtype=dtype, batch_shape=[num_steps]
    )
    conv = PERMUTATIONS[permutation](
        num_channels, seed=conv_seed, dtype=dtype, batch_shape=[num_steps]
    )
    weights = {}
    for name, template in templates.items():
        with tf.name_scope(name):
            weights[name] = template.stacked_variables(num_seen, num_steps)
    return repeated.Repeated(
        functools.partial(
            _make_step,
            templates=templates,
            make_coupling=make_coupling,
            event_ndims=event_ndims,
        ),
        {
            "act_norm": {"shift": norm.shift, "log_scale": norm.log_scale},
            "invertible_1x1_conv": {
                name: value
                for name, value in conv.parameters.items()
                if isinstance(value, tf.Variable)
            },
            **weights,
        },
        prepare_fn=functools.partial(
            _prepare,
            templates=templates,
            make_conv=type(conv),
            num_pixels=math.prod(spatial_shape),
        ),
        initialize_fn=functools.partial(
            _initialize,
            templates=templates,
            make_conv=type(conv),
            make_coupling=make_coupling,
            event_ndims=event_ndims,
            # The step whose channels are then split.
            last=num_steps - 1,
            whiten=initialization == "whiten",
        ),
        event_ndims=event_ndims,
        dtype=dtype,
        name="steps",
    )


def check_initialization(initialization, permutation):
    """Raises `ValueError` if the one is unknown or cannot set the other."""
    _checks.choice("initialization", initialization, tuple(INITIALIZATIONS))
    permutations = INITIALIZATIONS[initialization]
    if permutation not in permutations:
        raise ValueError(
            "Invalid value received for argument `initialization`. Expected "
            f"permutation={' or '.join(map(repr, permutations))} with "
            f"{initialization!r}. Received: permutation={permutation!r}"
        )


def _prepare(p, templates, make_conv, num_pixels):
    """What steps compute with, from their parameters `[K, ...]`."""
    prepared = {"channel_map": _channel_maps(p, make_conv, num_pixels)}
    for name, template in templates.items():
        prepared[name] = template.prepare(p[name])
    return prepared


def _channel_maps(p, make_conv, num_pixels):
    norm, conv = _norm_and_conv(p, make_conv)
    scale = tf.expand_dims(tf.exp(norm.log_scale), axis=-2)
    matrix = conv.matrix() * scale
    kernel = tf.linalg.matrix_transpose(matrix)
    pixel = tf.zeros(norm.shift.shape[-1:], norm.dtype)
    log_det = norm.forward_log_det_jacobian(pixel, event_ndims=1)
    log_det += conv.forward_log_det_jacobian(pixel, event_ndims=1)
    shift = channel_matrix.product(matrix, norm.shift[..., tf.newaxis])
    return {
        "kernel": kernel,
        "shift": shift[..., 0],
        "inverse_kernel": channel_matrix.inverse_or_nan(kernel),
        # The norm comes last on the way back, so its own shift is exact here.
        "inverse_shift": -norm.shift,
        "log_det": log_det * tf.cast(num_pixels, log_det.dtype),
    }


def _norm_and_conv(p, make_conv):
    norm = actnorm.ActNorm(**p["act_norm"])
    parameters = dict(p["invertible_1x1_conv"])
    if make_conv is invertible_1x1_conv.Invertible1x1Conv:
        parameters["dtype"] = norm.dtype  # A permutation alone has none.
    return norm, make_conv(**parameters)


def _make_step(p, conditioning=None, *, templates, make_coupling, event_ndims):
    couplings = [
        make_coupling(
            functools.partial(
                template.apply, p[name], conditioning=conditioning
            ),
            change=_CHANGES[name],
        )
        for name, template in templates.items()
    ]
    mixed = channel_map.ChannelMap(**p["channel_map"], event_ndims=event_ndims)
    return tfb.Chain([*reversed(couplings), mixed], name="step")


def _initialize(
    p, x, k, templates, make_conv, make_coupling, event_ndims, last, whiten
):
    """One step's parameters, set from its own input."""
    p = {**p, "act_norm": actnorm.normalizing_parameters(x)}
    if whiten:
        norm, conv = _norm_and_conv(p, make_conv)
        x_normal = norm.forward(x)
        white = whitening.whitening_matrix(x_normal)
        matrix = tf.matmul(tf.cast(conv.matrix(), white.dtype), white)
        if event_ndims == 3:
            # What a level splits off is then detail, as of a wavelet transform,
            # and what goes on to the next level a smaller image.
            smooth = whitening.smooth_first(x_normal)
            matrix = tf.where(k == last, smooth, matrix)
        p["invertible_1x1_conv"] = conv.parameters_of(matrix)
    one = tf.nest.map_structure(lambda value: value[tf.newaxis], p)
    maps = _channel_maps(one, make_conv, num_pixels=1)
    first = tf.nest.map_structure(lambda value: value[0], maps)
    mixed = channel_map.ChannelMap(**first, event_ndims=1).forward(x)
    for name, template in templates.items():
        # No network says anything yet, so that none changes the next one's
        # input by more than a factor.
        coupling = make_coupling(tf.identity, change=_CHANGES[name])
        seen, _ = coupling.split(mixed)
        seen = _tf.flatten_batch(seen, event_ndims)
        p[name] = template.initialized(p[name], seen)
    return p
