#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh Debian machine to a mounted, scanned directory.
#
#   examples/quickstart.sh            mounts an example directory
#   examples/quickstart.sh SRC MNT    mounts SRC at MNT
#
# Installs what the build needs (with apt, as root or by sudo), builds the release preset,
# mounts in the background, and says what to look at and how to unmount.
set -euo pipefail
here=$(pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$(pwd)

if [ $# -ne 0 ] && [ $# -ne 2 ]; then
    echo "usage: $0 [SRC MNT]" >&2
    exit 2
fi

packages=(gcc cmake ninja-build pkg-config libfuse3-dev fuse3 libyara-dev libjansson-dev
    libarchive-dev libmagic-dev libssl-dev libsqlite3-dev
    libseccomp-dev uthash-dev)
missing=()
for p in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
done
if [ "${#missing[@]}" -gt 0 ]; then
    echo "Installing: ${missing[*]}"
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -q >/dev/null
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qy --no-install-recommends "${missing[@]}" >/dev/null
fi

echo "Building ..."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { cmake --preset release -DSTOQ_TESTS=OFF && cmake --build --preset release; } >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    exit 1
fi

absolute() { case $1 in /*) echo "$1" ;; *) echo "$here/$1" ;; esac; }
options=()
if [ $# -eq 2 ]; then
    src=$(absolute "$1")
    mnt=$(absolute "$2")
    mkdir -p "$mnt"
else
    demo=$(mktemp -d "${TMPDIR:-/tmp}/stoqfs-demo.XXXXXX")
    chmod 755 "$demo"
    src=$demo/upload
    mnt=$demo/mnt
    options=(--state-dir "$demo/state")
    mkdir -p "$src" "$mnt"
    cp README.md "$src/letter.txt"
    # the industry's harmless test file, in two pieces so that this script is not flagged
    printf '%s%s' 'X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS' \
        '-TEST-FILE!$H+H*' >"$src/invoice.com"
fi

"$root/build/release/bin/stoqfs" "${options[@]}" "$src" "$mnt"

cat <<EOF

$src is mounted at $mnt. Look at it:

    cat $mnt/FILE > /dev/null           reading a file scans it first
    ls $mnt                             results appear as FILE.stoq.json
    cat $mnt/FILE.stoq.json             the result of one file
    getfattr -n user.stoq.verdict $mnt/FILE
    cat $mnt/.stoq/status.json          the mount itself

Unmount with:

    fusermount3 -u $mnt
EOF
if [ $# -eq 0 ]; then
    echo
    echo "\$ cat $mnt/* > /dev/null; ls $mnt"
    cat "$mnt"/* >/dev/null
    ls "$mnt"
fi
