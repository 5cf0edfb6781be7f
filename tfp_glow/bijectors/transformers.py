# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Elementwise transformations of a coupling, and their parameters."""

import abc
import collections.abc
import dataclasses
import math

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow.bijectors import joint
from tfp_glow.bijectors import mixture_of_logistics
from tfp_glow.bijectors import rational_quadratic

tfb = tfp.bijectors


class Transformer(abc.ABC):
    """An invertible function of single elements, with parameters per element.

    A `Coupling` applies it to one half of its input. The coupling's network
    computes the parameters from the other half.

    A subclass sets `outputs_per_channel` and implements two methods:

    ```none
    y, log_det = forward(x, outputs)    log_det = log|dy/dx|
    x, log_det = inverse(y, outputs)    log_det = log|dx/dy|
    ```

    | | shape |
    |---|---|
    | `x`, `y` | `[..., C]` |
    | `outputs` | `[..., C * outputs_per_channel]` |
    | `log_det` | that of `x`, or `[]` if it is the same for all elements |

    Outputs of zeros should nearly give the identity, since the package's
    networks start at zero. Models can be saved if the subclass is a dataclass
    of plain values with `keras.saving.register_keras_serializable`.

    Example:

    ```python
    @dataclasses.dataclass(frozen=True)
    class Scale(tfg.Transformer):
        outputs_per_channel = 1

        def forward(self, x, outputs):
            return x * tf.exp(outputs), outputs

        def inverse(self, y, outputs):
            return y * tf.exp(-outputs), -outputs

    coupling = tfg.Coupling(tf.sin, Scale(), event_ndims=1)
    coupling.forward([[1.0, 2.0]])  # y1 = 1, y2 = 2 exp(sin(1))
    ```
    """

    outputs_per_channel: int
    # Whether the log-det is the same for all inputs.
    is_constant_jacobian = False

    @abc.abstractmethod
    def forward(self, x, outputs):
        """Transforms elements; returns them and the logarithm of the slope."""

    @abc.abstractmethod
    def inverse(self, y, outputs):
        """Undoes `forward`; returns the elements and the log of its slope."""

    def get_config(self):
        """Returns the fields of the dataclass, for Keras' serialization."""
        if not dataclasses.is_dataclass(self):
            raise TypeError(
                "Expected a dataclass of plain values, or a method `get_config`, "
                "to save a model with this `Transformer`. Received: "
                f"{type(self).__name__}"
            )
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config):
        """Makes the transformer from `get_config`."""
        return cls(**config)


def _sigmoid(raw):
    raw += 2.0
    # `log_sigmoid` keeps the digits of a small scale.
    return tf.math.sigmoid(raw), tf.math.log_sigmoid(raw)


def _half_sigmoid(raw):
    scale = 0.5 * tf.math.sigmoid(raw + 2.0) + 0.5
    return scale, tf.math.log(scale)


def _bounded_exp(raw):
    log_scale = math.log(2.0) * tf.math.tanh(raw)
    return tf.math.exp(log_scale), log_scale


# Functions from a network's raw output to a scale and its logarithm.
SCALES = {
    "sigmoid": _sigmoid,
    "half_sigmoid": _half_sigmoid,
    "bounded_exp": _bounded_exp,
    "exp": lambda raw: (tf.math.exp(raw), raw),
}


@keras.saving.register_keras_serializable(package="tfp_glow")
@dataclasses.dataclass(frozen=True)
class Affine(Transformer):
    """Scales and shifts every element.

    ```none
    t, r = outputs
    y = s(r) * x + t
    ```

    | `scale` | `s(r)` | range | `s(0)` |
    |---|---|---|---|
    | `"sigmoid"` | `sigmoid(r + 2)`, the paper's code | (0, 1) | 0.88 |
    | `"half_sigmoid"` | `0.5 sigmoid(r + 2) + 0.5` | (1/2, 1) | 0.94 |
    | `"bounded_exp"` | `2**tanh(r)` | [1/2, 2] | 1 |
    | `"exp"` | `exp(r)` | (0, inf) | 1 |
    """

    scale: str = "sigmoid"
    outputs_per_channel = 2

    def __post_init__(self):
        _checks.choice("scale", self.scale, tuple(SCALES))

    def forward(self, x, outputs):
        shift, raw = tf.split(outputs, 2, axis=-1)
        scale, log_scale = SCALES[self.scale](raw)
        return scale * x + shift, log_scale

    def inverse(self, y, outputs):
        shift, raw = tf.split(outputs, 2, axis=-1)
        scale, log_scale = SCALES[self.scale](raw)
        return (y - shift) / scale, -log_scale


@keras.saving.register_keras_serializable(package="tfp_glow")
@dataclasses.dataclass(frozen=True)
class Additive(Transformer):
    """Shifts every element: `y = x + outputs`."""

    outputs_per_channel = 1
    is_constant_jacobian = True

    def forward(self, x, outputs):
        return x + outputs, tf.zeros([], x.dtype)

    def inverse(self, y, outputs):
        return y - outputs, tf.zeros([], y.dtype)


@keras.saving.register_keras_serializable(package="tfp_glow")
@dataclasses.dataclass(frozen=True)
class Elementwise(Transformer):
    """Applies any `tfb.Bijector` of single elements; `Coupling` has an example.

    Attributes:
        outputs_per_channel: positive `int`, network outputs for each channel.
        make_bijector: callable from the network's outputs, `[..., C *
            outputs_per_channel]`, to a `tfb.Bijector` of
            `forward_min_event_ndims=0` that transforms `[..., C]`. Models can be
            saved if it is a class of `tfb` or a function with
            `keras.saving.register_keras_serializable`.
    """

    outputs_per_channel: int
    make_bijector: collections.abc.Callable

    def __post_init__(self):
        [outputs_per_channel] = _checks.positive_integer(
            outputs_per_channel=self.outputs_per_channel
        )
        vars(self).update(outputs_per_channel=outputs_per_channel)

    def forward(self, x, outputs):
        return joint.evaluate(self.make_bijector(outputs), x, 0)

    def inverse(self, y, outputs):
        return joint.evaluate(self.make_bijector(outputs), y, 0, inverse=True)

    def get_config(self):
        name = keras.saving.get_registered_name(self.make_bijector)
        if _bijector_function(name) is not self.make_bijector:
            raise TypeError(
                "Expected `make_bijector` to be a class of `tfb` or a function "
                "with `keras.saving.register_keras_serializable`, to save a "
                f"model with it. Received: {self.make_bijector}"
            )
        return dataclasses.asdict(self) | {"make_bijector": name}

    @classmethod
    def from_config(cls, config):
        function = _bijector_function(config["make_bijector"])
        return cls(**{**config, "make_bijector": function})


def _bijector_function(name):
    """Returns a class of `tfb`, or a registered function, by its name."""
    return getattr(tfb, name, keras.saving.get_registered_object(name))


# After ActNorm fewer than one activation in a million lies outside this range,
# and the networks, which see 4 tanh(x / 4), could not distinguish larger values.
SPLINE_BOUND = 5.0

# The least slope, and the least size of a bin as a fraction of the mean. A bin
# of zero width would have an infinite slope.
_LEAST = 1e-2


@keras.saving.register_keras_serializable(package="tfp_glow")
@dataclasses.dataclass(frozen=True)
class Spline(Transformer):
    """Transforms every element by an increasing rational-quadratic spline.

    ```none
    w, h, d = outputs, for every element: num_bins, num_bins, num_bins - 1
    y = spline(x) if |x| < bound else x
    ```

    The spline runs from `(-bound, -bound)` to `(bound, bound)`, with slope 1 at
    both ends. With `m = 0.01`, its bins have

    ```none
    width_i  = 2 bound (m / num_bins + (1 - m) softmax(w)_i)
    height_i = 2 bound (m / num_bins + (1 - m) softmax(h)_i)
    slope_i  = m + softplus(d_i + log(exp(1 - m) - 1)),  1 if d_i = 0
    ```

    so outputs of zeros give the identity. No element moves further than
    `2 * bound`, which keeps samples finite. The outputs of one channel are
    adjacent: `w`, then `h`, then `d`.

    Attributes:
        num_bins: `int`, at least 2.
        bound: positive `float`, in units of the input.

    References:
        Durkan et al., Neural spline flows, 2019, section 3 and appendix A.
    """

    num_bins: int = 8
    bound: float = SPLINE_BOUND

    def __post_init__(self):
        expected = "an integer, at least 2"
        [num_bins] = _checks.integers(2, expected, num_bins=self.num_bins)
        expected = "a positive, finite number"
        bound = _checks.number(
            "bound", self.bound, expected, lambda x: 0.0 < x < math.inf
        )
        vars(self).update(num_bins=num_bins, bound=bound)

    @property
    def outputs_per_channel(self):
        return 3 * self.num_bins - 1

    def forward(self, x, outputs):
        return rational_quadratic.spline(x, *self._bins(outputs))

    def inverse(self, y, outputs):
        return rational_quadratic.spline(y, *self._bins(outputs), inverse=True)

    def _bins(self, outputs):
        k = self.num_bins
        outputs = _tf.per_channel(outputs, self.outputs_per_channel)
        widths, heights, slopes = tf.split(outputs, [k, k, k - 1], axis=-1)
        offset = math.log(math.expm1(1.0 - _LEAST))
        slopes = _LEAST + tf.math.softplus(slopes + offset)
        sizes = self._bin_sizes(widths), self._bin_sizes(heights)
        return *sizes, slopes, self.bound

    def _bin_sizes(self, raw):
        fractions = _LEAST / self.num_bins + (1.0 - _LEAST) * tf.nn.softmax(raw)
        return 2.0 * self.bound * fractions


@keras.saving.register_keras_serializable(package="tfp_glow")
@dataclasses.dataclass(frozen=True)
class Mixture(Transformer):
    """Transforms every element by the CDF of a mixture of logistics.

    ```none
    a, b, p, m, r = outputs, for every element: 1, 1, K, K, K = num_components
    F = CDF of sum{ softmax(p)_i logistic(m_i + spread_i, exp(tanh(r_i))) : i }
    y = 2**tanh(a) * logit(F(x)) + b
    ```

    `spread` are K numbers from 1 to -1, because identical components would
    receive identical gradients and stay identical. Outputs of zeros nearly give
    the identity, `|y - x| < 0.27` if K = 4. The outputs of one channel are
    adjacent: `a`, `b`, `p`, `m`, `r`.

    The scale of the affine map is in (1/2, 2), and those of the components in
    (1/e, e). So the inverse of a large number is at most `2 e` times as large,
    and no CDF is so flat that its inverse loses digits. The inverse is a search
    of about ten evaluations of the CDFs.

    References:
        Ho et al., Flow++, 2019, section 3.2.
    """

    num_components: int = 4

    def __post_init__(self):
        [num_components] = _checks.positive_integer(
            num_components=self.num_components
        )
        vars(self).update(num_components=num_components)

    @property
    def outputs_per_channel(self):
        return 3 * self.num_components + 2

    def forward(self, x, outputs):
        scale, log_scale, shift, bend = self._parts(outputs)
        bent, log_det = bend.forward_and_log_det(x)
        return scale * bent + shift, log_det + log_scale

    def inverse(self, y, outputs):
        scale, log_scale, shift, bend = self._parts(outputs)
        x, log_det = bend.inverse_and_log_det((y - shift) / scale)
        return x, log_det - log_scale

    def _parts(self, outputs):
        k = self.num_components
        outputs = _tf.per_channel(outputs, self.outputs_per_channel)
        raw, shift, logits, loc, log_scales = tf.split(
            outputs, [1, 1, k, k, k], axis=-1
        )
        spread = np.linspace(1.0, -1.0, k) if k > 1 else np.zeros(1)
        bend = mixture_of_logistics.MixtureOfLogistics(
            logits,
            loc + tf.constant(spread, loc.dtype),
            tf.math.tanh(log_scales),
        )
        return *_bounded_exp(raw[..., 0]), shift[..., 0], bend


# The names that `coupling=` takes. Splines and mixtures were measured to be no
# better than "affine" at equal training time; see docs/benchmarks.md.
TRANSFORMERS = {
    "affine": Affine(),
    "affine_half_sigmoid": Affine("half_sigmoid"),
    "affine_bounded_exp": Affine("bounded_exp"),
    "affine_exp": Affine("exp"),
    "additive": Additive(),
    "spline": Spline(),
    "mixture": Mixture(),
}


def get(value, argument="coupling"):
    """Returns a `Transformer`, given itself or its name."""
    if isinstance(value, Transformer):
        return value
    _checks.choice(argument, value, tuple(TRANSFORMERS))
    return TRANSFORMERS[value]
