# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The misbehaving worker, stoq-inject(7): mount options, and its gate.
GATE=$WORK/gate
mkfifo "$GATE"
INJECT=(-a 'hash,inject'
    --plugin-opts "inject:gate=$GATE")
export INJECT
# let N held scans go on; take back what nobody waited for
open_gate() { head -c "$1" /dev/zero >"$GATE"; }
close_gate() { dd if="$GATE" iflag=nonblock of=/dev/null bs=64 count=1 status=none 2>/dev/null || :; }
