# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Flows as TFP distributions."""

import copy
import functools
import math

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import parameter_properties
from tensorflow_probability.python.internal import tensor_util

from tfp_glow import _checks
from tfp_glow.bijectors import conditional
from tfp_glow.bijectors import glow as glow_
from tfp_glow.bijectors import steps
from tfp_glow.bijectors import structure

tfb = tfp.bijectors
tfd = tfp.distributions


class Flow(structure.TRANSFORMED):
    """A transformed distribution that can bind its conditioning.

    Its bijector is not a composite tensor, so it derives from the base class of
    `tfd.TransformedDistribution`; see `structure.TRANSFORMED`.
    """

    def __init__(
        self,
        distribution,
        bijector,
        conditioning=None,
        validate_args=False,
        name=None,
    ):
        """Makes the distribution.

        Args:
            distribution: `tfd.Distribution` of the latents.
            bijector: `tfb.Bijector` from latents to events.
            conditioning: argument of the bijector's methods, or `None`.
            validate_args, name: see `tfd.TransformedDistribution`.
        """
        parameters = dict(locals())
        self._conditioning = tensor_util.convert_nonref_to_tensor(conditioning)
        super().__init__(
            distribution,
            bijector,
            kwargs_split_fn=self._split_kwargs,
            validate_args=validate_args,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {
            **super()._parameter_properties(dtype, num_classes),
            "conditioning": parameter_properties.ParameterProperties(
                event_ndims=lambda flow: len(flow.conditioning_shape)
            ),
        }

    @property
    def _conditional(self):
        """The bijector that takes the conditioning."""
        is_inverted = isinstance(self.bijector, structure.INVERT)
        return self.bijector.bijector if is_inverted else self.bijector

    @property
    def conditioning_shape(self):
        """Shape of one event's conditioning; `None` if there is none."""
        return getattr(self._conditional, "conditioning_shape", None)

    def given(self, conditioning):
        """Returns the distribution of events, given their conditioning.

        Its methods need no `bijector_kwargs`, so TFP can compose it with other
        distributions. Gradients flow back to the conditioning.

        Args:
            conditioning: floating `[..., *conditioning_shape]`. The leading
                dimensions become the batch shape.

        Raises:
            ValueError: if the flow is not conditional, or if the shape is not
                as described.

        Example:

        ```python
        flow = tfg.vector_flow(2, num_steps=2, conditioning_size=3)
        flow.given(tf.ones([5, 3])).sample(4)  # [4, 5, 2]
        joint = tfd.JointDistributionSequential(
            [tfd.Sample(tfd.Normal(0.0, 1.0), [3]), lambda c: flow.given(c)]
        )
        ```
        """
        if self.conditioning_shape is None:
            raise ValueError(
                "Expected a flow made with `conditioning_size`. Received one "
                f"without: {self}"
            )
        conditioning = conditional.checked(self._conditional, conditioning)
        return self.copy(conditioning=conditioning)

    def __deepcopy__(self, memo):
        # TFP cannot copy distributions deeply. The normal has no variables.
        names = ("bijector", "conditioning")
        parts = {name: self.parameters[name] for name in names}
        parts = copy.deepcopy(parts, memo)
        return type(self)(**self.parameters | parts)

    def __repr__(self):
        return f"{super().__repr__()[:-1]} bijector={self.bijector!r}>"

    def _split_kwargs(self, kwargs):
        bijector_kwargs = kwargs.get("bijector_kwargs", {})
        if self._conditioning is not None:
            bound = {"conditioning": self._conditioning}
            bijector_kwargs = bound | bijector_kwargs
        return kwargs.get("distribution_kwargs", {}), bijector_kwargs


def bijector_kwargs(conditioning):
    """Returns the keyword arguments of a conditional `Flow`'s methods."""
    return {"bijector_kwargs": {"conditioning": conditioning}}


def glow_distribution(image_shape, *, dtype=tf.float32, **kwargs):
    """Returns a Glow as a TFP distribution over continuous images.

    Takes the arguments of `Glow`. The distribution transforms a standard normal
    of `H * W * C` dimensions, and has the event shape `(H, W, C)`. If it is
    conditional, its methods take `bijector_kwargs={"conditioning": c}`, and
    `given(c)` returns an unconditional distribution.

    Example:

    ```python
    flow = tfg.glow_distribution([8, 8, 3], num_levels=2, num_steps=4)
    images = flow.sample(5, seed=0)  # [5, 8, 8, 3]
    flow.log_prob(images)  # [5], in nats
    ```
    """
    glow = glow_.Glow(image_shape, dtype=dtype, **kwargs)
    normal = _standard_normal(math.prod(image_shape), dtype)
    return Flow(normal, glow, name=glow.name)


def vector_flow(
    event_size,
    num_steps=8,
    num_filters=64,
    coupling="spline",
    network="paper",
    conditioning_size=None,
    initialization="whiten",
    seed=None,
    dtype=tf.float32,
    gradient=None,
    name="vector_flow",
):
    """Returns the steps of a Glow as a TFP distribution over vectors.

    ```none
    h = x
    num_steps times:  h = coupling(W actnorm(h))
    log p(x) = log N(h; 0, 1) + log|det dh/dx|
    ```

    The vectors can be the rows of a table. `tfg.FlowModel` trains the flow, and
    initializes its norms from data before the first step.

    Args:
        event_size: positive `int`, D. With 1 the networks of the couplings see
            only the conditioning.
        num_steps: positive `int`, K.
        num_filters: positive `int`, width of the couplings' networks.
        coupling: see `Glow`. Splines fit densities with edges or several modes
            best.
        network, initialization, seed, dtype, gradient: see `Glow`. The network
            `"paper"` has no convolutions.
        conditioning_size: `int`, size of the vectors on which the flow is
            conditioned, or `None`. The methods of a conditional distribution
            need `bijector_kwargs={"conditioning": vectors}`, of shape
            `[..., size]`, which broadcasts against the batch of events.
            `flow.given(vectors)` is an unconditional distribution.
        name: `str`.

    Returns:
        A transformed standard normal, a `tfd.Distribution` of event shape
        `(D,)`.

    Example:

    ```python
    density = tfg.toy.distribution("8gaussians")
    flow = tfg.vector_flow(2, num_steps=4)
    model = tfg.FlowModel(flow)
    model.compile(keras.optimizers.Adam(2e-3))
    model.fit(density.sample(100_000, seed=0), batch_size=500, epochs=4)
    flow.log_prob([[2.0, 2.0]])  # [1], in nats
    ```
    """
    event_size, num_steps, num_filters = _checks.positive_integer(
        event_size=event_size, num_steps=num_steps, num_filters=num_filters
    )
    if conditioning_size is not None:
        [conditioning_size] = _checks.positive_integer(
            conditioning_size=conditioning_size
        )
    arguments = {**locals(), "dtype": tf.as_dtype(dtype).name}
    with tf.name_scope(name):
        repeated = steps.make_steps(
            (event_size,),
            num_steps,
            num_filters,
            seed=seed,
            dtype=dtype,
            coupling=coupling,
            network=network,
            conditioning_size=conditioning_size,
            initialization=initialization,
            gradient=gradient,
        )
    if conditioning_size is not None:
        repeated = conditional.Conditional(repeated, (conditioning_size,))
    normal, flow = _standard_normal(event_size, dtype), tfb.Invert(repeated)
    flow = Flow(normal, flow, name=name)
    # `FlowModel` writes the arguments to its files.
    flow.made_by = functools.partial(vector_flow, **arguments)
    return flow


def _standard_normal(size, dtype):
    normal = tfd.Normal(tf.zeros([], dtype), tf.ones([], dtype))
    return tfd.Sample(normal, sample_shape=[size])
