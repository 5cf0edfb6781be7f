# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`Flow`: a flow in one precision, and the three precisions of a model."""

import math

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _tf
from tfp_glow import networks
from tfp_glow.bijectors import glow as glow_
from tfp_glow.bijectors import precision
from tfp_glow.models import glow_model

tfd = tfp.distributions

# Precisions in the order in which tables list them.
SINGLE = "float32"
MIXED = "float64 flow"
DOUBLE = "float64"


class Flow:
    """A flow between values and latent vectors, as traced functions.

    Attributes:
        distribution: `tfd.TransformedDistribution`, whose bijector goes from
            latent vectors to values.
        encode: function of values `[N, ...]`; returns latent vectors.
        decode: function of latent vectors; returns values.
        log_prob: function of values; returns `[N]`, in nats.

    The functions also take the bijector's keyword arguments, and return what
    the arithmetic gives, which may not be finite.
    """

    def __init__(self, distribution):
        self.distribution = distribution
        self.bijector = distribution.bijector
        self.dtype = distribution.dtype
        self.encode = _tf.compiled(self.inverse)
        self.decode = _tf.compiled(self.forward)
        self.log_prob = _tf.compiled(self.log_density)

    # The identities make gradients of values that TFP's cache already knows.

    def inverse(self, x, **kwargs):
        """Computes `encode` without a traced function."""
        return self.bijector.inverse(self._cast(x), **kwargs)

    def forward(self, z, **kwargs):
        """Computes `decode` without a traced function."""
        return self.bijector.forward(self._cast(z), **kwargs)

    def log_density(self, x, **kwargs):
        """Computes `log_prob` without a traced function."""
        kwargs = {"bijector_kwargs": kwargs} if kwargs else {}
        return self.distribution.log_prob(self._cast(x), **kwargs)

    def _cast(self, x):
        return tf.identity(tf.cast(x, self.dtype))


def of_model(model):
    """Returns a model's flow in three precisions, a dictionary of `Flow`s.

    | name | the flow | its networks |
    |---|---|---|
    | `"float32"` | float32 | as they train |
    | `"float64 flow"` | float64 | as they train, as in `encode` and `decode` |
    | `"float64"` | float64 | float64, with the same weights |

    Networks other than those of the package keep their own dtype in all three.

    Raises:
        TypeError: if `model` is not a `GlowModel`.
    """
    if not isinstance(model, glow_model.GlowModel):
        raise TypeError(
            "Expected a GlowModel, whose flow has an encoder and a decoder. "
            f"Received: {type(model).__name__}"
        )
    # Differentiation of gradients needs stored activations.
    glow = model.glow.copy(gradient="store", validate_args=False)
    bijectors = {
        SINGLE: glow,
        MIXED: precision.astype(glow, tf.float64),
        DOUBLE: exact_copy(glow),
    }
    return {name: Flow(_density(b)) for name, b in bijectors.items()}


def _density(glow):
    normal = tfd.Normal(*tf.constant([0.0, 1.0], glow.dtype))
    normal = tfd.Sample(normal, [math.prod(glow.image_shape)])
    return glow_model.flows.Flow(normal, glow)


def exact_copy(glow):
    """Returns a `Glow` in float64 whose networks compute in float64 too.

    Its variables are copies of the weights.
    """
    network = glow.parameters["network"]
    if isinstance(network, networks.CouplingNetwork):
        config = {**network.get_config(), "dtype": "float64"}
        network = networks.CouplingNetwork.from_config(config)
    options = {"network": network, "dtype": tf.float64, "levels": None}
    exact = glow_.Glow(**{**glow.parameters, **options})
    for variable, value in zip(exact.variables, glow.variables, strict=True):
        variable.assign(tf.cast(value, variable.dtype))
    return exact
