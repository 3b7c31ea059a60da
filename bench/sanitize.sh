#!/usr/bin/env bash
# The compiled modules' tests (tests/core) under AddressSanitizer and UndefinedBehaviorSanitizer.
#
#     make sanitize            (or: bench/sanitize.sh [PYTHON] [pytest arguments])
#
# Works on a copy in build/sanitize, so the checkout's own compiled modules stay as they are. Only
# our modules are instrumented; picows, uvloop and CPython run as they came, but what they allocate
# goes through ASan's malloc, so our reads and writes of it are watched too. Fails on any report.
set -euo pipefail
cd "$(dirname "$0")/.."

python="$(realpath -s "${1:-.venv/bin/python}")"
[ $# -eq 0 ] || shift
compiler="${CC:-gcc}"
work="$PWD/build/sanitize"

fail() { echo "sanitize: $*" >&2; exit 1; }

[ -x "$python" ] || fail "no Python at $python; run make install first"
command -v "$compiler" >/dev/null || fail "no $compiler; install Debian's build-essential"
asan="$("$compiler" -print-file-name=libasan.so)"
[ -e "$asan" ] || fail "$compiler has no libasan; install Debian's build-essential"

mkdir -p "$work"
rm -rf "$work/fastws" "$work/tests" "$work/bench"
tar -c --exclude='*.so' --exclude='__pycache__' \
    setup.py pyproject.toml README.md LICENSE fastws tests bench | tar -x -C "$work"
cd "$work"

echo "sanitize: building the compiled modules with $compiler"
CC="$compiler" FASTWS_SANITIZE=1 "$python" setup.py -q build_ext --inplace >build.log 2>&1 ||
    { tail -n 40 build.log >&2; fail "the build failed"; }

# detect_leaks=0          CPython keeps interned strings, types and modules until the process ends
# halt_on_error=1         the first report ends the run; UBSan would print and go on
# detect_stack_use_after_return=1  a pointer into a frame that is gone
watched() {
    # PYTHONMALLOC=malloc: every Python object is a block ASan knows, not a slice of an arena.
    # libstdc++ comes after libasan, which must find the real __cxa_throw when it starts.
    LD_PRELOAD="$asan $("$compiler" -print-file-name=libstdc++.so.6)" \
    ASAN_OPTIONS="detect_leaks=0:halt_on_error=1:detect_stack_use_after_return=1" \
    UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1" \
    PYTHONMALLOC=malloc PYTHONPATH="$work" "$@" 2>"$work/stderr"
}

reported() { grep -Eq 'ERROR: AddressSanitizer|runtime error:' "$work/stderr"; }

# A watchman who sleeps reports nothing: two planted mistakes must be seen before silence counts.
cat >planted.c <<'PLANTED'
#include <stdlib.h>
int overflow(int by) { int most = 2147483647; return most + by; }
int past_the_end(int at) { char *block = calloc(8, 1); int read = block[at]; free(block); return read; }
PLANTED
"$compiler" -O1 -g -fsanitize=address,undefined -shared -fPIC planted.c -o planted.so
for mistake in overflow:1 past_the_end:8; do
    call="import ctypes; ctypes.CDLL('./planted.so').${mistake%:*}(${mistake#*:})"
    if watched "$python" -c "$call" || ! reported; then
        fail "the planted mistake ${mistake%:*} was not reported; the sanitizers do not work here"
    fi
done

watched "$python" - <<'IMPORTS' || { cat "$work/stderr" >&2; fail "the modules under test are not the instrumented ones"; }
import importlib, pathlib
for source in sorted(pathlib.Path("fastws/_core").glob("*.pyx")):
    loaded = pathlib.Path(importlib.import_module(f"fastws._core.{source.stem}").__file__)
    assert loaded.is_relative_to(pathlib.Path.cwd()), f"{loaded} is not the copy"
    assert b"__asan_init" in loaded.read_bytes(), f"{loaded} is not instrumented"
    print("sanitize: watching", loaded.name)
IMPORTS

# --capture=sys: a report goes to the descriptor 2, which pytest would hold back and lose with an
# aborted run.
status=0
watched "$python" -m pytest -q -p no:cacheprovider --capture=sys tests/core "$@" || status=$?
cat "$work/stderr" >&2
! reported || fail "the sanitizers reported the above"
[ "$status" -eq 0 ] || fail "tests failed (exit $status), without a report of the sanitizers"
echo "sanitize: no report"
