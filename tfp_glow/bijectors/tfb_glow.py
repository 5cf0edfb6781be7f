# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Copies a `tfb.Glow` of TensorFlow Probability into a `Glow`."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.bijectors import glow as tfp_glow_lib

from tfp_glow import networks
from tfp_glow.bijectors import glow as glow_
from tfp_glow.bijectors import levels as levels_
from tfp_glow.bijectors import structure

tfb = tfp.bijectors

_BY_HAND = (
    "To bring it over by hand, write the network as a Keras 3 layer and pass it "
    "as `network=` of `tfg.Glow`; docs/migration.md shows where each weight goes."
)


def from_tfb_glow(bijector):
    """Copies a trained `tfb.Glow` into a `Glow` that computes the same.

    All of a `tfb.Glow` with TFP's default networks can be expressed: networks
    have no bounds and no edge padding, and the factor `exp(2)` at which TFP's
    split priors start becomes a bias. The top prior and all that the priors here
    have in addition are the identity. So `log_prob` and samples agree up to
    rounding.

    The latent vectors hold the same numbers in another order: those of the
    finest level first. `glow.inverse(bijector.forward(z))` reorders them.

    The copy has variables of its own, of the same dtype. Training goes on from
    the copied weights, because data do not initialize this `Glow`.

    Args:
        bijector: `tfb.Glow` whose networks are `tfb.GlowDefaultNetwork` and
            `tfb.GlowDefaultExitNetwork`, with one width and one odd kernel
            shape, and 3x3 kernels at the exits; with the default
            `grab_after_block`.

    Returns:
        `Glow`.

    Raises:
        TypeError: if `bijector` is not a `tfb.Glow`.
        ValueError: if its networks or its splits are others, if its activation
            norms have not been initialized, or if a weight is not finite or a
            1x1 convolution is singular.

    Example:

    ```python
    theirs = tfb.Glow(
        [4, 4, 1],
        num_glow_blocks=2,
        num_steps_per_block=1,
        coupling_bijector_fn=tfb.GlowDefaultNetwork,
        exit_bijector_fn=tfb.GlowDefaultExitNetwork,
    )
    theirs.inverse(tf.random.normal([8, 4, 4, 1]))  # Sets the norms.
    glow = tfg.from_tfb_glow(theirs)
    normal = tfd.Sample(tfd.Normal(0.0, 1.0), [16])
    flow = tfd.TransformedDistribution(normal, glow)
    ```
    """
    if not isinstance(bijector, tfb.Glow):
        raise TypeError(
            "Invalid value received for argument `bijector`. Expected a "
            "`tfb.Glow`, for instance the `bijector` of a transformed "
            f"distribution. Received: {type(bijector).__name__}"
        )
    image_shape = tuple(bijector.parameters["output_shape"])
    num_levels = len(bijector.blockwise_splits)
    _check_splits(bijector)
    exits, blocks = _exits_and_blocks(bijector)
    parts = zip(exits, blocks, strict=True)
    levels = [_level(i, *level) for i, level in enumerate(parts)]
    first = [level["network"]["hidden_0"]["kernel"].shape for level in levels]
    # The kernels are `[K, S, S, C, W]`.
    sizes = {(*shape[1:3], shape[-1]) for shape in first}
    if len(sizes) > 1 or any(not (h == w and h % 2) for h, w, _ in sizes):
        raise ValueError(
            "Invalid networks of the `tfb.Glow`. Expected one width and one "
            "square, odd kernel shape in all couplings. Received the kernel "
            f"shapes and widths {sorted(sizes)}. {_BY_HAND}"
        )
    [(kernel_size, _, num_filters)] = sizes
    dtype = tf.as_dtype(levels[0]["act_norm"]["shift"].dtype)
    glow = glow_.Glow(
        image_shape,
        num_levels=num_levels,
        num_steps=first[0][0],
        num_filters=num_filters,
        network=networks.CouplingNetwork(
            kernel_size=kernel_size,
            edge_padding=False,
            input_bound=None,
            output_bound=None,
            dtype=dtype.name,
        ),
        dtype=dtype,
        name=bijector.name,
    )
    for level, values in zip(glow.parameters["levels"], levels):
        prior = values.pop("prior")
        _assign(level.steps.parameters["parameters"], values)
        if prior:
            _assign(level.prior.affine.network.own_weights(), prior)
    # Data would otherwise replace the weights when training begins.
    kept = levels_.copies(glow.parameters["levels"], initialize_fn=None)
    return glow.copy(levels=kept)


def _check_splits(bijector):
    """Raises unless half of the channels leave below the top, none at it."""
    fractions = bijector.parameters["grab_after_block"]
    num_levels = len(bijector.blockwise_splits)
    expected = [0.5] * (num_levels - 1) + [0.0]
    if fractions is not None and list(fractions) != expected:
        raise ValueError(
            "Invalid splits of the `tfb.Glow`. Expected grab_after_block="
            f"{tuple(expected)}, as by default. Received: {fractions!r}. "
            "`tfg.Glow` cannot express others."
        )


def _exits_and_blocks(bijector):
    """Returns the exit bijectors and the blocks of a `tfb.Glow`, finest first."""
    exits, blocks = [], []
    # The first part of a chain is applied last, on the way to the image.
    for part in bijector.bijectors:
        if isinstance(part, structure.INVERT):
            exits.append(part.bijector)
        elif isinstance(part, tfp_glow_lib.GlowBlock):
            blocks.append(part)
        elif isinstance(part, structure.BLOCKWISE):
            blocks.append(part.bijectors[0])
    return exits, blocks


def _level(index, exit_bijector, block):
    """Returns the values of one level's variables, nested as they are."""
    norms, convs, layers = [], [], []
    # From data to latent, as the steps of a `Glow` are.
    for part in block.bijectors:
        if isinstance(part, tfp_glow_lib.ActivationNormalization):
            norms.append(part)
        elif isinstance(part, structure.INVERT):
            if isinstance(part.bijector, tfp_glow_lib.OneByOneConv):
                convs.append(part.bijector)
            else:
                layers.append(part.coupling_bijector_layer)
    for step, layer in enumerate(layers):
        where = f"in the coupling of step {step} of level {index}"
        _check_network(layer, tfb.GlowDefaultNetwork, where)
    level = {
        "act_norm": _act_norm(norms, convs, index),
        "invertible_1x1_conv": _stack(map(_conv, convs)),
        "network": _stack(map(_coupling_network, layers)),
        "prior": {},
    }
    layer = exit_bijector.exit_layer
    if layer is not None:
        where = f"at the exit of level {index}"
        _check_network(layer, tfb.GlowDefaultExitNetwork, where)
        level["prior"] = _prior(layer, where)
    finite = map(np.isfinite, tf.nest.flatten(level))
    if not all(map(np.all, finite)):
        raise ValueError(
            f"Invalid weights of the `tfb.Glow` in level {index}. Expected "
            "finite numbers, and no 0 on the diagonals of the 1x1 "
            "convolutions. Received others. Take an earlier checkpoint."
        )
    return level


def _check_network(layer, expected, where):
    # A subclass may compute something else.
    if type(layer) is not expected:
        raise ValueError(
            f"Invalid network of the `tfb.Glow` {where}. Expected TFP's default, "
            f"`tfb.{expected.__name__}`. Received: {type(layer).__name__}. "
            f"{_BY_HAND}"
        )


def _act_norm(norms, convs, index):
    if not norms:  # `use_actnorm=False`
        shape = len(convs), convs[0].parameters["event_size"]
        zeros = np.zeros(shape, convs[0].dtype.as_numpy_dtype)
        return {"shift": zeros, "log_scale": zeros}
    if not all(norm._initialized.numpy() for norm in norms):
        raise ValueError(
            f"Invalid activation norms of the `tfb.Glow` in level {index}. "
            "Expected norms that data have initialized. Received norms that "
            "their next use would change. Call `bijector.inverse(images)`, or "
            "restore the weights, before the copy."
        )
    return _stack(
        {
            "shift": norm._m.numpy(),
            "log_scale": norm._s.pretransformed_input.numpy(),
        }
        for norm in norms
    )


def _conv(conv):
    packed = conv._bijector.lower_upper.numpy()
    diagonal = np.diag(packed)
    with np.errstate(divide="ignore"):  # Zeros are found later.
        log_diagonal = np.log(np.abs(diagonal))
    return {
        "permutation": np.argsort(conv._bijector.permutation.numpy()),
        "lower": np.tril(packed, -1),
        "upper": np.triu(packed, 1),
        "sign": np.sign(diagonal),
        "log_diagonal": log_diagonal,
    }


def _coupling_network(layer):
    first, second, last = map(_linear, layer.layers)
    last = {name: _shift_first(value) for name, value in last.items()}
    return {"hidden_0": first, "hidden_1": second, "last": last}


def _prior(layer, where):
    [layer] = layer.layers
    if layer.kernel_size != (3, 3):
        raise ValueError(
            f"Invalid network of the `tfb.Glow` {where}. Expected a 3x3 kernel. "
            f"Received: kernel_shape={layer.kernel_size}. {_BY_HAND}"
        )
    found = {name: _shift_first(w) for name, w in _linear(layer).items()}
    # TFP's scale is exp(r + 2).
    found["shift"][len(found["shift"]) // 2 :] += 2.0
    return found


def _linear(layer):
    """Returns the weights of a `ScaledLinear`, given those of a `Conv2D`."""
    kernel, bias = layer.get_weights()
    return {"kernel": kernel, "shift": bias, "log_scale": np.zeros_like(bias)}


def _shift_first(outputs):
    """Swaps TFP's outputs, scale and shift, to the order of `Affine`."""
    scale, shift = np.split(outputs, 2, axis=-1)
    return np.concatenate([shift, scale], axis=-1)


def _stack(structures):
    """Stacks equal structures of arrays along a new first dimension."""
    return tf.nest.map_structure(lambda *a: np.stack(a), *structures)


def _assign(variables, values):
    tf.nest.map_structure(
        lambda variable, value: variable.assign(value),
        variables,
        values,
        check_types=False,
    )
