#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# -o watch_rules reloads when rule files change, however an editor, a package or a
# deployment changes them: a new file, rename over an old one, a directory that goes and
# comes, a link that is pointed elsewhere. What leaves the rules as they were swaps
# nothing.
. "$(dirname "$0")/lib.sh"

rules=$WORK/rules
mkdir "$rules" "$WORK/v1" "$WORK/v2"
# shellcheck disable=SC2016
rule() { printf 'rule %s { strings: $a = "%s" condition: $a }\n' "$1" "$2"; }
rule one one-marker >"$rules/one.yar"
rule dispatch nothing-has-this >"$WORK/v1/dispatch.yar"
rule dispatch2 nothing-has-this >"$WORK/v2/dispatch.yar"
ln -s v1 "$WORK/current"
for n in one two three four; do echo "with $n-marker" >"$SRC/$n"; done
mount_fs -o watch_rules -R yara -a "hash,yara" \
    --plugin-opts "yara:worker_rules=$rules,yara:dispatch_rules=$WORK/current/dispatch.yar"
generation() { status_is .rules.generation "$1"; }
equal "two" "$(verdict_of "$MNT/two")" clean

# A file that is moved in, as package managers do.
rule two two-marker >"$WORK/new" && mv "$WORK/new" "$rules/two.yar"
eventually generation 2
equal "two" "$(verdict_of "$MNT/two")" flagged

# Rename over, as editors do, with their files beside it; and several changes at once.
rule one three-marker >"$rules/.one.yar.swp"
for i in $(seq 20); do rule "x$i" nothing-has-this >"$rules/x$i.yar"; done
mv "$rules/.one.yar.swp" "$rules/one.yar"
eventually generation 3
equal "three" "$(verdict_of "$MNT/three")" flagged
equal "one" "$(verdict_of "$MNT/one")" clean

# In a directory that is new.
mkdir "$rules/deep"
eventually status_is .rules.last_reload.result '"unchanged"'
rule four four-marker >"$rules/deep/four.yar"
eventually generation 4
equal "four" "$(verdict_of "$MNT/four")" flagged

# Nothing but the time changes.
before=$(status_of .rules.last_reload.time)
touch "$rules/one.yar"
ended_anew() { [ "$(status_of .rules.last_reload.time)" != "$before" ]; }
eventually ended_anew
equal "after touch" "$(status_of '[.rules.last_reload.result, .rules.generation]')" '["unchanged",4]'

# An error: refused, and repaired.
echo 'rule bad { condition: nonsense }' >"$rules/bad.yar"
eventually status_is .rules.last_reload.result '"refused"'
equal "four" "$(verdict_of "$MNT/four")" flagged
rm "$rules/bad.yar"
eventually status_is .rules.last_reload.result '"unchanged"'

# The whole directory goes, and another one comes in its place.
before=$(status_of .rules.last_reload.time)
mv "$rules" "$rules.away"
eventually ended_anew
equal "without rules" "$(status_of .rules.last_reload.result)" '"refused"'
mkdir "$WORK/next"
rule one one-marker >"$WORK/next/one.yar"
mv "$WORK/next" "$rules"
eventually generation 5
equal "one" "$(verdict_of "$MNT/one")" flagged
equal "four" "$(verdict_of "$MNT/four")" clean

# A link on the way is pointed elsewhere.
ln -s v2 "$WORK/current.new"
mv -T "$WORK/current.new" "$WORK/current"
eventually generation 6
umount_fs
