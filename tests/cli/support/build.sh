# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the tests share that compile something themselves: how this build was made.

SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
export SOURCE

# cached NAME: a variable of the build's CMake cache; empty when there is none.
cached() { sed -n "s/^$1:[A-Z]*=//p" "$STOQ_BUILD/CMakeCache.txt"; }

CC=$(cached CMAKE_C_COMPILER)
export CC
# What an object needs that meets this build's library in one process.
BUILD_FLAGS=()
sanitize=$(cached STOQ_SANITIZE)
[ -z "$sanitize" ] || BUILD_FLAGS=("-fsanitize=${sanitize/fuzzer-no-link,/}")
[ "$(cached STOQ_COVERAGE)" != ON ] || BUILD_FLAGS+=(--coverage)

is_clang() { "$CC" --version | grep -q clang; }

# missing WHAT: the test cannot run here; where everything must run, that is a failure.
missing() {
    [ -z "${STOQ_MUST_MOUNT:-}" ] || fail "$1 is needed for this test"
    echo "skipped: $1 is needed"
    exit 77
}

# page FILE.scd: the page as text, 200 columns wide.
page() { scdoc <"$1" | mandoc -T utf8 -O width=200 | col -bx; }

# example_of FILE.scd: the C code of its section EXAMPLE.
example_of() {
    page "$1" | sed -n '/^EXAMPLE/,/^[A-Z][A-Z]/p' |
        awk '/^           #include/ && !off {on = 1} on && /^       [^ ]/ {on = 0; off = 1} on {print substr($0, 12)}'
}

# command_of FILE.scd: the compiler command of its section SYNOPSIS, on one line.
command_of() {
    page "$1" | sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' |
        awk '/^ *cc / && !off {on = 1} on && !NF {on = 0; off = 1} on {sub(/\\$/, ""); sub(/^ */, ""); printf "%s ", $0}'
}
