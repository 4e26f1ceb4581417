#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every header compiles alone: public ones as C11 without extensions and as C++17, private
# ones as C11 the way the build compiles them. What the public macros make is clean as well.
. "$(dirname "$0")/../mount/lib.sh"
. "$(dirname "$0")/support/build.sh"

here=$(cd "$(dirname "$0")" && pwd)
strict=(-Wall -Wextra -Wpedantic -Werror -fsyntax-only)
public=(-I "$SOURCE/src/include")
read -ra jansson < <(pkg-config --cflags jansson)
bad=0

# alone COMPILER FLAGS... HEADER: as the only include, and again as the second of two.
alone() {
    local header=${*: -1}
    printf '#include <%s>\n#include <%s>\n' "$header" "$header" |
        "${@:1:$#-1}" - 2>"$WORK/out" && return 0
    echo "$header does not compile alone with: ${*:1:$#-1}" >&2
    head -5 "$WORK/out" >&2
    bad=1
}

cxx=
for c in g++ clang++; do
    ! command -v "$c" >/dev/null || cxx=$c
done
[ -n "$cxx" ] || missing "a C++ compiler (g++)"

count=0
for path in "$SOURCE"/src/include/stoq/*.h; do
    header=${path#"$SOURCE/src/include/"}
    alone "$CC" -x c -std=c11 "${strict[@]}" "${public[@]}" "${jansson[@]}" "$header"
    alone "$cxx" -x c++ -std=c++17 "${strict[@]}" "${public[@]}" "${jansson[@]}" "$header"
    count=$((count + 1))
done
[ "$count" -ge 3 ] || fail "only $count public headers"
check "macros as C11" "$CC" -x c -std=c11 "${strict[@]}" "${public[@]}" "${jansson[@]}" \
    "$here/headers/use.c"
check "macros as C++" "$cxx" -x c++ -std=c++20 "${strict[@]}" "${public[@]}" "${jansson[@]}" \
    "$here/headers/use.cpp"

private=(-x c -std=c11 -D_GNU_SOURCE "${strict[@]}" "${public[@]}" -I "$SOURCE/src")
! is_clang || private+=(-Wno-gnu-statement-expression)
count=0
for path in "$SOURCE"/src/*/*.h; do
    alone "$CC" "${private[@]}" "${jansson[@]}" "${path#"$SOURCE/src/"}"
    count=$((count + 1))
done
if pkg-config --exists fuse3; then
    read -ra fuse < <(pkg-config --cflags fuse3)
    for path in "$SOURCE"/fs/*.h; do
        alone "$CC" "${private[@]}" -I "$SOURCE/fs" "${jansson[@]}" "${fuse[@]}" \
            "${path#"$SOURCE/fs/"}"
        count=$((count + 1))
    done
fi
[ "$count" -ge 30 ] || fail "only $count private headers"
[ "$bad" -eq 0 ] || fail "see above"
