# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Errors of unknown arguments that name the nearest ones.

Python 3.13 suggests names too, but not those behind `**kwargs`.
"""

import difflib
import functools
import inspect
import re
import sys

_UNKNOWN = re.compile(
    r"(?:(?:(\w+)\.__init__|[\w.]+)\(\) )?"
    r"got an unexpected keyword argument '(\w+)'"
    r"|Unrecognized keyword arguments passed to (\w+): {'(\w+)'"
)


def suggest(public):
    """Makes a public class, function or module suggest names of arguments.

    Classes and modules change in place. Returns the replacement of `public`.
    """
    if inspect.ismodule(public):
        for name, value in list(vars(public).items()):
            home = getattr(value, "__module__", None) or ""
            if home.startswith(public.__name__) and not name.startswith("_"):
                setattr(public, name, suggest(value))
    elif inspect.isclass(public):
        factory = inspect.getattr_static(public, "trainable", None)
        # Constructors of blocks, which have factories, run at every step.
        if isinstance(factory, classmethod):
            public.trainable = classmethod(suggesting(factory.__func__))
        elif "__init__" in vars(public):
            public.__init__ = suggesting(public.__init__)
    elif inspect.isfunction(public):
        return suggesting(public)
    return public


def suggesting(function, extends=None):
    """Makes a function suggest names of arguments; a decorator.

    `extends` is the function that receives what `**kwargs` holds.
    """
    if hasattr(function, "suggests"):
        return function
    signature = inspect.signature(function)
    names = {*signature.parameters}
    if extends is not None:
        names |= {*inspect.signature(extends).parameters}

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except (TypeError, ValueError) as error:
            found = _UNKNOWN.search(str(error))
            if found and (found[2] or found[4]) in kwargs:
                _add_names(error, found, names)
            raise

    wrapper.suggests = True
    # TFP and Keras read signatures without following `__wrapped__`.
    wrapper.__signature__ = signature
    return wrapper


def _add_names(error, found, names):
    """Adds the nearest names to an error that passes through a function."""
    error.names = getattr(error, "names", set()) | names
    callee = getattr(sys.modules[__package__], found[1] or found[3] or "", None)
    if inspect.isclass(callee):
        error.names |= {*inspect.signature(callee).parameters}
    names = sorted(error.names - {"self", "cls", "args", "kwargs"})
    near = difflib.get_close_matches(found[2] or found[4], names, n=2)
    hint = f"Did you mean {' or '.join(map(repr, near))}?"
    if not near:
        hint = f"Expected one of {names}"
    text = str(error).partition(". Did you mean")[0]
    text = text.partition(". Expected one of")[0]
    error.args = (f"{text}. {hint}",)
