#!/bin/sh
# Copies the browser libraries that the page and the client use from npm into fastws/web/vendor, with
# their licences. Run by `make vendor` when a version below is raised; nothing is fetched at run time.
# npm verifies what it fetches; SHA256SUMS says what was reviewed, so a change shows in the diff.
set -eu
vendor=$(cd "$(dirname "$0")/../fastws/web/vendor" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

take() {  # name version, then pairs: file in the package, name here
    name=$1 version=$2
    shift 2
    npm pack --silent "$name@$version" >/dev/null
    tar xzf "$name-$version.tgz"
    while [ $# -gt 0 ]; do
        cp "package/$1" "$vendor/$2"
        shift 2
    done
    rm -rf package
}

take fzstd 0.1.1 esm/index.mjs fzstd.js LICENSE fzstd.LICENSE
take uplot 1.6.32 dist/uPlot.esm.js uplot.js dist/uPlot.min.css uplot.css LICENSE uplot.LICENSE
take lightweight-charts 5.2.1 \
    dist/lightweight-charts.standalone.production.mjs lightweight-charts.js \
    LICENSE lightweight-charts.LICENSE
cd "$vendor"
chmod 644 ./*
sha256sum -- *.js *.css *.LICENSE >SHA256SUMS
