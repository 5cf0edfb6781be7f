# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The error message that the data sets share."""

import difflib


def invalid_value(argument, value, expected, choices=()):
    """Returns a `ValueError` that says what was expected and what came.

    Args:
        argument: `str`, the argument's name in the signature.
        value: what was received; if it is like some of `choices`, the message
            asks whether these were meant.
        expected: `str`, what is valid, as the end of a sentence.
        choices: strings that are valid.

    Returns:
        A `ValueError`, for the caller to raise.

    Example:
        ```python
        raise invalid_value("split", "tests", "a split", ["train", "test"])
        # Invalid value received for argument `split`. Expected a split.
        # Received: split='tests'. Did you mean 'test'?
        ```
    """
    near = difflib.get_close_matches(str(value), choices)
    question = f". Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return ValueError(
        f"Invalid value received for argument `{argument}`. Expected "
        f"{expected}. Received: {argument}={value!r}{question}"
    )
