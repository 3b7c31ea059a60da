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

# -g0: Python's own flags ask for debug information, four fifths of the size of a wheel.
CFLAGS = ["-O0", "-g"] if DEBUG else ["-O3", "-g0"]
LDFLAGS: list[str] = []
if SANITIZE:
    CFLAGS = ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined"]
    LDFLAGS = ["-fsanitize=address,undefined"]

# picows.pxd sits in site-packages/picows; `cimport picows.picows` finds it through sys.path.
INCLUDE = [str(Path(picows.__file__).parent)]


def flavour() -> Path:
    """The file that is newer than what was built with other switches, so that it is rebuilt."""
    path = Path("build/flavour")
    text = f"debug={DEBUG} sanitize={SANITIZE} picows={picows.__version__}\n"
    if not path.is_file() or path.read_text() != text:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return path


SOURCES = sorted(Path("fastws/_core").glob("*.pyx"))
if not SOURCES:
    raise SystemExit("setup.py: no fastws/_core/*.pyx here; the source tree is not complete")

setup(
    ext_modules=cythonize(
        [
            Extension(
                f"fastws._core.{source.stem}",
                [str(source)],
                depends=[str(flavour())],
                include_dirs=INCLUDE,
                extra_compile_args=CFLAGS,
                extra_link_args=LDFLAGS,
                define_macros=[("CYTHON_TRACE_NOGIL", "1")] if DEBUG else [],
            )
            for source in SOURCES
        ],
        compiler_directives=DIRECTIVES,
        build_dir="build/cython-debug" if DEBUG else "build/cython",
    ),
    options={"build_ext": {"parallel": os.cpu_count()}},
)
