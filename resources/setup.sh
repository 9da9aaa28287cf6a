#!/bin/sh
# Installs the Convnet Explorer into .venv beside this checkout: Debian packages where apt-get may be
# used, then Python packages. Run from anywhere; run it again to repair or update.
#
#   sh resources/setup.sh          what the program needs
#   sh resources/setup.sh test     the test tools as well
set -eu
cd "$(dirname "$0")/.."

# What Qt, OpenCV and Python miss on a bare Debian or Ubuntu; a desktop has nearly all of it.
packages="python3 python3-venv libgl1 libegl1 libglib2.0-0 libdbus-1-3 libfontconfig1 fonts-dejavu-core
  libxkbcommon0 libxcb-cursor0 libxkbcommon-x11-0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0"
[ "${1:-}" = test ] && packages="$packages git"

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
  missing=""
  for package in $packages; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
  done
  # Newer releases renamed a library for 64-bit time; the new name provides the old one.
  case "$missing" in *libglib2.0-0*) dpkg-query -W libglib2.0-0t64 >/dev/null 2>&1 && missing=$(echo "$missing" | sed 's/ libglib2.0-0//') ;; esac
  if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ]; then
      apt-get update -q
      # shellcheck disable=SC2086
      DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing ca-certificates
    else
      echo "Missing system packages. If the program does not start, run: sudo apt-get install$missing" >&2
    fi
  fi
fi

python=""
for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
  if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "Python 3.11 or newer is needed. Install it, or name it: PYTHON=/path/to/python3 sh resources/setup.sh" >&2
  exit 1
fi

[ -x .venv/bin/python ] || "$python" -m venv .venv
extra="" compile="--compile"
# A test run imports a part of torch once: compiling all of it beforehand takes longer.
[ "${1:-}" = test ] && extra="[test]" compile="--no-compile"
.venv/bin/python -m pip install --disable-pip-version-check -q $compile -e ".$extra"
