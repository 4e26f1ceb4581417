#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A project is configured, built, changed and built again inside the mount: the times that
# make and ninja go by are right, programs run from there.
. "$(dirname "$0")/lib.sh"

mkdir "$SRC/project"
cat >"$SRC/project/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.20)
project(sample C)
file(GLOB parts part*.c)
add_library(parts STATIC ${parts})
configure_file(version.h.in version.h)
include_directories(${CMAKE_CURRENT_BINARY_DIR})
add_executable(sample main.c)
target_link_libraries(sample parts)
enable_testing()
add_test(NAME runs COMMAND sample)
install(TARGETS sample)
CMAKE
echo '#define VERSION 1' >"$SRC/project/version.h.in"
for i in $(seq 12); do echo "int part$i(void); int part$i(void) { return $i; }" >"$SRC/project/part$i.c"; done
{
    echo '#include <stdio.h>'
    echo '#include "version.h"'
    for i in $(seq 12); do echo "int part$i(void);"; done
    printf '%s\n' 'int main(void) { printf("%d %d\n", VERSION, 0'
    for i in $(seq 12); do echo "+ part$i()"; done
    echo '); return 0; }'
} >"$SRC/project/main.c"

mount_fs -a hash --log-level warning
p=$MNT/project
for generator in Ninja 'Unix Makefiles'; do
    b=$p/build
    cmake -S "$p" -B "$b" -G "$generator" >"$WORK/out" || fail "cmake: $(tail -n 3 "$WORK/out")"
    cmake --build "$b" -j 4 >"$WORK/out" || fail "build: $(tail -n 5 "$WORK/out")"
    equal "it runs" "$("$b/sample")" "1 78"
    cmake --build "$b" -v >"$WORK/out"
    grep -E ' -c ' "$WORK/out" && fail "compiled again, though nothing changed"
    echo 'int part3(void); int part3(void) { return 103; }' >"$p/part3.c"
    cmake --build "$b" -v >"$WORK/out" || fail "build: $(tail -n 5 "$WORK/out")"
    equal "only what changed is compiled" "$(grep -cE ' -c ' "$WORK/out")" 1
    equal "it runs" "$("$b/sample")" "1 178"
    (cd "$b" && ctest -Q) || fail "ctest"
    cmake --install "$b" --prefix "$p/installed" >/dev/null
    equal "installed" "$("$p/installed/bin/sample")" "1 178"
    cmake --build "$b" --target clean >/dev/null
    [ ! -e "$SRC/project/build/sample" ] || fail "not cleaned"
    echo 'int part3(void); int part3(void) { return 3; }' >"$p/part3.c"
    rm -rf "$b" "$p/installed"
    [ ! -e "$SRC/project/build" ] || fail "rm -rf left something"
done
umount_fs
