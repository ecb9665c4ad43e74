#!/bin/sh
# The quick tests under every Python that edgecheck promises: those given, or 3.10 to 3.13 where pyenv or PATH has them.
set -eu
cd "$(dirname "$0")/.."
for version in ${*:-3.10 3.11 3.12 3.13}; do
    python=$(ls "$HOME"/.pyenv/versions/"$version".*/bin/python 2>/dev/null | head -n 1 || true)
    [ -n "$python" ] || python=$(command -v "python$version" || true)
    [ -n "$python" ] || { echo "Python $version: not found here"; continue; }
    venv=.venv-$version
    [ -x "$venv/bin/edgecheck" ] || {
        "$python" -m venv "$venv"
        "$venv/bin/python" -m pip install -qq --upgrade pip
        "$venv/bin/python" -m pip install -qq --editable '.[onnx,tflite]' pytest pytest-timeout hypothesis jsonschema
    }
    echo "Python $version: $("$venv/bin/python" --version)"
    "$venv/bin/python" -m pytest -q -p no:cacheprovider -m quick
    "$venv/bin/python" -m pytest -q -p no:cacheprovider -m 'not quick' tests/cli tests/config
done
