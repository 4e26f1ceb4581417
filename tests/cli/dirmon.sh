#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# stoq run -P dirmon: files that arrive while it runs, by several writers and in several
# ways, have one result each, made when they were complete; a signal ends the run.
. "$(dirname "$0")/../mount/lib.sh"

OUT=$WORK/results
STAGE=$WORK/stage
WRITERS=8
EACH=1250
BATCH=25

results() { find "$OUT" -type f -not -name '.*' 2>/dev/null | wc -l; }
has_results() { [ "$(results)" -ge "$1" ]; }
is_ready() { grep -q "Monitoring $SRC for newly created files" "$WORK/log"; }

# put WAY WRITER NUMBER: a batch of files, named by all three.
put() {
    local name names=() dir=$SRC/dir-$2-$3 fd i
    for ((i = 0; i < BATCH; i++)); do
        names+=("w$1-$2-$3-$i")
    done
    case $1 in
    0) # at once
        cd "$SRC" || return
        ;;
    1 | 2) # complete, then moved: from outside, from a directory that is watched, too
        [ "$1" = 1 ] && dir=$STAGE/$2-$3
        mkdir "$dir"
        cd "$dir" || return
        ;;
    3) # slowly, in two steps
        for name in "${names[@]}"; do
            exec {fd}>"$SRC/$name"
            printf 'begin %s\n' "$name" >&"$fd"
            [[ $name == *[05] ]] && pause
            printf 'end %s\n' "$name" >&"$fd"
            exec {fd}>&-
        done
        return
        ;;
    4) # in a directory made for them
        mkdir -p "$dir/below"
        cd "$dir/below" || return
        ;;
    esac
    for name in "${names[@]}"; do
        printf 'begin %s\nend %s\n' "$name" "$name" >"$name"
    done
    if [ "$1" = 1 ] || [ "$1" = 2 ]; then
        mv -t "$SRC" "${names[@]}"
    fi
}

write_files() {
    local i
    for ((i = 0; i < EACH / BATCH; i++)); do
        put $(((i + $1) % 5)) "$1" "$i"
    done
}

: >"$WORK/log"
mkdir "$STAGE" "$SRC/early"
echo early >"$SRC/early/before-the-start"
# Younger than the tick of its times it would be no proof of having been there before.
is_settled() { [ -z "$(find "$SRC/early/before-the-start" -newerct '1 second ago')" ]; }
eventually is_settled
"$STOQ" run -P dirmon -a hash -C filedir --log-level info \
    --plugin-opts dirmon:source_dir="$SRC" filedir:results_dir="$OUT" \
    >"$WORK/stdout" 2>"$WORK/log" &
run=$!
eventually is_ready

writers=()
for ((w = 0; w < WRITERS; w++)); do
    write_files "$w" &
    writers+=($!)
done
for writer in "${writers[@]}"; do
    wait "$writer" || fail "a writer failed"
done
DEADLINE=120 eventually has_results $((WRITERS * EACH))

# Nothing comes twice, and nothing but files: a link, a file without a change.
ln -s early/before-the-start "$SRC/link"
: >>"$SRC/early/before-the-start"
echo last >"$SRC/last"
eventually has_results $((WRITERS * EACH + 1))

kill -s TERM "$run"
status=0
wait "$run" || status=$?
equal "exit status" "$status" 0
equal "standard output" "$(cat "$WORK/stdout")" ""
check_log

# Names and digests of what was scanned are those of the complete files.
find "$SRC" -type f -not -name before-the-start -printf '%p\0' | xargs -0 sha256sum |
    sed 's| .*/| |' | sort >"$WORK/wanted"
find "$OUT" -type f -print0 | xargs -0 jq -r '.results[0]
    | "\(.workers.hash.sha256) \(.payload_meta.extra_data.filename)"' | sort >"$WORK/found"
equal "files" "$(wc -l <"$WORK/wanted")" $((WRITERS * EACH + 1))
diff "$WORK/wanted" "$WORK/found" >&2 || fail "not every file has one result of its whole content"
equal "source_dir" "$(find "$OUT" -type f -print0 | xargs -0 jq -r '.results[0].payload_meta.extra_data
    | select(.filename == "w4-0-4-0").source_dir')" "$SRC/dir-0-4/below"
