# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Packaging: `pip install .`, or `pip install -e .[tests]` to develop.

`constraints.txt` pins the versions that the tests ran with. The bounds here are
wider. The tests of the models, bijectors and data sets also passed at the lower
bounds.
"""

import pathlib
import re
import tempfile

import setuptools

_ROOT = pathlib.Path(__file__).resolve().parent

_INSTALL_REQUIRES = [
    "absl-py>=1.4,<3",
    "etils[epath]>=1.9.1,<2",
    # TFDS imports it, but requires it only for old versions of Python.
    "importlib-resources>=6.4,<8",
    "keras>=3.12,<3.16",
    "matplotlib>=3.9,<4",
    # NumPy 2.4 dropped an argument that `tfb.Pad` of TFP 0.25 passes.
    "numpy>=2.0,<2.4",
    "pillow>=10,<14",
    "scikit-image>=0.25,<0.27",
    "scikit-learn>=1.6,<1.10",
    # `tf.summary` needs it, but TensorFlow 2.21 no longer requires it.
    "tensorboard>=2.20,<2.22",
    "tensorflow>=2.20,<2.22",
    # Earlier releases fail with protobuf 7.
    "tensorflow-datasets>=4.9.10,<4.10",
    # The extra installs tf-keras, which TFP imports.
    "tensorflow-probability[tf]>=0.25,<0.26",
]

# These run the notebooks, by hand and in the tests.
_COLAB = [
    "ipykernel>=6.29,<8",
    "nbclient>=0.10,<0.12",
    "nbformat>=5.10,<6",
]

# These build the reference site, by `make docs` and in the tests.
_DOCS = [
    "furo>=2025.12,<2027",
    "myst-nb>=1.4,<2",
    "sphinx>=9,<10",
]

_EXTRAS_REQUIRE = {
    "colab": _COLAB,
    "docs": _DOCS,
    "tests": [
        *_COLAB,
        *_DOCS,
        "build>=1.2,<2",
        "packaging>=24,<28",
        "pytest>=8.3,<10",
        "pytest-xdist>=3.6,<4",
        # Its formatting changes with the minor version.
        "ruff>=0.17.6,<0.18",
        # `build` uses the installed one in the tests.
        "setuptools>=77,<85",
    ],
}


def _version():
    text = (_ROOT / "tfp_glow" / "version.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)[1]


# Not in ./build: it is the file BUILD where file names ignore case, and modules
# of an older build there would be packed again.
with tempfile.TemporaryDirectory() as build_base:
    setuptools.setup(
        name="tfp_glow",
        version=_version(),
        description=(
            "Glow normalizing flows for TensorFlow Probability and Keras 3"
        ),
        long_description=(_ROOT / "README.md").read_text(encoding="utf-8"),
        long_description_content_type="text/markdown",
        author="The tfp_glow Authors",
        license_expression="Apache-2.0",
        license_files=["LICENSE"],
        classifiers=[
            "Development Status :: 4 - Beta",
            "Intended Audience :: Developers",
            "Intended Audience :: Education",
            "Intended Audience :: Science/Research",
            "Operating System :: POSIX :: Linux",
            "Programming Language :: Python :: 3",
            "Programming Language :: Python :: 3 :: Only",
            "Programming Language :: Python :: 3.11",
            "Programming Language :: Python :: 3.12",
            "Programming Language :: Python :: 3.13",
            "Topic :: Scientific/Engineering :: Artificial Intelligence",
            "Topic :: Scientific/Engineering :: Mathematics",
        ],
        keywords=[
            "density estimation",
            "generative models",
            "keras",
            "normalizing flows",
            "tensorflow probability",
        ],
        packages=setuptools.find_packages(
            str(_ROOT), include=["tfp_glow", "tfp_glow.*"]
        ),
        package_data={
            "tfp_glow.explorer": ["page/*"],
            "tfp_glow.models": ["weights/*/*"],
        },
        python_requires=">=3.11,<3.14",
        install_requires=_INSTALL_REQUIRES,
        extras_require=_EXTRAS_REQUIRE,
        entry_points={
            "console_scripts": ["tfp-glow = tfp_glow.train.cli:main"],
        },
        options={"build": {"build_base": build_base}},
    )
