#!/usr/bin/env bash
# Builds the sdist and the wheel into dist/, and tries the wheel as a stranger would: in an empty
# virtual environment, with nothing on the PATH but that, so no compiler either.
#
#     make wheel               (or: bench/wheel.sh [PYTHON])
set -euo pipefail
cd "$(dirname "$0")/.."

python="$(realpath -s "${1:-.venv/bin/python}")"
work="$(mktemp -d)"
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
fail() { echo "wheel: $*" >&2; exit 1; }

rm -rf dist
"$python" -m build . >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log" >&2; fail "build failed"; }
wheel="$(ls dist/*.whl)"
sdist="$(ls dist/*.tar.gz)"

# The wheel was built from the sdist, so what it holds the sdist held too.
"$python" - "$wheel" "$sdist" <<'CONTENTS' || fail "the contents are not as they should be"
import pathlib, subprocess, sys, tarfile, zipfile
wheel = set(zipfile.ZipFile(sys.argv[1]).namelist())
sdist = {name.partition("/")[2] for name in tarfile.open(sys.argv[2]).getnames()}
tree = [path for path in pathlib.Path("fastws").rglob("*") if path.is_file()
        and path.suffix not in (".so", ".pyc", ".c", ".html.tmp")]
missing = [str(path) for path in tree if str(path) not in sdist]
missing += [str(path) for path in tree
            if path.suffix not in (".pyx", ".pxd") and str(path) not in wheel]
missing += [str(path) for path in tree if path.suffix == ".pyx"
            and not any(name.startswith(f"fastws/_core/{path.stem}.cpython") for name in wheel)]
missing += [name for name in ("LICENSE", "NOTICE") if not any(
    name in entry for entry in wheel if ".dist-info/licenses/" in entry)]
junk = [name for name in sdist if name.startswith("build/") or name.endswith((".so", ".c", ".pyc"))]
junk += [name for name in wheel if not name.startswith(("fastws/", "degenduel_fastws-"))]
print(f"wheel: missing {missing}, needless {junk}" if missing or junk else "wheel: contents complete")
sys.exit(bool(missing or junk))
CONTENTS

"$python" -m venv "$work/venv"
bare=(env -i HOME="$work" PATH="$work/venv/bin" LC_ALL=C.UTF-8 FASTWS_DATA_DIR="$work/data")
! "${bare[@]}" "$BASH" -c 'command -v gcc || command -v cc || command -v clang' || fail "a compiler is on the PATH"
"${bare[@]}" pip install --quiet --disable-pip-version-check --only-binary :all: "$wheel"
echo "wheel: installed without a compiler, $(du -sm "$work/venv" | cut -f1) MB with all it needs"
"${bare[@]}" pip install --quiet --disable-pip-version-check --only-binary :all: "$wheel[embedded]"

cd "$work" # away from the checkout: what is imported is what was installed
"${bare[@]}" FASTWS_ENVIRONMENT=development fastws config >/dev/null
"${bare[@]}" fastws serve --demo --port 0 >"$work/out" 2>"$work/err" &
server=$!
"${bare[@]}" python - "$work/out" "$server" <<'ASK' || { cat "$work/out" "$work/err" >&2; fail "it does not serve"; }
import json, os, pathlib, re, sys, time, urllib.request
out, server = pathlib.Path(sys.argv[1]), int(sys.argv[2])
while not (found := re.search(r"http://127\.0\.0\.1:\d+", out.read_text())):
    os.kill(server, 0)  # raises when it is gone
    time.sleep(0.05)
for path in ("/", "/static/ticker.js", "/readyz", "/api/status"):
    with urllib.request.urlopen(found[0] + path, timeout=10) as answer:
        assert answer.status == 200 and answer.read(), path
print("wheel: serves the page and", found[0] + "/readyz")
ASK
"${bare[@]}" fastws console token-data --test --port "$(grep -Eo '127\.0\.0\.1:[0-9]+' "$work/out" | head -1 | cut -d: -f2)" \
    >"$work/console" 2>&1 || { cat "$work/console" >&2; fail "the console's test failed"; }
kill -TERM "$server"
wait "$server" || fail "the server ended with exit code $?"
server=
echo "wheel: ok; $(du -k "$OLDPWD/$wheel" | cut -f1) KB wheel, $(du -k "$OLDPWD/$sdist" | cut -f1) KB sdist"
