# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests that the prose avoids phrases that make readers stop."""

import pathlib
import re

import pytest

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_GAP = r"(?:\s|#)+"  # Between words, which may be on two lines of a comment.
# A sentence starts a line, a string or a table's cell, or follows another one.
_START = r"""(?:^[\s#*>-]*|["'`|(]\s*|[.!?:]["'`)*]*(?:\s|#)+)"""
_SUGGESTIONS = {
    rf"{_START}Of\b": "name the subject first",
    rf"{_START}What\b(?![^.?]*\?)": "name the subject, or ask a question",
    rf'"""(?:The{_GAP}same|As|Such|That|Those|Likewise)\b': (
        "a docstring's first line makes sense without its neighbors"
    ),
    rf"(?<!here )\b(?:is|are|was|were){_GAP}no\b(?!{_GAP}(?:better|longer)\b)": "is not a",
    r"[Bb]ehaviour|[Cc]olour|[Nn]eighbour|[Cc]entre|\b[Gg]rey|[Ll]icence|"
    r"(?:[Ii]nitial|[Nn]ormal|[Ss]erial|uant)is(?:ation|e|ing)": (
        "the American spelling"
    ),
    rf"\b[Hh]angs?{_GAP}from\b": "belongs to, or is an attribute of",
    r"\b[Ll]ikewise\b": "also",
    r"\banew\b": "again",
    r"\bhinder(?:s|ed)?\b": "prevents, or keeps ... from",
    rf"\b[Ss]uch(?=[.,;:)]|{_GAP}(?:are|at|by|can|from|has|have|in|is|of|"
    rf"on|the|to|was|were|with)\b)": "repeat the noun",
}


def _find(text):
    """Finds the phrases, as `(line number, phrase, suggestion)`."""
    return sorted(
        (
            text.count("\n", 0, match.end()) + 1,
            " ".join(re.sub(r"\s#", " ", match[0]).split()),
            suggestion,
        )
        for pattern, suggestion in _SUGGESTIONS.items()
        for match in re.finditer(pattern, text, re.MULTILINE)
    )


def _files():
    folders = ("tfp_glow", "tests", "benchmarks", "docs", "colab")
    paths = [*_ROOT.glob("*.*"), _ROOT / "Makefile"]
    for folder in folders:
        paths.extend((_ROOT / folder).rglob("*"))
    suffixes = ("", ".py", ".md", ".ipynb", ".toml")
    return [
        path
        for path in sorted(paths)
        if path.suffix in suffixes
        and path.is_file()
        # This file quotes the phrases.
        and path != pathlib.Path(__file__).resolve()
    ]


def test_prose_is_plain():
    found = [
        f"{path.relative_to(_ROOT)}:{line}: {phrase!r}; better: {suggestion}"
        for path in _files()
        for line, phrase, suggestion in _find(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("colours are initialised", 2),
        ("initialisms of colors", 0),
        ("It hangs from it.", 1),
        ("# Of these", 1),
        ("Ends. Of these", 1),
        ("Ends.\n    # Of these", 1),
        ("University Of", 0),
        ('"""What is left."""', 1),
        ('error("What is left.")', 1),
        ("What is left? This.", 0),
        ('"""The same as\n    before."""', 1),
        ("a line, and\n# the same", 0),
        ("This is no flow.", 1),
        ("This is\n    # no flow.", 1),
        ("There is no flow.", 0),
        ("It is no longer a flow.", 0),
        ("Likewise.", 1),
        ("traced anew", 1),
        ("This hinders it.", 1),
        ("two such are", 1),
        ("such a flow, such as this", 0),
    ],
)
def test_phrases_are_found(text, count):
    assert len(_find(text)) == count, _find(text)
