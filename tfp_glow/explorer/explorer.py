# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`Explorer`: the functions that the page calls, of a model and its data."""

import dataclasses
import io
import math

import numpy as np

from tfp_glow import _checks
from tfp_glow.analysis import latents
from tfp_glow.analysis.latents import codes
from tfp_glow.analysis.latents import flow
from tfp_glow.analysis.latents import inpainting
from tfp_glow.analysis.latents import interpolation
from tfp_glow.explorer import filling
from tfp_glow.explorer import sliders
from tfp_glow.explorer import states
from tfp_glow.explorer import uploads
from tfp_glow.models import glow_model

_TEMPERATURE = 0.7
_NUM_GALLERY = 16
_MAX_FACES = 20
_NUM_BARS = 48


class Explorer:
    """A model and its data, as functions of values that JSON can hold.

    Every function takes one dictionary, the request. A state, see
    `states.State`, is all that the page draws. The functions keep nothing between calls, so several pages can
    use an explorer.

    A view is a state with its `picture`, a PNG in a `data:` address, its
    `bits_per_dim`, the `share_below` of the data that are less likely, and
    `notes`. Functions raise `ValueError` and `TypeError`, whose messages the
    page shows.

    Bits per dimension are of the density at the centers of gray levels.
    """

    def __init__(self, model, train, test, title, class_names=None):
        """Finds the sliders, and the likelihood of the data.

        Args:
            model: `GlowModel`, without conditioning or with classes.
            train: images `[N, H, W, C]` and labels `[N]` or `None`, which tell
                the directions of the sliders.
            test: the same of other data, which the page offers and with which
                it compares the likelihood.
            title: `str`, what the model draws.
            class_names: list of `str`, if a class means something.

        Raises:
            TypeError, ValueError: for another model or other data.
        """
        if not isinstance(model, glow_model.GlowModel) or (
            model.is_conditional and model.num_classes is None
        ):
            raise TypeError(
                "Expected a GlowModel without conditioning, or with classes. "
                f"Received: {type(model).__name__} with other conditioning"
            )
        if model.image_shape[-1] not in (1, 3):
            raise ValueError(
                "Expected a model of images with one channel or three. "
                f"Received: {model.image_shape}"
            )
        if model.num_classes and (train[1] is None or test[1] is None):
            raise ValueError(
                "Expected labels of the data, since the model has classes. "
                "Received: none"
            )
        # One type of all images, so that functions are traced for one.
        train, test = (
            (np.asarray(images, np.int32), labels)
            for images, labels in (train, test)
        )
        self.event_size = model.event_size
        self._model = model
        self._title = title
        self._images, self._labels = test
        self._class_names = class_names
        self._filler = filling.Filler(model, train[0])
        self._sliders = {
            slider.name: slider
            for slider in sliders.find(model, *train, class_names)
        }
        vectors = flow.vectors(model, self._given(self._labels), len(test[0]))
        bits = flow.of(model).bits_per_dim(self._images, vectors)
        self._bits = np.sort(bits[np.isfinite(bits)])
        if not len(self._bits):
            raise ValueError(
                "Expected a model with a finite likelihood of its data. "
                f"Received: one for which none of {len(bits)} images has it"
            )
        self._sizes = [math.prod(s) for s in model.glow.latent_shapes]
        # Tracing functions takes seconds, which the first moves would need.
        self.open({"index": 0})

    def facts(self):
        """Returns the facts about the model that the page shows."""
        model = self._model
        height, width, channels = model.image_shape
        low, high = np.quantile(self._bits, [0.005, 0.995])
        margin = 0.15 * (high - low) + 0.05
        low, high = low - margin, high + margin
        counts, _ = np.histogram(self._bits, _NUM_BARS, (low, high))
        names = self._class_names
        if names is None and model.num_classes:
            names = [str(i) for i in range(model.num_classes)]
        return {
            "title": self._title,
            "description": (
                f"{height} by {width} by {channels} values, {model.bins} gray "
                f"levels, {model.count_params():,} weights. Bits/dim at the "
                "centers of gray levels."
            ),
            "shape": list(model.image_shape),
            "levels": [list(shape) for shape in model.glow.latent_shapes],
            "num_classes": model.num_classes,
            "class_names": names,
            "attributes": [s.to_dict() for s in self._sliders.values()],
            "temperature": _TEMPERATURE,
            "max_upload": uploads.MAX_BYTES,
            "data": {
                "count": len(self._bits),
                "low": float(low),
                "high": float(high),
                "counts": counts.tolist(),
            },
        }

    def start(self, request):
        """Draws the first picture. Returns a view."""
        state = states.State(
            _generator(request).standard_normal(self.event_size),
            [_TEMPERATURE] * len(self._sizes),
            None if self._model.num_classes is None else 0,
            {},
        )
        return self._view(state)

    def draw(self, request):
        """Draws the levels that are not `frozen`, a list of `bool`.

        The numbers are standard normal ones, which `show` multiplies by the
        temperature. An optional `seed` makes them reproducible. Returns a view.
        """
        state = self._state(request)
        frozen = np.asarray(request.get("frozen"))
        if frozen.dtype != bool or frozen.shape != (len(self._sizes),):
            expected = f"{len(self._sizes)} booleans, one for each level"
            raise _checks.invalid_value(
                "frozen", request.get("frozen"), expected
            )
        if frozen.all():
            raise ValueError(
                "Expected a level that is not frozen, to draw. Received: all "
                "of them frozen. Release one"
            )
        is_kept = np.repeat(frozen, self._sizes)
        noise = _generator(request).standard_normal(self.event_size)
        latent = np.where(is_kept, state.latent, noise)
        return self._view(dataclasses.replace(state, latent=latent))

    def show(self, request):
        """Returns the view of a state."""
        return self._view(self._state(request))

    def faces(self, request):
        """Returns the `pictures` of a state's latents, decoded as each class."""
        if self._model.num_classes is None:
            raise ValueError(
                "Expected a model of classes, which `train --conditional` "
                "trains. Received: one without"
            )
        z = self._moved(self._state(request))
        count = min(self._model.num_classes, _MAX_FACES)
        images = latents.decode(
            self._model, np.repeat(z[np.newaxis], count, 0), np.arange(count)
        )
        return {"pictures": [self._picture(image) for image in images]}

    def gallery(self, request):
        """Returns `items` of the data in random order, for `open`."""
        count = min(_NUM_GALLERY, len(self._images))
        chosen = _generator(request).choice(len(self._images), count, False)
        return {
            "items": [
                {
                    "index": int(i),
                    "picture": self._picture(self._images[i]),
                    "title": f"data picture {i}",
                }
                for i in chosen
            ]
        }

    def open(self, request):
        """Encodes the data picture of an `index`. Returns a view."""
        index, count = request.get("index"), len(self._images)
        [index] = _checks.integers(
            0, f"an integer in [0, {count})", index=index
        )
        if index >= count:
            expected = f"an integer in [0, {count})"
            raise _checks.invalid_value("index", index, expected)
        label = None if self._labels is None else int(self._labels[index])
        return self._encoded(self._images[index], self._given(label), [])

    def upload(self, request):
        """Encodes a picture, `data` in base64, under a `label`.

        Returns a view, whose notes say how the picture was converted.
        """
        pixels, notes = uploads.read(
            request.get("data"), self._model.image_shape
        )
        levels = np.round(pixels * ((self._model.bins - 1) / 255.0))
        label = states.checked_label(
            request.get("label"), self._model.num_classes
        )
        return self._encoded(levels.astype(np.int32), label, notes)

    def interpolate(self, request):
        """Goes a `share`, in [0, 1], of the way from state `a` to state `b`.

        `path` is `"spherical"` or `"linear"`. Between classes the model is
        given weights of both. Returns a view, without temperature or sliders.
        """
        ends = [self._state(request, name) for name in ("a", "b")]
        share = _checks.number(
            "share",
            request.get("share"),
            "a number from 0 to 1",
            lambda x: 0.0 <= x <= 1.0,
        )
        path = request.get("path")
        _checks.choice("path", path, interpolation.METHODS)
        a, b = (self._moved(state)[np.newaxis] for state in ends)
        [[z]] = interpolation.METHODS[path](a, b, np.array([share]))
        first, last = (state.label for state in ends)
        label = last if share == 1.0 else first
        if first != last and 0.0 < share < 1.0:
            a, b = self._vectors(first)[0], self._vectors(last)[0]
            label = ((1.0 - share) * a + share * b).astype(float).tolist()
        return self._view(self._at_rest(z, label))

    def fill(self, request):
        """Draws the pixels of a `mask` again, given the others.

        `mask` is a list of rows, 1 where pixels are drawn. Returns a view with
        its `progress`. Call the function again with the same state and the
        progress until its `share` is 1.
        """
        state = self._state(request)
        expected = f"rows of 0 and 1, {self._model.image_shape[:2]}"
        try:
            mask = np.array(request.get("mask"), bool)
        except (TypeError, ValueError) as error:
            raise _checks.invalid_value("mask", "other", expected) from error
        inpainting.checked(mask, self._model.image_shape)
        label = state.label
        if isinstance(label, list):
            label = int(np.argmax(label))
        levels, _ = self._levels(state)
        levels, progress = self._filler.fill(
            levels,
            mask,
            self._vectors(label),
            request.get("progress"),
            _generator(request),
        )
        return {**self._encoded(levels, label, []), "progress": progress}

    def latent(self, request):
        """Returns the latents that a state shows, `[D]`, as a `.npy` file."""
        file = io.BytesIO()
        np.save(file, self._moved(self._state(request)))
        return file.getvalue()

    def _state(self, request, name="state"):
        """Returns the `State` of a request, checked."""
        return states.read(name, request.get(name), self._model, self._sliders)

    def _given(self, labels):
        """Returns labels, or `None` if the model is not given them."""
        return None if self._model.num_classes is None else labels

    def _vectors(self, label):
        """Returns a label as the conditioning of the flow, or `None`."""
        if label is None:
            return None
        given = np.array(
            [label], np.float32 if isinstance(label, list) else int
        )
        return flow.vectors(self._model, given, 1)

    def _at_rest(self, z, label):
        """Returns the state of latents `[D]` that shows them as they are."""
        return states.State(z, [1.0] * len(self._sizes), label, {})

    def _moved(self, state):
        """Returns the latents `[D]` that a state shows."""
        temperature = np.repeat(state.temperature, self._sizes)
        z = flow.of(self._model).scale_latents(state.latent, temperature)
        for name, strength in state.strengths.items():
            z = z + strength * self._sliders[name].direction
        return z

    def _levels(self, state):
        """Returns the gray levels of a state, uint8 or int32, and notes."""
        vectors = self._vectors(state.label)
        z = self._moved(state)[np.newaxis]
        [values] = flow.of(self._model).decode(z, vectors)
        num_bad = np.sum(~np.isfinite(values))
        notes = [f"{num_bad} values are not finite."] if num_bad else []
        top = self._model.bins - 1
        values = np.nan_to_num(values, nan=0.0, posinf=top, neginf=0.0)
        return np.clip(np.round(values), 0, top).astype(np.int32), notes

    def _encoded(self, levels, label, notes):
        """Returns the view of an image's latents."""
        labels = None if label is None else [label]
        if isinstance(label, list):
            label = int(np.argmax(label))
            labels = [label]
        [z] = codes.encoded(self._model, levels[np.newaxis], labels)
        return self._view(self._at_rest(z, label), notes)

    def _view(self, state, notes=()):
        levels, more = self._levels(state)
        vectors = self._vectors(state.label)
        [bits] = flow.of(self._model).bits_per_dim(levels[np.newaxis], vectors)
        is_finite = bool(np.isfinite(bits))
        return {
            "state": state.to_dict(),
            "picture": self._picture(levels),
            "bits_per_dim": float(bits) if is_finite else None,
            "share_below": float(np.mean(self._bits > bits)),
            "notes": [*notes, *more],
        }

    def _picture(self, levels):
        return uploads.to_data_url(levels, self._model.bins)


def _generator(request):
    """Returns a random generator, of the request's seed if it has one."""
    return np.random.default_rng(_checks.seed(request.get("seed")))
