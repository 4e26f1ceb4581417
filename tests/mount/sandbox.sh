#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Hostile scanners behind a mount: it goes on, its store and its processes are untouched,
# other files have their results; what the sandbox is made of is in the status.
. "$(dirname "$0")/lib.sh"

HOSTILE=(--plugin-dir "$STOQ_BUILD/tests/plugins" -a 'hash,hostile')
GOOD=40

for n in $(seq $GOOD); do echo "good $n" >"$SRC/good$n"; done
mount_fs "${HOSTILE[@]}" -o scanners=2,enforce
in_force() { jq -e --arg m "$1" '.sandbox.in_force | index($m)' "$MNT/.stoq/status.json" >/dev/null; }
filtered=true
in_force syscall-filter || filtered=false
for measure in own-user no-capabilities no-network no-new-privileges not-dumpable no-environment; do
    in_force "$measure" || fail "not in force: $measure"
done
equal "mode" "$(status_of .sandbox.mode)" '"auto"'
equal "refused" "$(status_of '.sandbox.refused | keys - ["syscall-filter"]')" '[]'
! $filtered || equal "degraded" "$(status_of .degraded)" '[]'
grep -q 'sandbox of scanners, in force: .*own-user' "$WORK/log" || fail "not told at mount"

# What the kernel says of a scanner that waits: a user of its own, alone.
scanners() { pgrep -f "^stoqfs: scanner $MNT\$"; }
scanners_are() { [ "$(scanners | wc -l)" -eq "$1" ]; }
eventually scanners_are 2
for pid in $(scanners); do
    field() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$pid/status" | tr '\t' ' '; }
    user=$((0x70000000 + pid))
    equal "users" "$(field Uid)" "$user $user $user $user"
    equal "groups" "$(field Gid) $(field Groups)" "$user $user $user $user "
    for set in CapInh CapPrm CapEff CapBnd CapAmb; do
        equal "$set" "$(field $set)" 0000000000000000
    done
    equal "NoNewPrivs" "$(field NoNewPrivs)" 1
    equal "environment" "$(tr -d '\0' <"/proc/$pid/environ" | grep -c '=' || :)" 0
    [ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ] ||
        fail "the network is ours"
    ! $filtered || equal "filter" "$(field Seccomp)" 2
    ! $filtered || equal "root" "$(find "/proc/$pid/root/" -mindepth 1 | wc -l)" 0
done

supervisor=$MOUNT_PID
mirror=$(pgrep -f "^stoqfs: mirror $MNT\$")
zygote=$(pgrep -f "^stoqfs: zygote $MNT\$")
siblings=$(scanners | paste -sd ,) # the one that is not the scanner itself
cp "$SRC/good1" "$WORK/copy"
attack() { echo "$1 ${3:-}" >"$SRC/$2"; }
n=0
for pid in "$supervisor" "$mirror" "$zygote" "$siblings"; do
    for word in KILL PIDFD PTRACE PEEK MEM; do
        attack $word "attack$((n += 1))" "$pid"
    done
done
for file in "$STATE/stoq.db" "$SRC/good1" "$MNT/good2" "$STATE/new"; do
    attack WRITE "attack$((n += 1))" "$file"
    attack REMOVE "attack$((n += 1))" "$file"
done
attack OPEN "attack$((n += 1))" "$STATE/stoq.db"
if $filtered; then
    # what everybody may read, and what would leave processes behind
    attack OPEN "attack$((n += 1))" "$SRC/good1"
    attack OPEN "attack$((n += 1))" "$MNT/good2"
    for word in FORKBOMB FORK EXEC DISK SHARED GROWSDOWN FLOCK RARE BLOCK; do
        attack $word "attack$((n += 1))" /bin/true
    done
fi

read_good() {
    for n in $(seq $GOOD); do
        [ "$(cat "$MNT/good$n")" = "good $n" ] || return 1
        [ "$(verdict_of "$MNT/good$n")" = clean ] || return 1
    done
}
read_good &
reader=$!
for file in "$SRC"/attack*; do
    name=${file##*/}
    cat "$MNT/$name" >/dev/null 2>&1 && $filtered && fail "$name: $(cat "$file"): readable"
    document=$(cat "$MNT/$name.stoq.json")
    equal "$(cat "$file"): succeeded" "$(jq -r '.results[0].workers.hostile.did // false' <<<"$document")" false
    ! $filtered || equal "$(cat "$file"): verdict" "$(jq -r '[.verdict, (.errors | length > 0)] | join(" ")' <<<"$document")" \
        "error true"
done
wait "$reader" || fail "good files were disturbed"

cmp "$SRC/good1" "$WORK/copy" || fail "the source was changed"
for pid in "$supervisor" "$mirror" "$zygote"; do kill -0 "$pid" || fail "a process was ended"; done
equal "zygotes" "$(status_of .zygote_restarts)" 0
eventually scanners_are 2
echo late >"$MNT/late"
equal "afterwards" "$(cat "$MNT/late") $(verdict_of "$MNT/late")" "late clean"
umount_fs
none_left() { ! pgrep -f "^stoqfs: [a-z]* $MNT\$" >/dev/null; }
eventually none_left
equal "the store" "$(sqlite3 "$STATE/stoq.db" 'pragma integrity_check')" ok

# Switched off is told, too; all or nothing is an option.
mount_fs "${HOSTILE[@]}" -o sandbox=off
equal "off" "$(status_of '[.sandbox.mode, (.sandbox.off | index("landlock") != null)]')" '["off",true]'
umount_fs
if $filtered; then
    mount_fs -o sandbox=require
    equal "require" "$(status_of '[.sandbox.mode, (.sandbox.refused | length)]')" '["require",0]'
    umount_fs
else
    refused "sandbox=require: " \
        "$STOQFS" -f --state-dir "$STATE" -o sandbox=require "$SRC" "$MNT"
fi
refused "must be one of: auto require off" \
    "$STOQFS" -f --state-dir "$STATE" -o sandbox=perhaps "$SRC" "$MNT"
