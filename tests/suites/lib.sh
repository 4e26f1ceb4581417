# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scripts for third-party suites share. Each is run as
#
#   tests/suites/NAME.sh BUILD_DIR SUITE
#
# by root, with stoqfs built in BUILD_DIR and the suite built at SUITE. It runs the suite
# on a directory of ext4 (in $TMPDIR, or /var/tmp) and on a mount of another one, prints
# both results, and fails when the mount's is worse. What it used is removed, unless
# STOQ_KEEP is set.

set -euo pipefail
[ $# -ge 2 ] || {
    echo "usage: ${0##*/} BUILD_DIR SUITE, see ${BASH_SOURCE[0]}" >&2
    exit 2
}
STOQ_BUILD=$(cd "$1" && pwd)
SUITE=$(readlink -f "$2")
WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/stoqfs-suite.XXXXXX")
SRC=$WORK/src MNT=$WORK/mnt STATE=$WORK/state NATIVE=$WORK/native
export STOQ_BUILD SUITE WORK SRC MNT STATE NATIVE
chmod 755 "$WORK"
mkdir -m 755 "$SRC" "$MNT" "$NATIVE" "$WORK/home"
export HOME=$WORK/home XDG_CACHE_HOME=$WORK/cache
. "$(dirname "${BASH_SOURCE[0]}")/../mount/lib.sh"

remove_work() { [ -n "${STOQ_KEEP:-}" ] || rm -rf "$WORK"; }
AT_END+=(remove_work)
[ "$(id -u)" -eq 0 ] || fail "not root"
[ "$(stat -f -c %T "$SRC")" = ext2/ext3 ] || fail "$WORK is not on ext4: set TMPDIR"

mount_suite() { mount_fs --log-level warning "$@"; }

seconds() { echo $((($(date +%s%N) - $1) / 1000000000)); }

# answers: the mount is there, and what it shows is what the source has.
answers() {
    status_is .mode '"observe"' || fail "the mount does not answer"
    rsync -aHAXnci --delete --exclude='*.stoq.json' "$SRC/" "$MNT/" >"$WORK/diff" ||
        fail "cannot compare the mount with its source"
    [ ! -s "$WORK/diff" ] || fail "the mount differs from its source: $(head -3 "$WORK/diff")"
}
