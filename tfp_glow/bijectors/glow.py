# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Glow: the multi-scale flow from a latent vector to an image."""

import math

import tensorflow as tf
from tensorflow_probability.python.internal import prefer_static as ps

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow import networks
from tfp_glow.bijectors import conditional
from tfp_glow.bijectors import initialization as initialization_
from tfp_glow.bijectors import joint
from tfp_glow.bijectors import levels as levels_
from tfp_glow.bijectors import squeeze


class Glow(initialization_.DataDependent, joint.JointBijector):
    """The bijector from a latent vector to an image.

    `forward` takes the latent to the image, as `tfb.Glow` does, so that
    `tfd.TransformedDistribution(standard_normal, Glow(...))` is the model. The
    inverse reads:

    ```none
    h = image
    for level in 1 ... num_levels:
        h = squeeze(h)
        num_steps times:  h = coupling(conv1x1(actnorm(h)))
        below the top:    h, x = split(h);  z[level] = r(t((x - m(h)) * s(h)))
        at the top:       z[level] = r(t((h - m) * s))
    latent = concat(flatten(z[1]), ..., flatten(z[num_levels]))
    ```

    The functions `m` and `s` of the split priors are zero-initialized
    convolutions, and at the top one mean and one scale per element, so the
    latent's distribution is a plain standard normal. Two functions that are not
    in the paper bring images closer to it: `t` gives every channel a trained
    weight of its tails, see `bijectors/tails.py`, and `r` evens out contrast,
    which differs between images and places, see `bijectors/radial.py`. Both have
    few parameters and are the identity at first.

    With a `conditioning_size` the methods take one more argument,
    `conditioning`, on which the networks of couplings and priors depend. At
    initialization it has no effect. Gradients flow back to it.

    The steps of a level are one `Repeated`, so the graph, the time to start and
    the number of variables are the same for 4 steps as for 64.

    | | shape |
    |---|---|
    | latent | `[..., H * W * C]` |
    | image | `[..., H, W, C]`, `H` and `W` divisible by `2**num_levels` |
    | `conditioning` | `[..., D]`, or `[..., H, W, D]` |
    | `split_latents`, level `l` below the top | `[..., H / 2**l, W / 2**l, C * 2**l]` |
    | at the top | `[..., H / 2**L, W / 2**L, C * 2**(L + 1)]` |

    The constructor makes the variables; `copy()` shares them.

    Example:

    ```python
    glow = tfg.Glow([8, 8, 3], num_levels=2, num_steps=2, num_filters=16)
    images = tf.random.normal([32, 8, 8, 3])
    glow.initialize(images)
    latents = glow.inverse(images)  # [32, 192]
    [z.shape for z in glow.split_latents(latents)]
    # [32, 4, 4, 6], [32, 2, 2, 24]
    ```

    References:
        Kingma and Dhariwal, Glow, 2018, figure 2.
    """

    data_enter = "inverse"

    def __init__(
        self,
        image_shape,
        num_levels=None,
        num_steps=8,
        num_filters=64,
        coupling="affine",
        permutation="learned",
        network="paper",
        conditioning_size=None,
        conditioned="all",
        initialization="whiten",
        gradient=None,
        seed=None,
        dtype=tf.float32,
        levels=None,
        validate_args=False,
        name="glow",
    ):
        """Makes the bijector and its variables.

        Args:
            image_shape: `(H, W, C)`.
            num_levels: positive `int`, `L` in the paper; `None` for as many
                as leave at least 2 x 2 pixels at the top, up to 3.
            num_steps: positive `int`, steps of each level, `K` in the paper.
            num_filters: positive `int`, width of the couplings' networks.
                `tfg.presets` has the paper's sizes.
            coupling: `"affine"`, the paper's; `"affine_half_sigmoid"`,
                `"affine_bounded_exp"` or `"affine_exp"`, with other scale
                functions, see `Affine`; `"additive"`; `"spline"`; `"mixture"`;
                or any `Transformer`. Splines and mixtures were measured to be
                no better than affine couplings at equal training time.
            permutation: what mixes the channels: `"learned"`, a 1x1
                convolution as `Invertible1x1Conv` stores it; `"full"`, as
                `FullInvertible1x1Conv` does; or, fixed, `"reverse"` or
                `"shuffle"`.
            network: `"paper"`, the couplings' network of the paper; any Keras
                layer, of which copies become hidden layers, see
                `networks.LayerNetwork`; or an unbuilt `networks.CouplingNetwork`
                or `networks.LayerNetwork` that carries other options: bounds,
                edge padding, and a dtype policy such as `"mixed_bfloat16"`. The
                flow around the networks always computes in `dtype`. Gated
                residual networks were no better at equal training time.
            conditioning_size: `int`, the size of vectors, or the shape
                `(H, W, D)` of images of the height and width of `image_shape`,
                on which the flow is conditioned, or `None`. A class is a
                one-hot vector.
            conditioned: `"all"`, or `"priors"` if the couplings do not depend
                on the conditioning.
            initialization: what `initialize` does, and so the first batches of
                a training: `"normalize"`, the paper's, sets the activation
                norms; `"whiten"` also sets the 1x1 convolutions, unless they
                are fixed, so that the channels are uncorrelated and the smooth
                ones go on to the next level. docs/benchmarks.md compares them.
            gradient: `"store"`, the fastest, `"recompute"`, or `"invert"`, which
                takes the least memory; see `Repeated`. They were measured to be
                equally exact. `None` is `"store"` if the activations of 64
                images take at most 1 GiB and a quarter of the machine's memory,
                or else `"invert"`. `steps(level).gradient` tells which.
            seed: `int` or `None`; the same seed gives the same variables.
            dtype: floating dtype.
            levels: the levels of another `Glow` of the same arguments, to
                share its variables; `copy()` uses this.
            validate_args: `bool`; if true, a value that is not finite raises
                `tf.errors.InvalidArgumentError` and names the level and step
                after which it first appeared (except in a program compiled by
                XLA, which drops these checks).
            name: `str`.

        Raises:
            ValueError: if an argument is not as described. If a size cannot be
                halved often enough, the message names sizes that can.
        """
        parameters = dict(locals())
        if num_levels is None:
            num_levels = levels_.default_num_levels(image_shape)
        num_levels, num_steps, num_filters = _checks.positive_integer(
            num_levels=num_levels, num_steps=num_steps, num_filters=num_filters
        )
        image_shape = levels_.checked_image_shape(image_shape, num_levels)
        seed = _checks.seed(seed)
        _checks.choice("conditioned", conditioned, ("all", "priors"))
        networks.check_network(network)
        conditioning_shape = levels_.checked_conditioning_shape(
            conditioning_size, image_shape
        )
        with tf.name_scope(name) as name:
            self._image_shape = image_shape
            self._conditioning_shape = conditioning_shape
            self._squeeze = squeeze.Squeeze()
            if levels is None:
                levels = levels_.make_levels(
                    image_shape,
                    num_levels,
                    conditioning_shape,
                    conditioned,
                    seed=seed,
                    dtype=dtype,
                    network=network,
                    num_steps=num_steps,
                    num_filters=num_filters,
                    coupling=coupling,
                    permutation=permutation,
                    initialization=initialization,
                )
            # The shared levels hold the variables.
            self._levels = levels_.configured(
                levels, image_shape, gradient, num_filters, validate_args
            )
            # Bijectors with equal parameters share TFP's cache, so the
            # variables must be among them.
            parameters["levels"] = levels
            super().__init__(
                forward_min_event_ndims=1,
                inverse_min_event_ndims=3,
                validate_args=validate_args,
                dtype=dtype,
                parameters=parameters,
                name=name,
            )

    @property
    def image_shape(self):
        """`(H, W, C)`."""
        return self._image_shape

    @property
    def conditioning_shape(self):
        """`(D,)` or `(H, W, D)`, or `None` if there is no conditioning."""
        return self._conditioning_shape

    @property
    def num_levels(self):
        """Number of levels."""
        return len(self._levels)

    def steps(self, level):
        """Returns the steps of a level, a `Repeated` from data to latent."""
        return self._levels[level].steps

    def set_gradient(self, gradient):
        """Changes the gradients of functions that are traced from now on."""
        self._levels = levels_.copies(self._levels, gradient=gradient)

    def split_latents(self, latents):
        """Splits latent vectors `[..., H * W * C]` into their levels.

        The finest level comes first; see the class for the shapes.
        """
        latents = tf.convert_to_tensor(latents, dtype_hint=self.dtype)
        _checks.channels(self, latents, math.prod(self.image_shape))
        event_shapes = self.latent_shapes
        sizes = [math.prod(shape) for shape in event_shapes]
        return [
            _tf.reshape_event(part, 1, shape)
            for part, shape in zip(
                tf.split(latents, sizes, axis=-1), event_shapes
            )
        ]

    def merge_latents(self, parts):
        """The inverse of `split_latents`: `[..., H * W * C]` from its levels."""
        parts = [tf.convert_to_tensor(p, dtype_hint=self.dtype) for p in parts]
        received = [tuple(part.shape[-3:]) for part in parts]
        if received != self.latent_shapes:
            raise ValueError(
                "Invalid shapes received for argument `parts`. Expected the "
                f"event shapes {self.latent_shapes}. Received: {received}"
            )
        return tf.concat([_flatten_event(part) for part in parts], axis=-1)

    def initialize(self, image, conditioning=None):
        """Sets the norms from one batch of images.

        Afterwards each `ActNorm` and each hidden layer has outputs of mean 0
        and variance 1 per channel on this batch. With `initialization="whiten"`
        the outputs of each 1x1 convolution are also uncorrelated, and those of
        the last one of a level are sorted by how little they differ between
        neighboring pixels.

        Args:
            image: `Tensor` of shape `[..., H, W, C]`.
            conditioning: see the class.

        Returns:
            The latents `inverse(image)`, after the initialization.
        """
        h = tf.convert_to_tensor(image, self.dtype)
        h, kwargs = self._broadcast(h, 3, conditioning)
        latents = []
        for level, (for_steps, for_prior) in zip(self._levels, kwargs):
            h = level.steps.initialize(self._squeeze.forward(h), **for_steps)
            h, _ = level.prior.forward_and_log_det(h, **for_prior)
            if len(latents) < self.num_levels - 1:
                h, z = tf.split(h, 2, axis=-1)
                latents.append(_flatten_event(z))
        return tf.concat([*latents, _flatten_event(h)], axis=-1)

    def top_features(self, latents, conditioning=None):
        """Returns the input of the top prior, given latent vectors.

        Unlike the latent vector it does not depend on the conditioning if
        `conditioned="priors"`. It has the shape of the top level.
        """
        latents = tf.convert_to_tensor(latents, dtype_hint=self.dtype)
        latents, kwargs = self._broadcast(latents, 1, conditioning)
        top = self.split_latents(latents)[-1]
        return self._levels[-1].prior.inverse(top, **kwargs[-1][1])

    def _broadcast(self, x, event_ndims, conditioning):
        """Returns `x` and the keyword arguments of levels' steps and priors."""
        x, given = conditional.broadcast(self, x, event_ndims, conditioning)
        return x, levels_.keyword_arguments(self, given)

    def inverse_and_log_det(self, y, conditioning=None):
        _checks.event(self, y.shape[-3:], tf.TensorShape(self.image_shape))
        y = _tf.ensure_event_shape(y, self.image_shape)
        h, kwargs = self._broadcast(y, 3, conditioning)
        batch = ps.shape(h)[:-3]
        log_det = tf.zeros([], y.dtype)
        latents = []
        for i, level in enumerate(self._levels):
            for_steps, for_prior = kwargs[i]
            h = self._squeeze.forward(h)
            h, more = level.steps.forward_and_log_det(h, **for_steps)
            h = self._check(h, i, "the steps")
            log_det += more
            h, more = level.prior.forward_and_log_det(h, **for_prior)
            h = self._check(h, i, "the prior")
            log_det += more
            if i < self.num_levels - 1:
                h, z = tf.split(h, 2, axis=-1)
                latents.append(_flatten_event(z))
        latents.append(_flatten_event(h))
        return tf.concat(latents, axis=-1), tf.broadcast_to(log_det, batch)

    def forward_and_log_det(self, x, conditioning=None):
        x, kwargs = self._broadcast(x, 1, conditioning)
        batch = ps.shape(x)[:-1]
        *latents, h = self.split_latents(x)
        log_det = tf.zeros([], x.dtype)
        for i, level in reversed(list(enumerate(self._levels))):
            for_steps, for_prior = kwargs[i]
            if i < self.num_levels - 1:
                h = tf.concat([h, latents[i]], axis=-1)
            h, more = level.prior.inverse_and_log_det(h, **for_prior)
            h = self._check(h, i, "the prior")
            log_det += more
            h, more = level.steps.inverse_and_log_det(h, **for_steps)
            h = self._check(h, i, "the steps")
            log_det += more
            h = self._squeeze.inverse(h)
        return h, tf.broadcast_to(log_det, batch)

    def _check(self, h, level, part):
        if not self.validate_args:
            return h
        return tf.debugging.check_numerics(
            h, f"{self.name}: not finite after level {level}, {part}"
        )

    def __repr__(self):
        return levels_.description(self)

    @property
    def latent_shapes(self):
        """The event shapes of the tensors that `split_latents` returns."""
        *below, top = levels_.level_shapes(self.image_shape, self.num_levels)
        return [(h, w, c // 2) for h, w, c in below] + [top]

    def _forward_event_shape(self, input_shape):
        size = math.prod(self.image_shape)
        return _replace_event(self, input_shape, [size], self.image_shape)

    def _inverse_event_shape(self, output_shape):
        size = math.prod(self.image_shape)
        return _replace_event(self, output_shape, self.image_shape, [size])

    def _forward_event_shape_tensor(self, input_shape):
        return tf.concat([input_shape[:-1], self.image_shape], axis=0)

    def _inverse_event_shape_tensor(self, output_shape):
        size = math.prod(self.image_shape)
        return tf.concat([output_shape[:-3], [size]], axis=0)


def _replace_event(glow, shape, event, other):
    """Replaces the last dimensions of a shape, as `tfb.Reshape` does."""
    if shape.rank is None:
        return tf.TensorShape(other)
    _checks.event(glow, shape[-len(event) :], tf.TensorShape(event))
    return shape[: -len(event)].concatenate(other)


def _flatten_event(x):
    return _tf.reshape_event(x, 3, [math.prod(x.shape[-3:])])
