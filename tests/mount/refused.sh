#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What cannot be mounted: one clear line, exit status 2, nothing mounted.
. "$(dirname "$0")/lib.sh"

try() { refused "$1" "$STOQFS" --state-dir "$STATE" "${@:2}"; }
nothing_mounted() { ! is_mounted || fail "something is mounted"; }

try "No such file or directory" "$WORK/nowhere" "$MNT"
echo x >"$WORK/file"
try "not a directory" "$WORK/file" "$MNT"
try "not a directory" "$SRC" "$WORK/file"
try "No such file or directory" "$SRC" "$WORK/nowhere"
try "is the" "$SRC" "$SRC"
mkdir "$SRC/below"
try "lies above" "$SRC" "$SRC/below"
try "lies below" "$SRC/below" "$SRC"
mkdir "$MNT/inner"
refused "lies below" "$STOQFS" --state-dir "$MNT/inner" -o nonempty "$SRC" "$MNT"
rmdir "$MNT/inner"
mkdir -p "$WORK/deep/mnt"
refused "lies above" "$STOQFS" --state-dir "$WORK/deep" "$SRC" "$WORK/deep/mnt"
refused "lies below" "$STOQFS" --state-dir "$SRC/state" "$SRC" "$MNT"
echo there >"$MNT/entry"
try "not empty" "$SRC" "$MNT"
rm "$MNT/entry"
try "expected SRC and MNT" "$SRC"
try "unknown option --nonsense" --nonsense "$SRC" "$MNT"
try "unknown mount option -o nonsense" -o nonsense "$SRC" "$MNT"
try "expected a number of seconds" -o deadline=soon "$SRC" "$MNT"
try "expected a whole number" -o scanners=0 "$SRC" "$MNT"
try "expected one of" -o sidecars=some "$SRC" "$MNT"
try "no such verdict" -o on_bogus=deny "$SRC" "$MNT"
try "nosuch" -a nosuch "$SRC" "$MNT"
try "nosuch" -C nosuch "$SRC" "$MNT"
try "PLUGIN:OPTION=VALUE" --plugin-opts bogus "$SRC" "$MNT"
try "nosuchoption" --plugin-opts hash:nosuchoption=1 "$SRC" "$MNT"
try "lies in the mounted tree" -C filedir --plugin-opts "filedir:results_dir=$SRC/r" "$SRC" "$MNT"
try "stoq.cfg" --config "$WORK/none/stoq.cfg" "$SRC" "$MNT"

printf '[core]\nmax_recursion = many\n' >"$WORK/bad.cfg"
try "bad.cfg:2" --config "$WORK/bad.cfg" "$SRC" "$MNT"
printf '[core\n' >"$WORK/bad.cfg"
try "bad.cfg:1" --config "$WORK/bad.cfg" "$SRC" "$MNT"

# rules: none at all, and none that compiles
mkdir "$WORK/norules"
try "norules" --plugin-opts "yara:worker_rules=$WORK/norules" "$SRC" "$MNT"
echo 'rule broken { condition: nonsense }' >"$WORK/norules/broken.yar"
try "broken.yar" --plugin-opts "yara:worker_rules=$WORK/norules" "$SRC" "$MNT"

# plugins that do not fit
bad=$WORK/badplugin/bad
mkdir -p "$bad"
printf '[Core]\nName = bad\nModule = bad\n' >"$bad/bad.stoq"
head -c 5000 "$STOQ_BUILD/plugins/hash/hash.so" >"$bad/bad.so"
try "bad.so" --plugin-dir "$WORK/badplugin" -a bad "$SRC" "$MNT"
cp "$STOQ_BUILD/plugins/hash/hash.so" "$bad/bad.so"
chmod 666 "$bad/bad.so"
try "writable" --plugin-dir "$WORK/badplugin" -a bad "$SRC" "$MNT"

# no device: in a mount namespace whose /dev lacks it
without_fuse() {
    unshare -m sh -c 'mount -t tmpfs tmpfs /dev && mknod -m 666 /dev/null c 1 3 &&
        exec "$STOQFS" --state-dir "$STATE" "$SRC" "$MNT"'
}
refused "/dev/fuse" without_fuse

nothing_mounted
mount_fs
try "in use by another mount" "$SRC" "$MNT"
mkdir "$WORK/mnt2"
try "$STATE" "$SRC" "$WORK/mnt2" # the state directory has an owner
umount_fs

# with consent, over entries
echo there >"$MNT/entry"
mount_fs -o nonempty
[ ! -e "$MNT/entry" ] || fail "the entry shows through"
umount_fs
