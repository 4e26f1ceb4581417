#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs all tests: installs what they need (Debian, as root or with sudo), builds with gcc
# and clang, and runs the unit, golden and mount tests of a release build, of an
# ASan+UBSan build and, for the threaded parts, of a TSan build.
#
#   tests/run.sh                 everything
#   tests/run.sh release asan    only those presets (debug, release, asan, tsan)
#
# STOQ_TEST_RULES=DIR   a directory of YARA rule files to compare with the yara program
# STOQ_NO_INSTALL=1     do not touch the system's packages
# STOQ_JOBS=N           parallel jobs (default: cores)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(
    gcc g++ clang cmake ninja-build pkg-config libclang-rt-14-dev
    libfuse3-dev fuse3 libyara-dev yara libjansson-dev libarchive-dev libmagic-dev libssl-dev
    libsqlite3-dev libseccomp-dev uthash-dev check scdoc mandoc shellcheck
    libmspack-dev libclamav-dev libpcre2-dev libexpat1-dev liblzma-dev zlib1g-dev libbz2-dev
    libfuzzy-dev clamav-testfiles libhiredis-dev redis-server librdkafka-dev
    libpq-dev libcurl4-openssl-dev rsyslog rsyslog-openssl postgresql systemd openssl
    fio stress-ng samba smbclient nginx-light curl e2fsprogs make
    python3 jq attr acl rsync git sqlite3 psmisc procps util-linux strace
)
jobs=${STOQ_JOBS:-$(nproc)}

install_packages() {
    [ -z "${STOQ_NO_INSTALL:-}" ] || return 0
    local missing=() p
    for p in "${packages[@]}"; do
        dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    local as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    # Servers are for the tests to start: where nothing else decides it, none starts now.
    local policy=/usr/sbin/policy-rc.d own_policy='' status=0
    if [ ! -e "$policy" ]; then
        own_policy=1
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
        "${as_root[@]}" chmod 755 "$policy"
    fi
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qy --no-install-recommends "${missing[@]}" || status=$?
    [ -z "$own_policy" ] || "${as_root[@]}" rm -f "$policy"
    return "$status"
}

# Build preset $1 with the compiler the preset asks for.
build() {
    echo "== build $1"
    cmake --preset "$1" >"build-$1.log" 2>&1 || { cat "build-$1.log"; exit 1; }
    rm -f "build-$1.log"
    cmake --build --preset "$1" -j "$jobs"
}

run_ctest() { # PRESET ctest-args...
    local preset=$1
    shift
    echo "== test $preset"
    ctest --preset "$preset" --no-tests=error "$@"
}

install_packages
want=("$@")
[ "${#want[@]}" -gt 0 ] || want=(debug release asan tsan)
# A test that cannot run here is a failure, not a pass.
export STOQ_MUST_MOUNT=1

for preset in "${want[@]}"; do
    build "$preset"
    case $preset in
    debug) run_ctest debug -j "$jobs" -L 'unit|golden|cli' ;;
    release) run_ctest release -j "$jobs" ;;
    asan) run_ctest asan -j "$jobs" ;;
    tsan) run_ctest tsan -j "$jobs" \
            -R '^(test_(pool|store|courier|fs|core_engine|core_queue|plugin_call|util_log)|mount_(basic|one_scan|behind|outputs|remount|sidecars|coherence|passthrough|reload))' ;;
    *) run_ctest "$preset" -j "$jobs" ;;
    esac
done
