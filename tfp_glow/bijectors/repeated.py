# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`Repeated`: K bijectors of one kind, as a loop over stacked parameters."""

import collections.abc
import copy

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow.bijectors import gradients
from tfp_glow.bijectors import initialization
from tfp_glow.bijectors import joint
from tfp_glow.bijectors import parts
from tfp_glow.bijectors import scan
from tfp_glow.networks import weight_noise

tfb = tfp.bijectors


class Repeated(initialization.DataDependent, joint.JointBijector):
    """The composition of K bijectors of one kind, run as a loop.

    ```none
    h[0] = x
    h[k + 1] = step_fn(slice k of the parameters).forward(h[k])
    y = h[K]
    log|det dy/dx| = sum{ log|det dh[k + 1] / dh[k]| : k }
    ```

    The graph holds one step whatever K is, so tracing, graph optimization and
    the optimizer's update cost the same for 4 steps as for 64.

    | `gradient` | stored for the backward pass | evaluations of a step |
    |---|---|---|
    | `"store"` | everything that the steps computed | 1 |
    | `"recompute"` | the input of every step | 2 |
    | `"invert"` | the output of the last step | 2 of a `SplitBijector`, else 3 |

    `"store"` is ordinary automatic differentiation, and the only mode that has
    second derivatives. Forward-mode derivatives, those of
    `tf.autodiff.ForwardAccumulator`, do not exist. `"invert"` recomputes the
    input of every step from its output, so it stores no activations whatever K
    is. Its gradients carry the rounding errors of the inverses, which
    `benchmarks/gradient_error.py` measures for a Glow. A `SplitBijector`, such
    as `AffineCoupling`, evaluates its network once for both the inverse and the
    gradient.

    On a CPU whose operations have one thread each, as `tf.config.threading` sets
    them, a batch is divided into parts that run at once.

    | | shape |
    |---|---|
    | `parameters` | every tensor `[K, ...]` |
    | `x`, `y` | those of a step |

    Keyword arguments of the methods are tensors, which are passed on to
    `step_fn`. Gradients flow to them and to the parameters, but not to other
    tensors that `step_fn` uses. It must not read other variables.

    Example:

    ```python
    def step_fn(p):
        return tfb.Chain([tfb.Shift(p["shift"]), tfb.Scale(log_scale=p["log"])])

    parameters = {
        "shift": tf.Variable(tf.zeros([8, 3])),
        "log": tf.Variable(tf.zeros([8, 3])),
    }
    flow = tfg.Repeated(step_fn, parameters)  # 8 steps
    flow.forward(tf.ones([5, 3]))  # [5, 3]
    ```

    References:
        Gomez et al., The reversible residual network, 2017; Kingma and
        Dhariwal, Glow, 2018, section 1.
    """

    def __init__(
        self,
        step_fn,
        parameters,
        gradient="invert",
        prepare_fn=None,
        initialize_fn=None,
        event_ndims=None,
        dtype=None,
        validate_args=False,
        name="repeated",
    ):
        """Makes the bijector.

        Args:
            step_fn: callable from one step's slice of the parameters, and
                keyword arguments if any are used, to a `tfb.Bijector` that
                keeps the shape of an event.
            parameters: nested structure of tensors or `tf.Variable`s whose
                leading dimensions are all K.
            gradient: `"store"`, `"recompute"` or `"invert"`.
            prepare_fn: optional callable from the stacked parameters, as
                tensors, and `inverse` to stacked values; `step_fn` gets slices
                of these. It computes what does not depend on data, for all
                steps at once. If `inverse` is true, only the steps' inverses
                will run, if it is false, only the steps, and if it is `None`,
                both.
            initialize_fn: optional callable for `initialize`, from one step's
                slice of the parameters, its input and its index, a `Tensor`, to
                the slice's new values.
            event_ndims: `int`, dimensions of an event of a step; by default
                the minimum of what `step_fn` returns without conditioning.
            dtype: dtype that inputs must have, or `None` for any.
            validate_args: `bool`; if true, a value that is not finite raises
                `tf.errors.InvalidArgumentError` and names the step, and so does
                a gradient (except with `"store"`).
            name: `str`.

        Raises:
            TypeError: if `step_fn` does not return a bijector.
            ValueError: for an unknown `gradient`, or if there are no parameters
                or their leading dimensions differ.
        """
        arguments = dict(locals())
        _checks.choice("gradient", gradient, gradients.GRADIENTS)
        with tf.name_scope(name) as name:
            self._step_fn = step_fn
            self._stacked = parameters
            self._gradient = gradient
            self._prepare_fn = prepare_fn or (lambda stacked, inverse: stacked)
            self._initialize_fn = initialize_fn
            self._num_steps = _leading_dimension(parameters)
            # This is not a dependency because a checkpoint cannot hold
            # dictionaries whose keys are not strings.
            self._compiled = self._no_dependency({})
            if event_ndims is None:
                event_ndims = self._step_event_ndims()
            super().__init__(
                forward_min_event_ndims=event_ndims,
                validate_args=validate_args,
                dtype=dtype,
                parameters=arguments,
                name=name,
            )
            # The index tells whether the inverse is applied.
            self._runs = tuple(
                gradients.bind(self, inverse) for inverse in (False, True)
            )

    @property
    def num_steps(self):
        """The number of steps, K."""
        return self._num_steps

    @property
    def gradient(self):
        """The way to compute gradients: `"store"`, `"recompute"` or `"invert"`."""
        return self._gradient

    def __repr__(self):
        sizes = [p.shape.num_elements() for p in tf.nest.flatten(self._stacked)]
        shapes = tf.nest.map_structure(lambda p: tuple(p.shape), self._stacked)
        return (
            f"<tfp_glow.Repeated {self.name!r} num_steps={self.num_steps} "
            f"gradient={self.gradient!r} num_parameters={sum(sizes)} "
            f"shapes={_plain(shapes)}>"
        )

    def step(self, index, **conditioning):
        """Returns the bijector of a step, with the parameters' current values.

        `index` is an `int` or a scalar `Tensor`.
        """
        stacked = tf.nest.map_structure(
            lambda p: tf.reshape(p[index : index + 1], [1, *p.shape[1:]]),
            self._tensors(),
        )
        prepared = self._prepare_fn(stacked, inverse=None)
        return self._make_step(scan.first(prepared), conditioning)

    def initialize(self, x, **conditioning):
        """Sets every step's parameters from its own input, by `initialize_fn`.

        Parameters that are not variables keep their values. Returns `forward(x)`
        with the new values.
        """
        x = tf.convert_to_tensor(x, dtype_hint=self.dtype)
        if self._initialize_fn is None:
            return self.forward(x, **conditioning)
        run = self._initial_values
        if self.num_steps >= 8:  # Fewer are done before they would be traced.
            # Calls that trace many functions would make TensorFlow warn.
            run = tf.function(run, autograph=False)
            run = run.get_concrete_function(x, conditioning)
        y, values = run(x, conditioning)
        for parameter, value in zip(
            tf.nest.flatten(self._stacked), tf.nest.flatten(values)
        ):
            if hasattr(parameter, "assign"):
                parameter.assign(value)
        return y

    def _initial_values(self, x, conditioning):
        stacked = self._tensors()

        def step(k, x, p, conditioning):
            p = self._initialize_fn(p, x, k)
            prepared = self._prepare_fn(
                tf.nest.map_structure(lambda value: value[tf.newaxis], p),
                inverse=False,
            )
            bijector = self._make_step(scan.first(prepared), conditioning)
            return tf.ensure_shape(bijector.forward(x), x.shape), p

        return scan.scan(
            step,
            x,
            stacked,
            conditioning,
            num_steps=self.num_steps,
            outs=scan.specs(stacked),
        )

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        # Traced functions cannot be copied.
        return self.copy(parameters=copy.deepcopy(self._stacked, memo))

    def __reduce__(self):
        raise TypeError(
            "Expected an object that can be pickled. Received: bijector "
            f"`{self.name}`, which contains functions. Save its variables with "
            "`tf.train.Checkpoint`, or a `GlowModel` in a `.keras` file"
        )

    def forward_and_log_det(self, x, **conditioning):
        _checks.at_least_rank(self, x, self.forward_min_event_ndims)
        if tf.executing_eagerly() and not weight_noise.is_on():
            return self._eagerly(False, x, conditioning)
        run = self._run(False, x, conditioning)
        return run(x, self._prepare(False), conditioning)

    def inverse_and_log_det(self, y, **conditioning):
        _checks.at_least_rank(self, y, self.forward_min_event_ndims)
        if tf.executing_eagerly() and not weight_noise.is_on():
            return self._eagerly(True, y, conditioning)
        run = self._run(True, y, conditioning)
        return run(y, self._prepare(True), conditioning)

    def _run(self, inverse, x, conditioning):
        """Returns the loop that `x` goes through, or its inverse."""
        event_ndims = self.forward_min_event_ndims
        return parts.at_once(self._runs[inverse], x, event_ndims, conditioning)

    def _eagerly(self, inverse, x, conditioning):
        """Runs the loop in a traced function instead of step by step."""
        # A function that is traced for several event shapes forgets them, and
        # errors could not name what is wrong with the next one.
        event_shape = tuple(x.shape[-self.forward_min_event_ndims :])
        key = inverse, x.shape.rank, event_shape
        if key not in self._compiled:
            self._compiled[key] = _tf.compiled(
                lambda x, conditioning: self._run(inverse, x, conditioning)(
                    x, self._prepare(inverse), conditioning
                )
            )
        conditioning = tf.nest.map_structure(tf.convert_to_tensor, conditioning)
        return self._compiled[key](x, conditioning)

    def _no_failure(self):
        """Returns what `_failure` is given before the first step."""
        return tf.constant(-1) if self.validate_args else ()

    def _failure(self, failure, values, k):
        """Returns the first `k` whose values are not finite, or -1.

        An assertion in the body of a loop would make TensorFlow run the loops of
        two parts of a batch one after another.
        """
        if not self.validate_args:
            return failure
        finite = tf.math.is_finite(tf.reduce_sum(values))
        return tf.where(finite | (failure >= 0), failure, k)

    def _check(self, values, message, failure):
        """Returns nested `values`, which wait until it is known that none failed."""
        if not self.validate_args:
            return values
        message = f"{self.name}: {message}"
        check = tf.debugging.Assert(failure < 0, [message, failure])
        with tf.control_dependencies([check]):
            return tf.nest.map_structure(tf.identity, values)

    def _make_step(self, p, conditioning):
        step = self._step_fn(p, **conditioning)
        if not isinstance(step, tfb.Bijector):
            raise TypeError(
                "Expected `step_fn` to return a `tfb.Bijector`. Received: "
                f"{type(step).__name__}"
            )
        return step

    def _step_event_ndims(self):
        steps = []

        # This is traced but never run.
        @tf.function(autograph=False)
        def trace():
            prepared = self._prepare_fn(self._tensors(), inverse=None)
            steps.append(self._make_step(scan.first(prepared), {}))

        trace.get_concrete_function()
        forward = steps[-1].forward_min_event_ndims
        inverse = steps[-1].inverse_min_event_ndims
        if forward != inverse:
            raise ValueError(
                "Expected `step_fn` to return a bijector that keeps the rank "
                f"of an event. Received one from {forward} to {inverse}"
            )
        return forward

    def _tensors(self):
        return tf.nest.map_structure(tf.convert_to_tensor, self._stacked)

    def _prepare(self, inverse):
        if self.gradient == "invert":
            # The gradient also runs the steps in the other direction.
            inverse = None
        return self._prepare_fn(self._tensors(), inverse=inverse)


def _plain(structure):
    """Returns nested dictionaries without TensorFlow's wrappers."""
    if isinstance(structure, collections.abc.Mapping):
        return {key: _plain(value) for key, value in structure.items()}
    return structure


def _leading_dimension(parameters):
    shapes = [tuple(p.shape) for p in tf.nest.flatten(parameters)]
    sizes = {shape[0] if shape else None for shape in shapes}
    if len(sizes) != 1 or None in sizes:
        raise ValueError(
            "Invalid value received for argument `parameters`. Expected "
            "tensors whose leading dimensions are all the number of steps. "
            f"Received the shapes {shapes}"
        )
    return sizes.pop()
