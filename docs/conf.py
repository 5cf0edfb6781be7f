# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Settings of Sphinx for the reference site, which `make docs` builds."""

import inspect
import pathlib
import shutil
import sys

import tfp_glow as tfg

_DOCS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(_DOCS))  # For the extension `docstrings`.
# Pages of names that are gone would not be in any table of contents.
shutil.rmtree(_DOCS / "reference", ignore_errors=True)

project = "tfp_glow"
author = "The tfp_glow Authors"
copyright = f"2026 {author}"
release = version = tfg.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "myst_nb",
    "docstrings",
]

# The sources are pages of the repository, read from its root so that their links
# to other files work.
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**", "colab/*.ipynb"]
exclude_patterns = [".*", "runs", "dist", "site", "docs/templates"]
templates_path = [str(_DOCS / "templates")]

nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!tfp_glow\.).*")]
highlight_language = "none"
python_maximum_signature_line_length = 72
toc_object_entries_show_parents = "hide"
add_module_names = False

# Notebooks show the outputs that they are committed with. The tests run them, in a
# quick mode whose pictures would show hardly trained models.
nb_execution_mode = "off"
myst_heading_anchors = 3

autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autoclass_content = "both"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "furo"
html_additional_pages = {"index": "redirect.html"}  # To `docs/index.html`.
html_title = f"tfp_glow {release}"
html_copy_source = False
html_show_sphinx = False


def _members(module):
    """Public functions and classes of a public module."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__.startswith("tfp_glow")
    ]


# Python imports these modules from where they are, and users from `tfp_glow`.
_modules = {f"tfp_glow.{name}": getattr(tfg, name) for name in tfg._MODULES}
sys.modules.update(_modules)
autosummary_context = {
    "public": {name: _members(module) for name, module in _modules.items()}
}
