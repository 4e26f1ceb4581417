#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# For every file, the matches in its sidecar are those that the yara program prints with
# the same rules: our own rules, and the rule set in $STOQ_TEST_RULES where it is given.
. "$(dirname "$0")/lib.sh"

mkdir -p "$WORK/rules/own"
cp "$STOQ_BUILD/plugins/yara/rules/"*.yar "$WORK/rules/own"
[ -z "${STOQ_TEST_RULES:-}" ] || cp -r "$STOQ_TEST_RULES" "$WORK/rules/given"
# a rule that hits nearly everywhere, so that there is something to compare
printf 'rule has_elf { strings: $a = "ELF" condition: $a }\nrule has_the { strings: $a = " the " condition: #a > 3 }\n' \
    >"$WORK/rules/own/common.yar"
n=0
while read -r f && [ "$n" -lt 400 ]; do
    cp "$f" "$SRC/$n-$(basename "$f")"
    n=$((n + 1))
done < <(find /usr/bin /usr/lib/x86_64-linux-gnu /usr/share/doc -type f -size -2000k -readable |
    LC_ALL=C sort | awk 'NR % 7 == 0')
eicar >"$SRC/eicar.com"
[ "$n" -gt 200 ] || fail "only $n files to compare"

mount_fs -a yara --plugin-opts "yara:worker_rules=$WORK/rules"
(cd "$MNT" && for f in *; do cat "$f" >/dev/null; done)
# one namespace per file, as ours
args=()
while read -r r; do args+=("${r#"$WORK/rules/"}:$r"); done < <(find "$WORK/rules" -name '*.yar' -o -name '*.yara' | LC_ALL=C sort)
yara -w -r "${args[@]}" "$SRC" | while read -r rule file; do
    echo "${file##*/} $rule"
done | LC_ALL=C sort >"$WORK/yara.txt"
for f in "$SRC"/*; do
    b=${f##*/}
    jq -r --arg f "$b" '.results[0].workers.yara.matches[]? | "\($f) \(.rule)"' "$MNT/$b.stoq.json"
done | LC_ALL=C sort >"$WORK/ours.txt"
[ -s "$WORK/yara.txt" ] || fail "yara found nothing to compare"
diff "$WORK/yara.txt" "$WORK/ours.txt" >&2 || fail "matches differ"
equal "eicar is among them" "$(grep -c '^eicar.com ' "$WORK/ours.txt")" "$(grep -c '^eicar.com ' "$WORK/yara.txt")"

# the second start finds its rules compiled
umount_fs
: >"$WORK/log"
mount_fs -a yara --plugin-opts "yara:worker_rules=$WORK/rules"
grep -q 'files (cached)' "$WORK/log" || fail "rules were compiled again"
umount_fs
