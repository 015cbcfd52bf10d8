#!/bin/sh
# Writes the versions and hashes that the images install. `make lock` runs it; `--upgrade` takes
# the newest versions, otherwise those that are locked stay as far as pyproject.toml allows.
# usage: docker/lock.sh UV [--upgrade]
set -eu
uv=$1
shift
source=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$source"

lock() {
    target=$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-emit-index-url \
        --no-annotate --custom-compile-command "make lock" --output-file "docker/$target.lock" "$@"
}

lock api pyproject.toml --extra s3 "$@"
lock worker pyproject.toml --extra s3 --extra worker --extra torchvision --extra pretrained "$@"
# What builds the package itself: the build backend, which then needs no network of its own.
build=$(mktemp)
trap 'rm -f "$build"' EXIT
sed -n 's/^requires = \["\(.*\)"\]$/\1/p' pyproject.toml >"$build"
lock build "$build" "$@"
