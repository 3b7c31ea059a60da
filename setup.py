"""Builds the compiled rooms. Everything else about the package is in pyproject.toml.

FASTWS_DEBUG=1     bounds checks, no optimisation, line tracing
FASTWS_SANITIZE=1  AddressSanitizer and UndefinedBehaviorSanitizer (see ``make sanitize``)
"""

import os
from pathlib import Path

import picows
from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("FASTWS_DEBUG") == "1"
SANITIZE = os.environ.get("FASTWS_SANITIZE") == "1"

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": DEBUG,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "embedsignature": True,
    "linetrace": DEBUG,
    "freethreading_compatible": False,
}

CFLAGS = ["-O0", "-g"] if DEBUG else ["-O3"]
LDFLAGS: list[str] = []
if SANITIZE:
    CFLAGS = ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined"]
    LDFLAGS = ["-fsanitize=address,undefined"]

# picows.pxd sits in site-packages/picows; `cimport picows.picows` finds it through sys.path.
INCLUDE = [str(Path(picows.__file__).parent)]

setup(
    ext_modules=cythonize(
        [
            Extension(
                f"fastws._core.{source.stem}",
                [str(source)],
                include_dirs=INCLUDE,
                extra_compile_args=CFLAGS,
                extra_link_args=LDFLAGS,
                define_macros=[("CYTHON_TRACE_NOGIL", "1")] if DEBUG else [],
            )
            for source in sorted(Path("fastws/_core").glob("*.pyx"))
        ],
        compiler_directives=DIRECTIVES,
        build_dir="build/cython",
    )
)
