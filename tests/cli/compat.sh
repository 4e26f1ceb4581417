#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# stoq-compat(7): every test it names is there, and the faults of stoQ 3 that no other test
# looks at are mended. Cases have the numbers of the page.
. "$(dirname "$0")/../mount/lib.sh"
. "$(dirname "$0")/support/build.sh"

page=$SOURCE/docs/stoq-compat.7.scd
GOLDEN=$STOQ_BUILD/tests/golden-plugins

# The fourth cell of each row of the table: FILE: WORDS.
awk '/^\|/ {row = 1; cell = 0} /^# THE COMMAND/ {exit} row && /^:/ && ++cell == 3' "$page" | sed -e 's/^:  //' -e 's/\\//g' >"$WORK/named"
count=0
while IFS= read -r line; do
    file=$SOURCE/tests/${line%%: *}
    if [ -d "$file" ]; then
        [ -e "$file/${line#*: }" ] || fail "there is no $line"
    else
        [ -f "$file" ] || fail "there is no ${line%%: *}"
        grep -qF -- "${line#*: }" "$file" || fail "${line%%: *} has no ${line#*: }"
    fi
    count=$((count + 1))
done <"$WORK/named"
[ "$count" -ge 45 ] || fail "only $count rows"
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
    grep -q "^|  ${n}a\$" "$page" || fail "number $n is not in the table"
done

# scan WANTED_STATUS ARGUMENTS...: documents in $WORK/out, messages in $WORK/log.
scan() {
    local status=0 wanted=$1
    shift
    "$STOQ" scan "$@" >"$WORK/out" 2>"$WORK/log" || status=$?
    equal "exit status of stoq scan $*" "$status" "$wanted"
    check_log
}
echo text >"$SRC/file"

# 1b: the status says what happened.
scan 0 "$SRC/file" -a hash
scan 3 "$SRC/file" -a g_raise --plugin-dir "$GOLDEN"
STOQ_EXIT_ZERO=1 scan 0 "$SRC/file" -a g_raise --plugin-dir "$GOLDEN"
scan 3 "$SRC/file" -a g_peel --max-recursion 1 --plugin-dir "$GOLDEN"
scan 2 "$SRC/missing" -a hash
printf '[policy]\nflag = hash:/md5\n' >"$WORK/flag.cfg"
scan 1 "$SRC/file" -a hash --config-file "$WORK/flag.cfg"

# 7a: a dispatcher that looks at content alone is asked once for a payload of three rounds.
mkdir "$WORK/asker"
cat >"$WORK/asker/asker.c" <<'C'
#include <stoq/plugin.h>
static int asker_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    (void)err;
    *instance = ctx;
    return 0;
}
static int asker_dispatch(void *instance, struct stoq_payload *payload,
                          const struct stoq_request *request, struct stoq_reply *reply,
                          unsigned flags, struct stoq_error *err)
{
    (void)payload, (void)request, (void)flags, (void)err;
    stoq_ctx_log(instance, STOQ_LEVEL_WARNING, "asked");
    return stoq_reply_dispatch(reply, "g_reqa");
}
static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD, .name = "asker", .traits = STOQ_TRAIT_CONTENT_ONLY,
    .open = asker_open, .dispatch = asker_dispatch};
STOQ_PLUGIN(plugin);
C
printf '[Core]\nName = asker\nModule = asker\n' >"$WORK/asker/asker.stoq"
"$CC" -std=c11 "${BUILD_FLAGS[@]}" -I "$SOURCE/src/include" -shared -fPIC -o "$WORK/asker/asker.so" \
    "$WORK/asker/asker.c" -L "$STOQ_BUILD/lib" -lstoq -ljansson
scan 3 "$SRC/file" -R asker --isolation none --plugin-dir "$GOLDEN" "$WORK/asker"
equal "rounds" "$(jq -c '.results[0].plugins_run.workers | length' "$WORK/out")" 4
equal "times it was asked" "$(grep -c asked "$WORK/log")" 1

# 8c: no number in a document is none; empty bytes are the hard case of entropy.
: >"$SRC/empty"
scan 0 "$SRC" -a entropy
jq -e . "$WORK/out" >/dev/null || fail "no JSON"
! grep -E 'NaN|Infinity' "$WORK/out" || fail "a number that is none"

# 9a: a name that is not UTF-8.
odd=$'na\xefve'
echo text >"$SRC/$odd"
scan 0 "$SRC/$odd" -a hash
equal "name" "$(jq -c '.results[0].payload_meta.extra_data' "$WORK/out")" \
    "{\"filename\":\"naïve\",\"filename_b64\":\"$(printf %s "$odd" | base64)\"}"
rm "$SRC/$odd"

# 9b: a pipe that has nothing yet is waited for.
mkfifo "$WORK/pipe" "$WORK/one" "$WORK/two"
{ read -r _ <"$WORK/one"; printf 'slow '; read -r _ <"$WORK/two"; printf pipe; } >"$WORK/pipe" &
"$STOQ" scan -a hash <"$WORK/pipe" >"$WORK/out" 2>"$WORK/log" &
scanning=$!
for word in one two; do
    pause
    ! is_gone "$scanning" || fail "it did not wait for the pipe"
    echo go >"$WORK/$word"
done
wait "$scanning" || fail "scanning a slow pipe"
equal "size" "$(jq '.results[0].size' "$WORK/out")" 9

# 9c, 9d: log levels; documents alone on standard output.
for level in debug info warning error critical DEBUG; do
    scan 0 "$SRC/file" -a hash --log-level "$level"
    equal "documents at level $level" "$(jq -s length "$WORK/out")" 1
done
refused 'log_level' "$STOQ" scan "$SRC/file" --log-level loud
refused 'no-such.cfg' "$STOQ" scan "$SRC/file" --config-file "$WORK/no-such.cfg"
refused 'expected PLUGIN:OPTION=VALUE' "$STOQ" scan "$SRC/file" --plugin-opts wrong
refused 'expected KEY=VALUE' "$STOQ" scan "$SRC/file" --request-extra wrong

# 13a: the marker of an ISO image lies at 32769.
if [ -d "$STOQ_BUILD/plugins/mimetype" ]; then
    { head -c 32768 /dev/zero; printf '\001CD001\001'; head -c 4000 /dev/zero; } >"$SRC/image"
    scan 0 "$SRC/image" -a mimetype
    equal "type" "$(jq -r '.results[0].workers.mimetype.mimetype' "$WORK/out")" application/x-iso9660-image
    rm "$SRC/image"
fi

# 14a, 14b: the same order each time; a time with a zone.
printf 'a|b|c' >"$SRC/pieces"
for _ in 1 2 3 4 5; do
    scan 0 "$SRC/pieces" -a hash g_split entropy --plugin-dir "$GOLDEN"
    jq -c '[.results[] | .size, .plugins_run.workers, .payload_meta.extra_data]' "$WORK/out"
done | sort | uniq -c >"$WORK/orders"
equal "orders" "$(wc -l <"$WORK/orders")" 1
equal "workers" "$(jq -c '.results[0].plugins_run.workers' "$WORK/out")" '["entropy","g_split","hash"]'
jq -e '.time | test("^[0-9-]+T[0-9:.]+\\+00:00$")' "$WORK/out" >/dev/null || fail "time without a zone"
