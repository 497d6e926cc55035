#!/bin/sh
# Installs what the Coqui engine needs into a virtual environment: requirements/coqui.sh [VENV]
set -eu
here=$(dirname "$0")
pip="${1:-.venv}/bin/pip"
"$pip" install --quiet --disable-pip-version-check -r "$here/coqui.txt"
"$pip" install --quiet --disable-pip-version-check --no-deps -r "$here/coqui-no-deps.txt"
