#!/bin/sh
# What an image installs, and nothing else. `make check-images` runs it outside of a container.
# usage: docker/install.sh api|worker FOLDER
set -eu
part=$1
folder=$2
source=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

case $part in
api) extras="" ;;
worker) extras="[worker,torchvision,pretrained,onnx]" ;;
*)
    echo "usage: $0 api|worker FOLDER" >&2
    exit 2
    ;;
esac

python3 -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --no-cache-dir "$source$extras"
"$folder/bin/labelaudit" --version
# Templates and static files are no modules: see that the package has them.
"$folder/bin/python" -P -c 'from app.web.assets import url_of; url_of("../templates/base.html"); url_of("vendor/htmx/htmx.min.js")'

# The API process must stay small, and nothing in it may start to depend on torch.
if [ "$part" = api ] && "$folder/bin/python" -c "import torch" 2>/dev/null; then
    echo "torch got into the API image" >&2
    exit 1
fi
