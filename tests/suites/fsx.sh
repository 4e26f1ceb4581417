#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fsx, every kind of access it knows: SUITE is the program (ltp/fsx of xfstests). A third
# argument is the number of operations for each. The files it writes are the same on the
# mount and on its source afterwards. Which operations the kernel lets through differs from
# ext4's, so the files of both runs do not compare.
. "$(dirname "$0")/lib.sh"

operations=${3:-20000}
[ -x "$SUITE" ] || fail "no program $SUITE"
direct='-Z -R -W -r 4096 -t 4096 -w 4096'
variants=(
    ''
    '-R -W'
    '-R'
    '-W'
    '-f'
    '-y'
    '-X -N 1000'
    '-L'
    '-A'
    '-A -R -W'
    '-U'
    '-k'
    '-c 500'
    '-e 1'
    '-s 1'
    '-F -H -z -C -I'
    '-E -K'
    '-o 1000000 -l 8000000 -N 2000'
    '-l 3000000 -N 5000'
    '-r 4096 -t 4096 -w 4096'
    "$direct"
    "$direct -A"
    "$direct -l 4000000 -o 131072 -N 5000"
    "$direct -X -N 1000"
)

# Not every program knows every letter, not every kernel has io_uring.
run() { # DIRECTORY VARIANT SEED
    local -a words
    read -ra words <<<"-q -N $operations $2 -S $3"
    case $2 in
    -L | -k) head -c 200000 /dev/urandom >"$1/file" ;; # they want one that is there
    esac
    timeout 600 "$SUITE" "${words[@]}" -P "$WORK" "$1/file" >"$WORK/out" 2>&1
}

failed=0 passed=0 skipped=0 native_s=0 mount_s=0
mount_suite -o suid,dev
for v in "${variants[@]}"; do
    for seed in 1 2; do
        start=$(date +%s%N)
        if ! run "$NATIVE" "$v" "$seed"; then
            echo "not here: $v (seed $seed): $(tail -n 1 "$WORK/out")"
            skipped=$((skipped + 1))
            continue
        fi
        native_s=$((native_s + $(date +%s%N) - start))
        start=$(date +%s%N)
        if run "$MNT" "$v" "$seed" && cmp "$SRC/file" "$MNT/file"; then
            passed=$((passed + 1))
        else
            echo "FAILED: $v (seed $seed): $(tail -n 5 "$WORK/out")"
            failed=$((failed + 1))
        fi
        mount_s=$((mount_s + $(date +%s%N) - start))
        rm -f "$NATIVE"/file* "$MNT"/file*
    done
done
answers
umount_fs
echo "fsx: $passed passed, $failed failed, $skipped not possible on the source either"
echo "native $((native_s / 1000000000)) s, mount $((mount_s / 1000000000)) s"
equal "variants that fail on the mount" "$failed" 0
[ "$passed" -gt 20 ] || fail "too few variants ran"
