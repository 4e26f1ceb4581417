#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What older rules scanned is scanned again in the background, the newest first, and the
# next mount goes on with it; with rescan=off when it is opened. Until then sidecars stay
# listed, and naming one scans.
. "$(dirname "$0")/lib.sh"

rules=$WORK/rules
mkdir "$rules" "$SRC/sub"
# shellcheck disable=SC2016
rule() { printf 'rule %s { strings: $a = "%s" condition: $a }\n' "$1" "$2"; }
rule first first-marker >"$rules/first.yar"
for i in $(seq 40); do printf 'number %s %s\n' "$i" \
    "$([ $((i % 4)) -ne 0 ] || echo another-marker)" >"$SRC/sub/f$i"; done
printf 'scanned last and removed\n' >"$SRC/sub/gone"
options=(-a "hash,yara" --plugin-opts "yara:worker_rules=$rules")
sidecars() { find "$MNT/sub" -name '*.stoq.json' | wc -l; }
# names of files by the time of their results, as the mount has them now
by_time() {
    for f in "$MNT"/sub/f*[0-9]; do
        jq -r '.time + " " + .results[0].payload_meta.extra_data.filename' "$f.stoq.json"
    done | sort | cut -d' ' -f2
}

# One file after another, so that the order of results is known.
mount_fs -o scanners=1,rescan=off "${options[@]}"
for i in $(seq 40 -1 1) ; do cat "$MNT/sub/f$i" "$MNT/sub/f$i.stoq.json" >/dev/null; done
cat "$MNT/sub/gone.stoq.json" >/dev/null
equal "order of scans" "$(by_time | head -2 | xargs)" "f40 f39"
equal "stale" "$(status_of .stale)" 0
rule another another-marker >"$rules/another.yar"
"$STOQ" reload "$MNT" >/dev/null || fail "reload"
# rescan=off: nothing happens until somebody asks
equal "stale" "$(status_of .stale)" 41
equal "metric" "$(sed -n 's/^stoqfs_stale_results //p' "$MNT/.stoq/metrics")" 41
equal "sidecars stay listed" "$(sidecars)" 41
equal "scans" "$(status_of '[.scans, .queued, .running]')" "[41,0,0]"
equal "f4, asked for" "$(verdict_of "$MNT/sub/f4")" flagged
equal "f8, its sidecar read" "$(jq -r .verdict "$MNT/sub/f8.stoq.json")" flagged
stat -c %s "$MNT/sub/f5.stoq.json" >/dev/null
equal "stale" "$(status_of .stale)" 38
equal "f5, its sidecar named" "$(stat -c %s "$MNT/sub/f5.stoq.json")" "$(wc -c <"$MNT/sub/f5.stoq.json")"
umount_fs

# The next mount goes on: newest first, which is f1, f2 ... ; the ones done stay done.
rm "$SRC/sub/gone"
mount_fs -o scanners=1 "${options[@]}"
eventually status_is .stale 0
eventually status_is '.queued + .running' 0
equal "scans: 37 files, and not the one that is gone" "$(status_of .scans)" 37
equal "newest first" "$(by_time | xargs)" \
    "f4 f8 f5 $(seq 40 | grep -vxE '4|8|5' | sed s/^/f/ | xargs)"
equal "flagged" "$(find "$MNT/.stoq/flagged/" -type l | wc -l)" 10
equal "by rescans only" "$(status_of .scans)" 37

# While mounted, under readers that find the right verdict at once.
rm "$rules/another.yar"
"$STOQ" reload "$MNT" >/dev/null || fail "reload"
for i in 4 8 12; do equal "f$i" "$(verdict_of "$MNT/sub/f$i")" clean; done
eventually status_is .stale 0
no_flags() { [ -z "$(ls "$MNT/.stoq/flagged/")" ]; }
eventually no_flags
umount_fs
