#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Connector, archiver: every result arrives as a file, archived bytes are the file's, and
# the sidecar is the complete document. A courier that is killed loses nothing.
. "$(dirname "$0")/lib.sh"

for i in $(seq 40); do echo "file $i" >"$SRC/f$i"; done
mount_fs -a hash -C filedir -A filedir --plugin-opts \
    "filedir:results_dir=$WORK/results,filedir:archive_dir=$WORK/archive"
mkdir -p "$WORK/results"
for i in $(seq 20); do cat "$MNT/f$i" >/dev/null; done
pkill -9 -f "^stoqfs: courier $MNT\$"
for i in $(seq 21 40); do cat "$MNT/f$i" >/dev/null; done
# By name, not by number: on a filesystem without O_TMPFILE the killed courier may leave a
# dotted file behind.
delivered() { [ "$(find "$WORK/results" -type f ! -name '.*' | wc -l)" -eq 40 ]; }
eventually delivered
eventually status_is '.outbox.filedir.waiting' 0
for i in $(seq 40); do
    eventually sidecar_ready "$MNT/f$i"
    id=$(jq -r .scan_id "$MNT/f$i.stoq.json")
    check "the same document" diff <(jq -S . "$WORK/results/$id") <(jq -S . "$MNT/f$i.stoq.json") >/dev/null
    cmp "$(jq -r '.results[0].archivers.filedir.path' "$MNT/f$i.stoq.json")" "$SRC/f$i" ||
        fail "archived bytes of f$i"
done
umount_fs

# what was not delivered before the end is delivered after the next start
rm -rf "$WORK/results"
: >"$WORK/results" # a file: saving fails
echo late >"$SRC/late"
mount_fs -a hash -C filedir --plugin-opts "filedir:results_dir=$WORK/results"
cat "$MNT/late" >/dev/null
failed_once() { [ "$(jq '.outbox.filedir.failures' "$MNT/.stoq/status.json")" -ge 1 ]; }
eventually failed_once
equal "it waits" "$(status_of .outbox.filedir.waiting)" 1
umount_fs
rm "$WORK/results"
mount_fs -a hash -C filedir --plugin-opts "filedir:results_dir=$WORK/results"
arrived() { [ "$(find "$WORK/results" -type f 2>/dev/null | wc -l)" -eq 1 ]; }
eventually arrived
umount_fs
