#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# stoq test: every plugin of the build passes its self-tests, each of its operations is
# tried by one; and what fails, crashes, is missing or is no case is told.
. "$(dirname "$0")/../mount/lib.sh"
. "$(dirname "$0")/support/build.sh"

# self_test WANTED_STATUS ARGUMENTS...: output in $WORK/out.
self_test() {
    local status=0 wanted=$1
    shift
    "$STOQ" test "$@" >"$WORK/out" 2>"$WORK/log" || status=$?
    [ "$status" = "$wanted" ] || cat "$WORK/out" "$WORK/log" >&2
    equal "exit status of stoq test $*" "$status" "$wanted"
    check_log
}

# says LINE: the output has a line that begins so.
says() { grep -qF -- "$1" "$WORK/out" || { cat "$WORK/out" >&2; fail "not said: $1"; }; }

# The plugins of the build.
self_test 0
plugins=("$STOQ_BUILD"/plugins/*/)
[ "${#plugins[@]}" -ge 7 ] || fail "only ${#plugins[@]} plugins were built"
says "${#plugins[@]} plugins, "
equal "cases that passed" "$(grep -c '^ok    ' "$WORK/out")" \
    "$(find "$STOQ_BUILD"/plugins/*/selftest -name '*.json' | wc -l)"
self_test 0 hash entropy
says '2 plugins, '
# Whatever an operator's own settings are, and with the status of a scan switched off.
printf '[core]\nalways_dispatch = hash\n[filedir]\nuse_sha = False\n' >"$WORK/own.cfg"
self_test 0 filedir --config "$WORK/own.cfg"
equal "left behind" "$(find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'stoq-test-*' -newer "$WORK/own.cfg" | wc -l)" 0

# A plugin of our own.
own=$WORK/plugins/crasher
mkdir -p "$own/selftest"
"$CC" -std=c11 -Wall -Wextra -Werror "${BUILD_FLAGS[@]}" -I "$SOURCE/src/include" -shared -fPIC \
    -fvisibility=hidden -o "$own/crasher.so" "$SOURCE/tests/cli/support/crasher/crasher.c" \
    -L "$STOQ_BUILD/lib" -lstoq -ljansson
cp "$SOURCE/tests/cli/support/crasher/crasher.stoq" "$own"
cases=(--plugin-dir "$WORK/plugins")

# case NAME: its text is standard input; others are removed.
only_case() {
    rm -f "$own"/selftest/*
    cat >"$own/selftest/$1.json"
}

self_test 1 "${cases[@]}"
says 'FAIL  crasher: no self-test'
says '1 plugins, 0 cases: 0 passed, 0 failed, 1 missing'
self_test 0 --allow-missing "${cases[@]}"
says 'none  crasher: no self-test'

only_case good <<<'{"text": "four", "result": {"size": 4}}'
self_test 1 "${cases[@]}"
says 'ok    crasher/good'
says 'FAIL  crasher: no self-test tries its operation decorate'
says 'FAIL  crasher: no self-test tries its operation ingest'
self_test 0 --allow-missing "${cases[@]}"
echo '{"text": "x", "decorated": 1}' >"$own/selftest/decorated.json"
echo '{"provided": [{"size": 2}, {"size": 1, "extra_data": {}}]}' >"$own/selftest/provided.json"
self_test 0 "${cases[@]}"
says '1 plugins, 3 cases: 3 passed, 0 failed, 0 missing'

# What differs, and where.
only_case bad <<<'{"text": "four", "result": {"size": 5, "more": [1]}, "errors": 2,
    "extracted": [{"size": 1}]}'
self_test 1 --allow-missing "${cases[@]}"
says 'FAIL  crasher/bad: result/size: expected 5, got 4'
says '      result/more: expected [1], got nothing'
says '      extracted: expected 1 children, got 0'
says '      errors: expected 2, got 0'
self_test 1 --allow-missing --json "${cases[@]}"
equal "as JSON" "$(jq -c '[.ok, .cases, .failed, .plugins.crasher.cases.bad.ok,
    .plugins.crasher.cases.bad.differences[0]]' "$WORK/out")" \
    '[false,1,1,false,"result/size: expected 5, got 4"]'
only_case less <<<'{"provided": [{"size": 1}]}'
self_test 1 --allow-missing "${cases[@]}"
says 'FAIL  crasher/less: provided: expected nothing, got {"size": 2, "sha256"'
only_case failure <<<'{"text": "fail", "result": null, "errors": 1}'
self_test 0 --allow-missing "${cases[@]}"
only_case failure <<<'{"text": "fail", "result": null}'
self_test 1 --allow-missing "${cases[@]}"
says 'as it was told'

# A crash is that case's alone.
only_case crash <<<'{"text": "crash", "result": null}'
echo '{"text": "", "result": {"size": 0}}' >"$own/selftest/empty.json"
self_test 1 --allow-missing "${cases[@]}"
says 'FAIL  crasher/crash: killed by signal 9'
says 'ok    crasher/empty'
self_test 1 --allow-missing --exit-zero "${cases[@]}"

# No cases.
for text in '[]' '{"resuls": {}}' '{"text": 1}' '{"sample": "../x"}' '{"sample": "x", "text": "x"}' \
    '{"options": {"x": "1"}}' '{"saved": 1}' '{' '{"sample": "missing"}'; do
    only_case odd <<<"$text"
    self_test 1 --allow-missing "${cases[@]}"
    grep -q '^FAIL  crasher/odd: ' "$WORK/out" || fail "taken for a case: $text"
done

# An object that cannot be loaded, and usage.
echo junk >"$own/crasher.so"
self_test 1 --allow-missing "${cases[@]}"
says 'FAIL  crasher: '
refused 'there is no plugin nosuch' "$STOQ" test nosuch
refused 'stoq test has no option --upgrade' "$STOQ" test --upgrade
refused 'stoq scan has no option --json' "$STOQ" scan --json

# Ended by a signal it leaves nothing behind.
mkdir "$WORK/tmp"
TMPDIR=$WORK/tmp env --default-signal=INT "$STOQ" test >"$WORK/ended" 2>&1 &
tests=$!
eventually grep -q '^ok' "$WORK/ended"
kill -INT "$tests"
status=0
wait "$tests" || status=$?
equal "exit status of an interrupted test" "$status" 130
equal "left behind" "$(ls "$WORK/tmp")" ""
