# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Glow: the multi-scale flow from a latent vector to an image."""

import math

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import prefer_static as ps

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow import networks
from tfp_glow.bijectors import glow_levels
from tfp_glow.bijectors import glow_steps
from tfp_glow.bijectors import joint
from tfp_glow.bijectors import scales
from tfp_glow.bijectors import squeeze

tfb = tfp.bijectors


class Glow(joint.OneEvaluation):
    """The bijector from a latent vector to an image.

    `forward` takes the latent to the image, as `tfb.Glow` does, so that
    `tfd.TransformedDistribution(standard_normal, Glow(...))` is the model. The
    inverse reads:

    ```none
    h = image
    for level in 1 ... num_levels:
        h = squeeze(h)
        num_steps times:  h = coupling(conv1x1(actnorm(h)))
        below the top:    h, x = split(h);  z[level] = (x - m(h)) * s(h)
        at the top:       z[level] = (h - m) * s
    latent = concat(flatten(z[1]), ..., flatten(z[num_levels]))
    ```

    The functions `m` and `s` of the split priors are zero-initialised
    convolutions, and at the top one mean and one scale per element, so the
    latent's distribution is a plain standard normal.

    With a `conditioning_size` the methods take one more argument,
    `conditioning`, on which the couplings' networks and the priors depend, at
    first by nothing. Gradients reach it.

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

    def __init__(
        self,
        image_shape,
        num_levels=3,
        num_steps=32,
        num_filters=512,
        seed=None,
        dtype=tf.float32,
        permutation="learned",
        coupling="affine",
        scale="sigmoid",
        mask="channel",
        network="paper",
        edge_padding=True,
        input_bound=networks.INPUT_BOUND,
        output_bound=networks.OUTPUT_BOUND,
        network_dtype=None,
        conditioning_size=None,
        conditioned="all",
        learn_split_priors=True,
        learn_top_prior=True,
        initialization="normalize",
        gradient="invert",
        unroll=False,
        levels=None,
        validate_args=False,
        name="glow",
    ):
        """Makes the bijector and its variables.

        Args:
            image_shape: `(H, W, C)`.
            num_levels: positive `int`, `L` in the paper.
            num_steps: positive `int`, steps of each level, `K` in the paper.
            num_filters: positive `int`, width of the couplings' networks.
            seed: `int` or `None`; the same seed gives the same variables.
            dtype: floating dtype.
            permutation: what mixes the channels: `"learned"`, a 1x1
                convolution as `Invertible1x1Conv` keeps it; `"full"` or
                `"householder"`, as the classes so named do; or, fixed,
                `"reverse"` or `"shuffle"`.
            coupling: `"affine"`, `"additive"`, `"spline"` or `"mixture"`; see
                `AffineCoupling`, `SplineCoupling` and `MixtureCoupling`.
            scale: name of the scale function of affine couplings.
            mask: `"channel"`, or `"checkerboard"` for steps of two couplings,
                which change one colour of a checkerboard's cells each.
            network: the couplings' network: `"paper"`, or a Keras layer of your
                own, see `networks.make_network`.
            edge_padding, input_bound, output_bound: see
                `networks.CouplingNetwork`.
            network_dtype: dtype or Keras dtype policy of the networks alone,
                such as `"mixed_bfloat16"`; by default `dtype`. The flow around
                them, its log-det and its norms always compute in `dtype`.
            conditioning_size: `int`, the size of vectors, or the shape
                `(H, W, D)` of images of `image_shape`'s height and width, on
                which the flow is conditioned, or `None`. A class is a one-hot
                vector.
            conditioned: `"all"`, or `"priors"` to leave the couplings alone.
            learn_split_priors, learn_top_prior: `bool`; if false, a standard
                normal is the prior of what leaves at these levels.
            initialization: what `initialize` does, and so the first batches of
                a training: `"normalize"`, the paper's, sets the activation
                norms; `"whiten"` sets the 1x1 convolutions too, `"learned"` or
                `"full"` ones, so that the channels that they mix are
                uncorrelated, and the smooth ones go on to the next level. It
                is the better start; README, "A start that knows
                correlations", has the figures.
            gradient: `"store"`, `"recompute"` or `"invert"`; see `Repeated`.
                The default takes the least memory, and its gradients were
                measured to be as exact as those of the others. `"store"` is
                about a fifth faster where memory allows it; README, "Depth",
                has the figures.
            unroll: `bool`; see `Repeated`.
            levels: the levels of another `Glow` of the same arguments, to
                share its variables; `copy()` uses this.
            validate_args: `bool`; if true, a value that is not finite raises
                `tf.errors.InvalidArgumentError` and names the level and step
                after which it first appeared (not in a program compiled by
                XLA, which drops such checks).
            name: `str`.

        Raises:
            ValueError: if an argument is not as described; for a size that
                cannot be halved often enough, sizes that can are named.
        """
        parameters = dict(locals())
        _checks.positive_integer(
            num_levels=num_levels, num_steps=num_steps, num_filters=num_filters
        )
        image_shape = glow_levels.checked_image_shape(image_shape, num_levels)
        _checks.choice(
            "permutation", permutation, tuple(glow_steps.PERMUTATIONS)
        )
        _checks.choice("coupling", coupling, tuple(glow_steps.COUPLINGS))
        _checks.choice("scale", scale, tuple(scales.SCALES))
        _checks.choice("mask", mask, tuple(glow_steps.NETWORKS))
        _checks.choice("conditioned", conditioned, ("all", "priors"))
        glow_steps.check_initialization(initialization, permutation)
        networks.check_network(network)
        conditioning_shape = glow_levels.checked_conditioning_shape(
            conditioning_size, image_shape
        )
        with tf.name_scope(name) as name:
            self._image_shape = image_shape
            self._conditioning_shape = conditioning_shape
            self._conditioned = conditioned
            self._squeeze = squeeze.Squeeze()
            if levels is None:
                levels = glow_levels.make_levels(
                    glow_levels.level_shapes(image_shape, num_levels),
                    num_steps=num_steps,
                    num_filters=num_filters,
                    seed=seed,
                    dtype=dtype,
                    permutation=permutation,
                    coupling=coupling,
                    scale=scale,
                    mask=mask,
                    conditioning_sizes=glow_levels.conditioning_sizes(
                        conditioning_shape, num_levels
                    ),
                    conditioned=conditioned,
                    learn_split_priors=learn_split_priors,
                    learn_top_prior=learn_top_prior,
                    initialization=initialization,
                    network=network,
                    network_arguments=dict(
                        edge_padding=edge_padding,
                        input_bound=input_bound,
                        output_bound=output_bound,
                        dtype=network_dtype or tf.as_dtype(dtype).name,
                    ),
                )
            # How the loops run is a matter of this bijector, not of the levels.
            self._levels = tuple(
                level._replace(
                    steps=level.steps.copy(
                        gradient=gradient,
                        unroll=unroll,
                        validate_args=validate_args,
                        name=f"level_{i}",
                    )
                )
                for i, level in enumerate(levels)
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

    @classmethod
    def _parameter_properties(cls, dtype):
        return dict()

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
        """The steps of a level, `num_steps` bijectors from data to latent."""
        return self._levels[level].steps.steps

    def split_latents(self, latents):
        """Splits latent vectors into their levels, the finest first.

        Args:
            latents: `Tensor` of shape `[..., H * W * C]`.

        Returns:
            A list of `num_levels` tensors; see the class for their shapes.
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
        """Sets what data can set from one batch, in one walk.

        After it each `ActNorm` and each hidden layer has outputs of mean 0 and
        variance 1 per channel on this batch. With `initialization="whiten"` the
        outputs of each 1x1 convolution are uncorrelated too, and those of the
        last one of a level in the order of how little they differ between
        neighbours.

        Args:
            image: `Tensor` of shape `[..., H, W, C]`.
            conditioning: as of the other methods.

        Returns:
            What `inverse(image)` gives from then on.
        """
        image = tf.convert_to_tensor(image, self.dtype)
        latent, _ = self._towards_latent(image, conditioning, _initialize)
        return latent

    def top_features(self, latents, conditioning=None):
        """What enters the top prior, for latent vectors.

        Unlike the latent vector itself it does not depend on the conditioning
        if only the priors do.

        Args:
            latents: `Tensor` `[..., H * W * C]`.
            conditioning: as of the other methods.

        Returns:
            `Tensor` of the shape of the top level; see the class.
        """
        top = self.split_latents(latents)[-1]
        _, kwargs = self._conditioning_kwargs(
            conditioning, ps.shape(latents)[:-1]
        )[-1]
        return self._levels[-1].prior.inverse(top, **kwargs)

    def _conditioning_kwargs(self, conditioning, batch_shape):
        """For every level the keyword arguments of its steps and its prior."""
        of_levels = glow_levels.conditioning_of_levels(
            self, conditioning, batch_shape
        )
        return [
            (
                {"conditioning": c}
                if c is not None and self._conditioned == "all"
                else {},
                {"conditioning": c}
                if c is not None and not isinstance(level.prior, tfb.Identity)
                else {},
            )
            for c, level in zip(of_levels, self._levels)
        ]

    def _inverse_and_log_det(self, y, conditioning=None):
        return self._towards_latent(y, conditioning, _apply)

    def _towards_latent(self, y, conditioning, apply_steps):
        _checks.event(self, y.shape[-3:], tf.TensorShape(self.image_shape))
        batch = ps.shape(y)[:-3]
        conditioning = self._conditioning_kwargs(conditioning, batch)
        h = y
        log_det = tf.zeros([], y.dtype)
        latents = []
        for i, level in enumerate(self._levels):
            for_steps, for_prior = conditioning[i]
            h = self._squeeze.forward(h)
            h, log_det = apply_steps(level.steps, h, log_det, for_steps)
            h = self._check(h, i, "the steps")
            h, log_det = _apply(level.prior, h, log_det, for_prior)
            h = self._check(h, i, "the prior")
            if i < self.num_levels - 1:
                h, z = tf.split(h, 2, axis=-1)
                latents.append(_flatten_event(z))
        latents.append(_flatten_event(h))
        return tf.concat(latents, axis=-1), tf.broadcast_to(log_det, batch)

    def _forward_and_log_det(self, x, conditioning=None):
        *latents, h = self.split_latents(x)
        batch = ps.shape(x)[:-1]
        conditioning = self._conditioning_kwargs(conditioning, batch)
        log_det = tf.zeros([], x.dtype)
        for i, level in reversed(list(enumerate(self._levels))):
            for_steps, for_prior = conditioning[i]
            if i < self.num_levels - 1:
                h = tf.concat([h, latents[i]], axis=-1)
            h, log_det = _apply_inverse(level.prior, h, log_det, for_prior)
            h = self._check(h, i, "the prior")
            h, log_det = _apply_inverse(level.steps, h, log_det, for_steps)
            h = self._check(h, i, "the steps")
            h = self._squeeze.inverse(h)
        return h, tf.broadcast_to(log_det, batch)

    def _check(self, h, level, part):
        if not self.validate_args:
            return h
        return tf.debugging.check_numerics(
            h, f"{self.name}: not finite after level {level}, {part}"
        )

    @property
    def latent_shapes(self):
        """The event shapes of what `split_latents` gives."""
        *below, top = glow_levels.level_shapes(
            self.image_shape, self.num_levels
        )
        return [(h, w, c // 2) for h, w, c in below] + [top]

    def _forward_event_shape(self, input_shape):
        size = math.prod(self.image_shape)
        if input_shape.rank is not None:
            _checks.event(self, input_shape, tf.TensorShape([size]))
        return tf.TensorShape(self.image_shape)

    def _inverse_event_shape(self, output_shape):
        if output_shape.rank is not None:
            _checks.event(self, output_shape, tf.TensorShape(self.image_shape))
        return tf.TensorShape([math.prod(self.image_shape)])

    def _forward_event_shape_tensor(self, input_shape):
        return tf.constant(self.image_shape, tf.int32)

    def _inverse_event_shape_tensor(self, output_shape):
        return tf.constant([math.prod(self.image_shape)], tf.int32)


def _initialize(steps, h, log_det, conditioning):
    return steps.initialize(h, **conditioning), log_det


def _apply(bijector, h, log_det, conditioning):
    y = bijector.forward(h, **conditioning)
    return y, log_det + bijector.forward_log_det_jacobian(
        h, event_ndims=3, **conditioning
    )


def _apply_inverse(bijector, h, log_det, conditioning):
    x = bijector.inverse(h, **conditioning)
    return x, log_det + bijector.inverse_log_det_jacobian(
        h, event_ndims=3, **conditioning
    )


def _flatten_event(x):
    return _tf.reshape_event(x, 3, [math.prod(x.shape[-3:])])
