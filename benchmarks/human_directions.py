# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which of two equal targets people see as lighter, for published stimuli.

This table was written before the models that it is compared with were trained,
from pictures of the stimuli and from what the papers report. It is not changed
after a model's answer is known.

The stimuli are those of `stimupy.papers` 1.2: all of Murray (2020), and those
of Robinson, Hammon & de Sa (2007), `RHS2007`, for which stimupy quotes the
strength of the effect on people. Both targets have the same gray level.
`lighter` is the number of the target in stimupy's `target_mask`.

Groups:

* `contrast`: the lighter target is the one with the darker surround.
* `assimilation`: the luminance along the target's border does not explain what
  people see. It predicts the opposite (White, Todorovic, checkerboards), or it
  is about equal for both targets (Benary).
* `control`: people see no difference, or they cannot agree on one. `lighter` is
  then the target whose share or strength was measured, and a model should
  predict no difference.

`share` is Murray's share of choices for that target, of which .5 is chance.
`strength` is the strength of the effect in RHS2007, which has no sign.
"""

import typing

CONTRAST = "contrast"
ASSIMILATION = "assimilation"
CONTROL = "control"


class Direction(typing.NamedTuple):
    """The target that people see as lighter in one stimulus."""

    paper: str
    name: str
    lighter: int
    group: str
    share: float | None
    strength: float | None
    reason: str

    @property
    def key(self):
        """`PAPER.NAME`, as in `stimupy.papers`."""
        return f"{self.paper}.{self.name}"

    @property
    def human(self):
        """The share above chance, or the strength; positive for target 1."""
        size = self.strength if self.share is None else self.share - 0.5
        return size if self.lighter == 1 else -size


def _murray(name, lighter, group, share, reason):
    return Direction("murray2020", name, lighter, group, share, None, reason)


def _rhs(name, lighter, group, strength, reason):
    return Direction("RHS2007", name, lighter, group, None, strength, reason)


DIRECTIONS = (
    _murray(
        "simcon",
        2,
        CONTRAST,
        0.925,
        "Simultaneous contrast: target 2 is on black, target 1 on white.",
    ),
    _murray(
        "simcon_articulated",
        2,
        CONTRAST,
        1.0,
        "Target 2 is among dark patches, target 1 among light ones.",
    ),
    _murray(
        "snake",
        2,
        CONTRAST,
        0.9625,
        "Target 2 is on the dark band, which looks like a dark filter.",
    ),
    _murray(
        "snake_control",
        2,
        CONTRAST,
        0.8,
        "Target 2 is on the black band, without the look of a filter.",
    ),
    _murray(
        "koffka_adelson",
        2,
        CONTRAST,
        0.8375,
        "Target 2 is in the half of the ring on black; the halves are shifted.",
    ),
    _murray(
        "koffka_broken",
        2,
        CONTRAST,
        0.8,
        "Target 2 is in the half of the ring on black; a gap parts the halves.",
    ),
    _murray(
        "koffka_connected",
        2,
        CONTROL,
        0.6,
        "The whole ring looks nearly uniform (Koffka); .5 lies in the "
        "interval of the share.",
    ),
    _murray(
        "white",
        2,
        ASSIMILATION,
        0.95,
        "White's effect: target 2 is in a black stripe, between white ones.",
    ),
    _murray(
        "checkassim",
        2,
        ASSIMILATION,
        0.8625,
        "Target 2 replaces a black check, and its four neighbors are white.",
    ),
    _murray(
        "argyle",
        2,
        CONTROL,
        0.4875,
        "Target 2 is in the strip with dark diamonds along it, but the share "
        "is at chance.",
    ),
    _murray(
        "argyle_long",
        2,
        CONTROL,
        0.6,
        "The argyle with wider strips; .5 lies in the interval of the share.",
    ),
    _murray(
        "argyle_control",
        2,
        CONTROL,
        0.35,
        "The paper's control of the argyle; the share is slightly below .5.",
    ),
    _rhs(
        "sbc_large",
        1,
        CONTRAST,
        11.35,
        "Simultaneous contrast: target 1 is on black, target 2 on white.",
    ),
    _rhs(
        "sbc_small",
        1,
        CONTRAST,
        19.78,
        "Simultaneous contrast: target 1 is on black, target 2 on white.",
    ),
    _rhs(
        "grating_induction",
        2,
        CONTRAST,
        6.23,
        "The gray bar looks lighter next to the dark phase, where target 2 is.",
    ),
    _rhs(
        "corrugated_mondrian",
        2,
        CONTRAST,
        10.85,
        "Target 2 is in the dark row, which looks shaded (Adelson).",
    ),
    _rhs(
        "WE_thick",
        1,
        ASSIMILATION,
        4.18,
        "White's effect: target 1 is in a black bar, between white ones.",
    ),
    _rhs(
        "WE_thin_wide",
        1,
        ASSIMILATION,
        4.6,
        "White's effect: target 1 is in a black bar, between white ones.",
    ),
    _rhs(
        "WE_anderson",
        2,
        ASSIMILATION,
        6.43,
        "White's effect: target 2 is in a black bar, and white is beside it.",
    ),
    _rhs(
        "WE_howe",
        2,
        CONTROL,
        0.0,
        "WE_anderson with bands as long as the targets; the effect is gone.",
    ),
    _rhs(
        "todorovic_in_large",
        2,
        ASSIMILATION,
        2.4,
        "Target 2 is seen on black, behind the white squares that border it.",
    ),
    _rhs(
        "todorovic_in_small",
        2,
        ASSIMILATION,
        4.4,
        "Target 2 is seen on black, behind the white squares that border it.",
    ),
    _rhs(
        "checkerboard_016",
        2,
        ASSIMILATION,
        7.46,
        "Target 2 replaces a black check, and its four neighbors are white "
        "(De Valois & De Valois).",
    ),
    _rhs(
        "benary_cross",
        1,
        ASSIMILATION,
        9.2,
        "Target 1 belongs to the black cross, target 2 to the white ground.",
    ),
    _rhs(
        "todorovic_benary1_2",
        2,
        ASSIMILATION,
        11.96,
        "Target 2 belongs to the black shape, target 1 to the white ground.",
    ),
    _rhs(
        "todorovic_benary3_4",
        2,
        ASSIMILATION,
        9.55,
        "Target 2 belongs to the black shape, target 1 to the white ground.",
    ),
)

# Stimuli with a measured strength whose direction the literature that could be
# read does not decide.
LEFT_OUT = {
    "RHS2007.checkerboard_094": "Strengths of the three check sizes have no "
    "sign and are not monotone, so the effect may turn from assimilation to "
    "contrast as checks grow.",
    "RHS2007.checkerboard_21": "See checkerboard_094.",
    "RHS2007.todorovic_equal": "The arms end at the edge of the squares. The "
    "T-junctions that explain the other Todorovic figures are reversed there, "
    "and the strength has no sign.",
    "RHS2007.todorovic_out": "The cross lies in front of the squares. No "
    "T-junction explains a direction, and the strength has no sign.",
}
