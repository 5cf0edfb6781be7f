# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Repeated: many steps of one kind, as a loop over stacked parameters."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow.bijectors import gradients
from tfp_glow.bijectors import joint

tfb = tfp.bijectors

GRADIENTS = ("store", "recompute", "invert")


class Repeated(joint.OneEvaluation):
    """The composition of K bijectors of one kind, walked by a loop.

    ```none
    h[0] = x
    h[k + 1] = step_fn(slice k of the parameters).forward(h[k])
    y = h[K]
    log|det dy/dx| = sum{ log|det dh[k + 1] / dh[k]| : k }
    ```

    The graph holds one step whatever K is, so tracing, graph optimisation and
    the optimizer's update cost the same for 4 steps as for 64.

    | `gradient` | kept for the backward pass | evaluations of a step |
    |---|---|---|
    | `"store"` | all that the steps computed | 1 |
    | `"recompute"` | the input of every step | 2 |
    | `"invert"` | the output of the last step | 2, 3 without `given` |

    `"store"` is ordinary automatic differentiation. `"invert"` recovers every
    step's input from its output, so that no activations are kept, whatever K
    is; its gradients carry the rounding errors of the inverses, which
    `benchmarks/gradient_error.py` measures for a Glow. A bijector with the three methods
    of `pull_back`, such as `AffineCoupling`, is evaluated once for both.

    | | shape |
    |---|---|
    | `parameters` | every tensor `[K, ...]` |
    | `x`, `y` | those of a step |

    Methods hand keyword arguments, tensors, on to `step_fn`. They receive
    gradients, and so do the parameters. Tensors that `step_fn` takes from
    elsewhere do not, and it may not read other variables.

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
        unroll=False,
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
                tensors, to the stacked values of which `step_fn` gets slices;
                what does not depend on data is computed here for all steps.
            initialize_fn: optional callable from one step's slice of the
                parameters, the step's input and its index, a `Tensor`, to the
                slice's new values, for `initialize`.
            unroll: `bool`; if true, the graph holds every step, so it and the
                time to start grow with K. For `gradient="store"`.
            event_ndims: `int`, dimensions of an event of a step; by default
                the minimum of what `step_fn` returns without conditioning.
            dtype: dtype that inputs must have, or `None` for any.
            validate_args: `bool`; if true, a value that is not finite raises
                `tf.errors.InvalidArgumentError` and names the step, and so does
                a gradient (not that of `"store"`).
            name: `str`.

        Raises:
            TypeError: if `step_fn` does not return a bijector.
            ValueError: for an unknown `gradient`, for parameters whose leading
                dimensions differ or that are none.
        """
        arguments = dict(locals())
        _checks.choice("gradient", gradient, GRADIENTS)
        if unroll and gradient != "store":
            raise ValueError(
                "Invalid value received for argument `unroll`. Expected "
                f"gradient='store' with it. Received: gradient={gradient!r}"
            )
        with tf.name_scope(name) as name:
            self._step_fn = step_fn
            self._stacked = parameters
            self._gradient = gradient
            self._prepare_fn = prepare_fn or (lambda stacked: stacked)
            self._initialize_fn = initialize_fn
            self._unroll = unroll
            self._num_steps = _leading_dimension(parameters)
            self._traced = {}
            if event_ndims is None:
                event_ndims = self._step_event_ndims()
            super().__init__(
                forward_min_event_ndims=event_ndims,
                validate_args=validate_args,
                dtype=dtype,
                parameters=arguments,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype):
        return dict()

    @property
    def num_steps(self):
        """K."""
        return self._num_steps

    @property
    def stacked_parameters(self):
        """The parameters, whose leading dimensions are K."""
        return self._stacked

    @property
    def gradient(self):
        """`"store"`, `"recompute"` or `"invert"`."""
        return self._gradient

    @property
    def steps(self):
        """K bijectors, in order of `forward`, that share the variables."""
        return [Step(self, k) for k in range(self.num_steps)]

    def step(self, index, **conditioning):
        """What `step_fn` makes of the present values of one slice."""
        prepared = self._prepare(lambda p: p[index : index + 1])
        return self._make_step(_slice(prepared, 0), conditioning)

    def initialize(self, x, **conditioning):
        """Sets every step's parameters from its own input, in one walk.

        Without an `initialize_fn` nothing is done; what is no variable stays.

        Args:
            x: `Tensor`, the input of the first step.
            **conditioning: tensors, handed on to `step_fn`.

        Returns:
            The output of the last step, after the initialisation.
        """
        x = tf.convert_to_tensor(x, dtype_hint=self.dtype)
        if self._initialize_fn is None:
            return self.forward(x, **conditioning)
        # A concrete function, since TensorFlow warns of each new one that traces.
        walk = tf.function(self._initial_values, autograph=False)
        y, values = walk.get_concrete_function(x, conditioning)(x, conditioning)
        for parameter, value in zip(
            tf.nest.flatten(self._stacked), tf.nest.flatten(values)
        ):
            if hasattr(parameter, "assign"):
                parameter.assign(value)
        return y

    def _initial_values(self, x, conditioning):
        stacked = self._tensors()
        arrays = _arrays(stacked)

        def body(k, x, written):
            old = _read(arrays, stacked, k)
            new = self._initialize_fn(old, x, k)
            written = tf.nest.map_structure(
                lambda array, value: array.write(k, value), written, new
            )
            prepared = self._prepare_fn(
                tf.nest.map_structure(lambda p: p[tf.newaxis], new)
            )
            step = self._make_step(_slice(prepared, 0), conditioning)
            return k + 1, tf.ensure_shape(step.forward(x), x.shape), written

        empty = tf.nest.map_structure(_empty_array, stacked)
        _, y, written = self._while(body, (x, empty))
        return y, tf.nest.map_structure(
            lambda array, p: tf.ensure_shape(array.stack(), p.shape),
            written,
            stacked,
        )

    def _forward_and_log_det(self, x, **conditioning):
        return self._run(x, conditioning, False)

    def _inverse_and_log_det(self, y, **conditioning):
        return self._run(y, conditioning, True)

    def _run(self, x, conditioning, inverse):
        conditioning = tf.nest.map_structure(tf.convert_to_tensor, conditioning)
        _checks.at_least_rank(self, x, self._event_ndims)
        if not tf.executing_eagerly():
            return self._walk(x, conditioning, inverse)
        # Eagerly too a loop, rather than K walks through Python.
        key = inverse, x.shape.rank
        if key not in self._traced:
            self._traced[key] = _tf.compiled(
                lambda x, conditioning: self._walk(x, conditioning, inverse)
            )
        return self._traced[key](x, conditioning)

    def _walk(self, x, conditioning, inverse):
        prepared = self._prepare()
        if self._gradient == "store":
            return self._walk_and_store(x, prepared, conditioning, inverse)
        structure = (prepared, conditioning)
        flat = tf.nest.flatten(structure)

        @tf.custom_gradient
        def walk(x, *flat):
            prepared, conditioning = tf.nest.pack_sequence_as(structure, flat)
            y, log_det, inputs = self._walk_without_gradient(
                x, prepared, conditioning, inverse
            )

            def pull_back_all(dy, d_log_det):
                dx, d_flat = self._walk_back(
                    y, dy, d_log_det, inputs, structure, flat, inverse
                )
                return _first_order_only(dx, *d_flat)

            return (y, log_det), pull_back_all

        return walk(x, *flat)

    def _walk_and_store(self, x, prepared, conditioning, inverse):
        log_det = self._zero_log_det(x)
        if self._unroll:
            slices = [_slice(prepared, k) for k in range(self.num_steps)]
            for k in self._order(range(self.num_steps), inverse):
                x, log_det = self._apply(
                    k, slices[k], x, log_det, conditioning, inverse
                )
            return x, log_det
        arrays = _arrays(prepared)

        def body(i, x, log_det):
            k = self._index(i, inverse)
            p = _read(arrays, prepared, k)
            return i + 1, *self._apply(k, p, x, log_det, conditioning, inverse)

        _, x, log_det = self._while(body, (x, log_det))
        return x, log_det

    def _walk_without_gradient(self, x, prepared, conditioning, inverse):
        log_det = self._zero_log_det(x)
        inputs = ()
        if self._gradient == "recompute":
            inputs = tf.TensorArray(
                x.dtype, self.num_steps, element_shape=x.shape
            )

        def body(i, x, log_det, inputs):
            k = self._index(i, inverse)
            if self._gradient == "recompute":
                inputs = inputs.write(i, x)
            x, log_det = self._apply(
                k, _slice(prepared, k), x, log_det, conditioning, inverse
            )
            return i + 1, x, log_det, inputs

        _, y, log_det, inputs = self._while(body, (x, log_det, inputs))
        if self._gradient == "recompute":
            inputs = inputs.stack()
        return y, log_det, inputs

    def _walk_back(self, y, dy, d_log_det, inputs, structure, flat, inverse):
        prepared, _ = tf.nest.pack_sequence_as(structure, flat)
        num_prepared = len(tf.nest.flatten(prepared))
        floating = [t.dtype.is_floating for t in flat]
        unconnected = set()

        def body(i, y, dy, d_prepared, d_conditioning):
            walked = self.num_steps - 1 - i
            k = self._index(walked, inverse)
            p = tf.nest.flatten(_slice(prepared, k))
            c = [tf.identity(t) for t in flat[num_prepared:]]
            sources = [t for t, f in zip(p + c, floating) if f]
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(sources)
                one = tf.nest.pack_sequence_as(structure, p + c)
                step = self._make_step(*one)
                step = tfb.Invert(step) if inverse else step
                if self._gradient == "invert":
                    x, dx, d_sources = gradients.pull_back(
                        tape, step, y, dy, d_log_det, sources, self._event_ndims
                    )
                else:
                    x = inputs[walked]
                    tape.watch(x)
                    outputs = joint.forward_and_log_det(
                        step, x, self._event_ndims
                    )
                    log_det = tf.broadcast_to(outputs[1], tf.shape(d_log_det))
                    with tape.stop_recording():
                        dx, *d_sources = tape.gradient(
                            [outputs[0], log_det],
                            [x, *sources],
                            [dy, d_log_det],
                        )
                        dx = tf.zeros_like(x) if dx is None else dx
            unconnected.update(i for i, d in enumerate(d_sources) if d is None)
            d_sources = [
                tf.zeros_like(source) if d is None else d
                for source, d in zip(sources, d_sources)
            ]
            n = len(d_prepared)
            d_prepared = [
                array.write(k, d) for array, d in zip(d_prepared, d_sources)
            ]
            d_conditioning = [
                total + d for total, d in zip(d_conditioning, d_sources[n:])
            ]
            x = tf.ensure_shape(x, y.shape)
            dx = self._check(dx, "gradient not finite before step", k)
            return (
                i + 1,
                x,
                tf.ensure_shape(dx, y.shape),
                d_prepared,
                d_conditioning,
            )

        stacks = [t for t, f in zip(flat[:num_prepared], floating) if f]
        others = [
            t for t, f in zip(flat[num_prepared:], floating[num_prepared:]) if f
        ]
        state = (
            y,
            dy,
            [_empty_array(t) for t in stacks],
            [tf.zeros_like(t) for t in others],
        )
        _, _, dx, d_prepared, d_conditioning = self._while(body, state)
        found = [
            tf.ensure_shape(array.stack(), t.shape)
            for array, t in zip(d_prepared, stacks)
        ] + list(d_conditioning)
        # Zeros would be propagated further, through an inverse matrix say.
        found = iter(
            None if i in unconnected else d for i, d in enumerate(found)
        )
        return dx, [next(found) if f else None for f in floating]

    def _apply(self, k, p, x, log_det, conditioning, inverse):
        """One step of the loop, and its check."""
        with tf.GradientTape() as tape:
            step = self._make_step(p, conditioning)
            evaluate = (
                joint.inverse_and_log_det
                if inverse
                else joint.forward_and_log_det
            )
            y, more = evaluate(step, x, self._event_ndims)
        if tape.watched_variables():
            names = ", ".join(v.name for v in tape.watched_variables())
            raise ValueError(
                "Expected `step_fn` to read its parameters alone, since only "
                "they are differentiated. Received one that reads the "
                f"variables {names}"
            )
        if not y.shape.is_compatible_with(x.shape):
            raise ValueError(
                f"Expected every step of `{self.name}` to keep the shape of "
                f"its input, {x.shape}. Received: {y.shape}"
            )
        y = self._check(tf.ensure_shape(y, x.shape), "not finite after step", k)
        return y, tf.ensure_shape(log_det + more, log_det.shape)

    def _check(self, values, message, k):
        if not self.validate_args:
            return values
        finite = tf.math.is_finite(tf.reduce_sum(values))
        check = tf.debugging.Assert(finite, [f"{self.name}: {message}", k])
        with tf.control_dependencies([check]):
            return tf.identity(values)

    def _make_step(self, p, conditioning):
        step = self._step_fn(p, **conditioning)
        if not isinstance(step, tfb.Bijector):
            raise TypeError(
                "Expected `step_fn` to return a `tfb.Bijector`. Received: "
                f"{type(step).__name__}"
            )
        return step

    def _step_event_ndims(self):
        found = []

        # Traced and never run.
        @tf.function(autograph=False)
        def trace():
            step = self._make_step(_slice(self._prepare(), 0), {})
            found.append(
                (step.forward_min_event_ndims, step.inverse_min_event_ndims)
            )

        trace.get_concrete_function()
        forward, inverse = found[-1]
        if forward != inverse:
            raise ValueError(
                "Expected `step_fn` to return a bijector that keeps the rank "
                f"of an event. Received one from {forward} to {inverse}"
            )
        return forward

    @property
    def _event_ndims(self):
        return self.forward_min_event_ndims

    def _zero_log_det(self, x):
        rank = x.shape.rank - self._event_ndims
        log_det = tf.zeros(tf.shape(x)[:rank], x.dtype)
        return tf.ensure_shape(log_det, x.shape[:rank])

    def _tensors(self):
        return tf.nest.map_structure(tf.convert_to_tensor, self._stacked)

    def _prepare(self, select=lambda p: p):
        return self._prepare_fn(tf.nest.map_structure(select, self._tensors()))

    def _index(self, i, inverse):
        return self.num_steps - 1 - i if inverse else i

    def _order(self, indices, inverse):
        return reversed(indices) if inverse else indices

    def _while(self, body, state):
        # Counted from 0 upwards, for XLA to see how many rounds there are.
        return tf.while_loop(
            lambda i, *_: i < self.num_steps,
            body,
            (tf.constant(0), *state),
            parallel_iterations=1,
            maximum_iterations=self.num_steps,
        )


class Step(joint.OneEvaluation):
    """One step of a `Repeated`, as a bijector that shares its variables."""

    def __init__(self, repeated, index, name="step"):
        """Makes the bijector.

        Args:
            repeated: `Repeated`.
            index: `int` in `[0, K)`.
            name: `str`.
        """
        arguments = dict(locals())
        self._repeated = repeated
        self._index = index
        super().__init__(
            forward_min_event_ndims=repeated.forward_min_event_ndims,
            inverse_min_event_ndims=repeated.inverse_min_event_ndims,
            dtype=repeated.dtype,
            parameters=arguments,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype):
        return dict()

    def bijector(self, **conditioning):
        """What `step_fn` makes of the variables' present values."""
        return self._repeated.step(self._index, **conditioning)

    def _forward_and_log_det(self, x, **conditioning):
        return joint.forward_and_log_det(
            self.bijector(**conditioning), x, self.forward_min_event_ndims
        )

    def _inverse_and_log_det(self, y, **conditioning):
        return joint.inverse_and_log_det(
            self.bijector(**conditioning), y, self.inverse_min_event_ndims
        )


def _first_order_only(*gradients):
    """Gradients, some perhaps `None`, that refuse to be differentiated."""

    def refuse(*_):
        raise NotImplementedError(
            "Expected a gradient of the first order. Received a second-order "
            "one, which `Repeated` has with gradient='store' alone"
        )

    @tf.custom_gradient
    def identity(gradient):
        return tf.identity(gradient), refuse

    return [None if g is None else identity(g) for g in gradients]


def _slice(stacked, k):
    """A step's part; where `k` is a `Tensor` not to be differentiated."""
    if isinstance(k, int):
        return tf.nest.map_structure(lambda p: p[k], stacked)
    # As `p[k]`, in one operation instead of eight.
    return tf.nest.map_structure(lambda p: tf.gather(p, k), stacked)


def _arrays(stacked):
    # Slices would make the gradient of each step as large as the whole stack.
    return tf.nest.map_structure(
        lambda p: tf.TensorArray(
            p.dtype,
            p.shape[0],
            element_shape=p.shape[1:],
            clear_after_read=False,
        ).unstack(p),
        stacked,
    )


def _read(arrays, stacked, k):
    return tf.nest.map_structure(
        lambda array, p: tf.ensure_shape(array.read(k), p.shape[1:]),
        arrays,
        stacked,
    )


def _empty_array(p):
    return tf.TensorArray(p.dtype, p.shape[0], element_shape=p.shape[1:])


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
