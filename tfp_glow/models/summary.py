# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Parts of a distribution, for `model.summary()` and `repr(model)`."""

import dataclasses
import math
import re

import tensorflow as tf

from tfp_glow.bijectors import glow

_LEVEL = re.compile(r"(.*\blevel_(\d+))\.")


@dataclasses.dataclass
class Part:
    """The variables of a level or of another part, shown as a Keras layer."""

    name: str
    output_shape: tuple
    weights: list
    built: bool = True
    # Keras reads these two of the layers that it lists.
    _inbound_nodes: tuple = ()
    _build_shapes_dict: bool = True

    @property
    def trainable(self):
        """Whether any of the weights trains."""
        return any(weight.trainable for weight in self.weights)

    @trainable.setter
    def trainable(self, value):
        for weight in self.weights:
            weight.trainable = value

    def count_params(self):
        """Returns the number of elements of all weights."""
        return sum(math.prod(weight.shape) for weight in self.weights)

    def __str__(self):
        size = f"{self.count_params():,} parameters"
        return f"{self.name}, {self.output_shape}, {size}"


def parts(distribution, named_variables):
    """Returns the `Part`s of a distribution, one for each level of a Glow.

    Other variables are grouped by the first part of their names. Shapes are
    those of the latents of a level, or of an event.
    """
    groups = {}
    for name, variable in named_variables.items():
        if name == "initialized":
            continue  # It belongs to the model, not the distribution.
        match = _LEVEL.match(name)
        group = match[1] if match else name.split(".")[0]
        groups.setdefault(group, {})[name] = variable
    shapes, coupling = {}, ""
    glows = [m for m in distribution.submodules if isinstance(m, glow.Glow)]
    if len(glows) == 1:
        shapes = dict(enumerate(glows[0].latent_shapes))
        coupling = f", {glows[0].parameters['coupling']}"
    event_shape = distribution.event_shape
    if not isinstance(event_shape, tf.TensorShape):
        event_shape = ("...",)  # Nested events.
    found = []
    for group, variables in groups.items():
        title, level = group, _LEVEL.match(f"{group}.")
        for name, variable in variables.items():
            # The stacked kernels of the last layer of all steps' networks.
            if name.endswith("network.last.kernel"):
                steps, *_, width, _ = variable.shape
                title = f"{group}, {steps} steps of width {width}{coupling}"
        shape = shapes.get(int(level[2]) if level else None, event_shape)
        found.append(Part(title, (None, *shape), list(variables.values())))
    return found
