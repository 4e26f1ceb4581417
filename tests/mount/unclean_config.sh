#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is odd but not fatal is told with file and line, and mounts: an unknown key, one
# bad rule file among good ones.
. "$(dirname "$0")/lib.sh"

mkdir "$WORK/rules"
cp "$STOQ_BUILD/plugins/yara/rules/"*.yar "$WORK/rules"
printf 'rule fine { condition: true }\nrule broken {\n condition: nonsense }\n' >"$WORK/rules/zz_broken.yar"
cat >"$WORK/stoq.cfg" <<CFG
[core]
nosuchkey = 1

[yara]
worker_rules = $WORK/rules
CFG
eicar >"$SRC/bad.com"
mount_fs --config "$WORK/stoq.cfg"
grep -q 'stoq.cfg:2.*nosuchkey' "$WORK/log" || fail "the unknown key is not told with its line"
grep -q 'zz_broken.yar:3' "$WORK/log" || fail "the bad rule is not told with its line"
equal "other rules work" "$(verdict_of "$MNT/bad.com")" flagged
equal "failed rules in status" "$(status_of '.rules.failed | length')" 1
equal "degraded names it" "$(jq '[.degraded[] | select(test("rule"))] | length' "$MNT/.stoq/status.json")" 1
umount_fs
equal "check-config fails on it" \
    "$("$STOQ" check-config --config-file "$WORK/stoq.cfg" -a yara >/dev/null 2>&1; echo $?)" 2
