#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Archives made to cost: none is called clean, none takes the memory or the time of other
# scans, and what is harmless stays so.
. "$(dirname "$0")/../mount/lib.sh"

MEMORY_KIB=$((400 * 1024))
MAX_SECONDS=120

python3 "$(dirname "$0")/support/bombs.py" "$WORK/bombs" || fail "cannot make the archives"
cat >"$WORK/small.cfg" <<'CONFIG'
[limits]
extracted_bytes = 64M
children = 2000

[decompress]
nested = True
CONFIG

# measured FILE COMMAND...: run; the largest resident size of a descendant that was seen, in
# KiB, and the time in whole seconds, into FILE.
measured() {
    python3 - "$@" <<'PYTHON'
import pathlib, subprocess, sys, time


def sizes(root):
    """Peak resident size of each descendant, in KiB."""
    parents, peaks = {}, {}
    for status in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except OSError:
            continue
        pid = int(fields["Pid"])
        parents[pid] = int(fields["PPid"])
        peaks[pid] = int(fields.get("VmHWM", "0 kB").split()[0])
    for pid in parents:
        above = pid
        while above in parents and above != root:
            above = parents[above]
        if above == root:
            yield peaks[pid]


start, peak = time.monotonic(), 0
with subprocess.Popen(sys.argv[2:]) as process:
    while process.poll() is None:
        peak = max(peak, *sizes(process.pid), 0)
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            pass
with open(sys.argv[1], "w", encoding="ascii") as f:
    print(peak, int(time.monotonic() - start), file=f)
PYTHON
}

# A sanitizer's shadow memory would be measured too.
checked_memory=true
! grep -q __asan_init "$STOQ" || checked_memory=false

scan_all() { # NAME ARGUMENTS...
    local name=$1 rss seconds
    shift
    measured "$WORK/cost" "$STOQ" scan "$WORK/bombs/never" -s decompress --exit-zero "$@" \
        >"$WORK/$name.json" 2>"$WORK/log"
    check_log
    read -r rss seconds <"$WORK/cost"
    echo "$name: ${rss} KiB, ${seconds} s"
    [ "$rss" -gt 20000 ] || fail "$name: the scanners were not seen"
    ! $checked_memory || [ "$rss" -lt "$MEMORY_KIB" ] || fail "$name: $rss KiB"
    [ "$seconds" -lt "$MAX_SECONDS" ] || fail "$name: $seconds seconds"
    equal "$name: documents" "$(jq -s length "$WORK/$name.json")" \
        "$(find "$WORK/bombs/never" -type f | wc -l)"
}

verdicts() { # NAME: of files that must not be clean and are
    jq -r 'select(.verdict == "clean" or (.verdict != "partial" and .errors == []))
        | .results[0].payload_meta.extra_data.filename' "$WORK/$1.json" | sort
}

limit_of() { # FILE: names of the limits that were hit
    jq -r --arg name "$1" 'select(.results[0].payload_meta.extra_data.filename == $name)
        | [.limits_hit[].name] | unique | join(" ")' "$WORK/small.json"
}

scan_all small --config-file "$WORK/small.cfg" &
bombs=$!

# Meanwhile an ordinary archive has its ordinary result.
for _ in 1 2 3 4 5; do
    timeout 60 "$STOQ" scan "$WORK/bombs/fine/plain.zip" -s decompress >"$WORK/plain.json" ||
        fail "an ordinary archive beside bombs: status $?"
    equal "an ordinary archive beside bombs" "$(jq -c '[.verdict, [.results[1:][]
        | [.size, .payload_meta.extra_data.filename]]]' "$WORK/plain.json")" \
        '["clean",[[5,"a.txt"],[100,"b.txt"]]]'
done
wait "$bombs" || fail "scanning the bombs: status $?"

# A quine is its own child, and nothing of it is left to look at: it alone is clean.
equal "called clean" "$(verdicts small | tr '\n' ' ')" "quine.gz "
equal "the quine" "$(jq -c 'select(.results[0].payload_meta.extra_data.filename == "quine.gz")
    | [(.results | length), .results[0].extracted_by]' "$WORK/small.json")" \
    '[1,["decompress"]]'
equal "zeros.zip" "$(limit_of zeros.zip)" maximum_size
equal "zeros.gz" "$(limit_of zeros.gz)" maximum_size
equal "million.zip" "$(limit_of million.zip)" maximum_size
equal "nested.zip" "$(limit_of nested.zip)" max_recursion
equal "quoted.zip" "$(limit_of quoted.zip)" extracted_bytes
equal "entries.zip" "$(limit_of entries.zip)" children
equal "encrypted.zip" "$(limit_of encrypted.zip)" encrypted

# Names are names and no more.
"$STOQ" scan "$WORK/bombs/fine/names.zip" -s decompress >"$WORK/names.json" ||
    fail "names: status $?"
equal "names" "$(jq -c '[.results[1:][].payload_meta.extra_data.filename | .[0:10]]' \
    "$WORK/names.json")" '["passwd","abs","b","..","nnnnnnnnnn","cäfé"]'
