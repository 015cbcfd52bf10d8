#!/bin/sh
# What an image installs, and nothing else: exactly the versions and hashes of docker/*.lock.
# `make check-images` runs it outside of a container.
# usage: docker/install.sh api|worker FOLDER
set -eu
part=$1
folder=$2
source=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

case $part in
api | worker) ;;
*)
    echo "usage: $0 api|worker FOLDER" >&2
    exit 2
    ;;
esac

# The package is built apart, so that what builds it stays out of the image.
building=$(mktemp -d)
trap 'rm -rf "$building"' EXIT
python3 -m venv "$building/env"
"$building/env/bin/python" -m pip install --quiet --no-cache-dir --require-hashes \
    --requirement "$source/docker/build.lock"
"$building/env/bin/python" -m pip wheel --quiet --no-deps --no-build-isolation \
    --wheel-dir "$building" "$source"

python3 -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --no-cache-dir --require-hashes \
    --requirement "$source/docker/$part.lock"
"$folder/bin/python" -m pip install --quiet --no-deps "$building"/labelaudit-*.whl
"$folder/bin/python" -m pip check
"$folder/bin/labelaudit" --version
# Templates and static files are no modules: see that the package has them.
"$folder/bin/python" -P -c 'from app.web.assets import url_of; url_of("../templates/base.html"); url_of("vendor/htmx/htmx.min.js")'

# The API process must stay small, and nothing in it may start to depend on torch.
if [ "$part" = api ] && "$folder/bin/python" -c "import torch" 2>/dev/null; then
    echo "torch got into the API image" >&2
    exit 1
fi
