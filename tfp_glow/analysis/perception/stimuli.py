# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`Stimulus`: two equal targets in two contexts, and the classic illusions."""

import dataclasses
import math

import numpy as np
import skimage.color
import skimage.morphology

from tfp_glow.analysis.perception import patches


@dataclasses.dataclass(frozen=True, eq=False)
class Stimulus:
    """Two targets of equal value in two contexts.

    Attributes:
        name: `str`.
        a, b: `Patch`es.
        labels: pair of `str`, which name the contexts.
        higher: `"a"` or `"b"`, the target that people see as higher in the
            property: lighter, more saturated, or of a higher hue. `None` if
            they see no difference.
        sees: `str`, a sentence that says what people see.
        source: `str`, a publication about the illusion.
    """

    name: str
    a: patches.Patch
    b: patches.Patch
    labels: tuple
    higher: str | None
    sees: str
    source: str

    def map(self, function, name, **changes):
        """Returns the stimulus with a function applied to both patches."""
        changes |= {"a": function(self.a), "b": function(self.b)}
        name = f"{self.name}, {name}" if name else self.name
        return dataclasses.replace(self, name=name, **changes)

    def turned(self):
        """Returns the stimulus turned by 90 degrees."""
        return self.map(lambda p: p.map(np.rot90), "turned")

    def inverted(self):
        """Returns the stimulus in which black and white are exchanged.

        The other target then is the lighter one.
        """

        def invert(patch):
            low, high = patch.limits
            return dataclasses.replace(
                patch,
                image=1.0 - patch.image,
                value=1.0 - patch.value,
                limits=(1.0 - high, 1.0 - low),
            )

        if self.a.property != "brightness":
            raise ValueError(
                "Expected a stimulus of brightness to invert. Received: "
                f"{self.a.property}"
            )
        higher = {"a": "b", "b": "a", None: None}[self.higher]
        sees = f"the opposite of: {self.sees}"
        return self.map(invert, "inverted", higher=higher, sees=sees)

    def without_context(self):
        """Returns the control in which both surrounds are their mean color."""
        surround = np.mean(
            [
                patch.image[~patch.mask].mean(axis=0)
                for patch in (self.a, self.b)
            ],
            axis=0,
        )

        def flatten(patch):
            image = np.where(patch.mask[..., None], patch.image, surround)
            return dataclasses.replace(patch, image=image)

        sees = "no difference"
        return self.map(flatten, "no context", higher=None, sees=sees)

    def with_channels(self, num_channels):
        """Returns the stimulus with patches of one channel or three."""
        return self.map(lambda p: p.with_channels(num_channels), None)


def local_contrast(patch, width=1):
    """Returns the target's mean less that of the ring of pixels around it.

    The simplest rule that predicts an illusion: a target that is lighter than
    its direct neighbors looks lighter.
    """
    square = np.ones([2 * width + 1, 2 * width + 1])
    dilated = skimage.morphology.dilation(patch.mask, square)
    ring = dilated & ~patch.mask
    # A target of any other value has the same ring.
    ring_value = patches.measure(patch.image, ring, patch.property)
    difference = patch.value - ring_value
    if patch.property == "hue":
        difference -= round(difference)
    return difference


def contrast(size=16, dark=0.2, light=0.8, target=0.5, target_size=6):
    """Simultaneous contrast: a gray square on a dark and a light ground."""
    return _stimulus(
        "simultaneous contrast",
        [np.full([size, size], ground) for ground in (dark, light)],
        _centered(size, target_size, target_size),
        target,
        ("dark surround", "light surround"),
        "a",
        "the target looks lighter on the dark surround",
        "Chevreul, De la loi du contraste simultané des couleurs, 1839",
    )


def white(size=16, dark=0.1, light=0.9, target=0.5, stripe=4, target_length=6):
    """White's illusion: a gray bar in place of a part of a stripe."""
    stripes = _squares(size, stripe)[:, np.newaxis] % 2 == 0
    stripes = np.broadcast_to(stripes, [size, size])
    return _stimulus(
        "White's illusion",
        [np.where(is_dark, dark, light) for is_dark in (stripes, ~stripes)],
        _centered(size, stripe, target_length),
        target,
        ("on a dark stripe", "on a light stripe"),
        "a",
        "the target looks lighter on the dark stripe",
        "White, A new effect of pattern on perceived lightness, 1979",
    )


def hermann(size=16, dark=0.1, light=0.9, square=12, street=4):
    """The Hermann grid: a crossing of two streets, and a place between."""
    period = square + street
    center = size / 2.0

    def streets(offset):
        places = np.arange(size) + 0.5 - center + offset
        return np.abs((places + period / 2) % period - period / 2) < street / 2

    rows = streets(0)[:, np.newaxis]
    return _stimulus(
        "Hermann grid",
        [
            np.where(rows | columns, light, dark)
            for columns in (streets(0), streets(period / 2))
        ],
        _centered(size, street, street),
        light,
        ("at a crossing", "between crossings"),
        "b",
        "the crossing looks darker than the street between crossings",
        "Hermann, Eine Erscheinung simultanen Contrastes, 1870",
    )


def checkerboard(size=16, dark=0.1, light=0.9, target=0.5, check=4):
    """A gray check in place of a dark or a light check of a board."""
    squares = _squares(size, check)
    board = np.add.outer(squares, squares) % 2 == 0
    return _stimulus(
        "checkerboard",
        [np.where(is_dark, dark, light) for is_dark in (board, ~board)],
        _centered(size, check, check),
        target,
        ("among light checks", "among dark checks"),
        "a",
        "the target looks lighter where its four neighbors are light",
        "DeValois and DeValois, Spatial vision, 1988",
    )


def saturation(
    size=16,
    hue=0.0,
    brightness=0.7,
    low=0.1,
    high=0.8,
    target=0.45,
    target_size=6,
):
    """Saturation contrast: a square on a grayish and a saturated ground."""
    return _stimulus(
        "saturation contrast",
        [_color(size, hue, ground, brightness) for ground in (low, high)],
        _centered(size, target_size, target_size),
        target,
        ("grayish surround", "saturated surround"),
        "a",
        "the target looks more saturated on the grayish surround",
        "Kirschmann, Ueber die quantitativen Verhältnisse des simultanen "
        "Helligkeits- und Farben-Contrastes, 1891",
        property="saturation",
    )


def hue(
    size=16,
    hue=0.3,
    delta=0.1,
    saturation=0.5,
    brightness=0.7,
    target_size=6,
    arc=0.25,
):
    """Hue contrast: a square on two grounds of neighboring hues."""
    return _stimulus(
        "hue contrast",
        [
            _color(size, ground, saturation, brightness)
            for ground in (hue + delta, hue - delta)
        ],
        _centered(size, target_size, target_size),
        hue,
        ("surround of a higher hue", "surround of a lower hue"),
        "b",
        "the target's hue looks shifted away from that of the surround",
        "Chevreul, De la loi du contraste simultané des couleurs, 1839",
        property="hue",
        limits=(hue - arc, hue + arc),
    )


# Every function makes a stimulus of `size` x `size` pixels.
ILLUSIONS = {
    "contrast": contrast,
    "white": white,
    "hermann": hermann,
    "checkerboard": checkerboard,
    "saturation": saturation,
    "hue": hue,
}


def _stimulus(
    name, grounds, mask, target, labels, higher, sees, source, **options
):
    """Returns the `Stimulus` of a target on two grounds, `[H, W]` or RGB."""
    a, b = (
        patches.Patch(np.atleast_3d(ground), mask, target, **options)
        for ground in grounds
    )
    return Stimulus(name, a, b, labels, higher, sees, source)


def _centered(size, height, width):
    """Returns the mask of a rectangle in the middle."""
    mask = np.zeros([size, size], bool)
    top, left = (size - height) // 2, (size - width) // 2
    mask[top : top + height, left : left + width] = True
    return mask


def _squares(size, width):
    """Numbers the stripes of a width; number 0 lies in the middle."""
    first = (size - width) // 2
    return np.array([math.floor((i - first) / width) for i in range(size)])


def _color(size, hue, saturation, brightness):
    hsv = np.full([size, size, 3], [hue % 1.0, saturation, brightness])
    return skimage.color.hsv2rgb(hsv)
