#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A plugin author's way, with nothing but what was installed: copy the template, build it
# by the commands of stoq-plugin(3), see it, test it, install it, scan with it.
. "$(dirname "$0")/../mount/lib.sh"
. "$(dirname "$0")/support/build.sh"

for tool in scdoc mandoc pkg-config; do
    command -v "$tool" >/dev/null || missing "$tool"
done
umask 022
page=$SOURCE/docs/stoq-plugin.3.scd

# As a package is built: below DESTDIR.
DESTDIR=$WORK/dest cmake --install "$STOQ_BUILD" --prefix /usr >"$WORK/installed" 2>&1 ||
    { cat "$WORK/installed" >&2; fail "cmake --install"; }
[ -z "$(find "$WORK/dest" -mindepth 1 -maxdepth 1 -not -name usr)" ] || fail "something outside of the prefix"
prefix=$WORK/dest/usr
libdir=$prefix/$(cached CMAKE_INSTALL_LIBDIR)
template=$prefix/$(cached CMAKE_INSTALL_DATAROOTDIR)
[ "$template" != "$prefix/" ] || template=$prefix/share
template=$template/doc/stoqfs/examples/plugin
[ -f "$template/example.c" ] || fail "the template is not in $template"

# cc builds like this build, so that objects and library fit together.
mkdir "$WORK/bin" "$WORK/stoq"
printf '#!/bin/sh\nexec %s %s "$@"\n' "$CC" "${BUILD_FLAGS[*]}" >"$WORK/bin/cc"
chmod +x "$WORK/bin/cc"
export PATH=$WORK/bin:$prefix/bin:$PATH PKG_CONFIG_PATH=$libdir/pkgconfig
export STOQ_HOME=$WORK/stoq
equal "the stoq that runs" "$(command -v stoq)" "$prefix/bin/stoq"

cp -r "$template" "$WORK/mine"
cd "$WORK/mine" || exit 1
build=$(command_of "$page")
[[ $build == "cc "* ]] || fail "the page has no command: $build"
eval "$build" || fail "building the template: $build"
[ -f example.so ] || fail "no object: $build"

# commands_of WORD: the lines of the page that begin so, as they stand.
commands_of() { page "$page" | sed -n "s/^ *\(stoq $1 .*\)$/\1/p"; }
# run_page WORD: that one command; its output in $WORK/out.
run_page() {
    local command
    command=$(commands_of "$1" | head -1)
    [ -n "$command" ] || fail "the page has no command stoq $1"
    eval "$command" >"$WORK/out" 2>"$WORK/log" || { cat "$WORK/out" "$WORK/log" >&2; fail "$command"; }
    check_log
}
run_page list
grep -q '^example  *v1.0.0 ' "$WORK/out" || fail "it is not listed"
run_page test
grep -q '^ok    example/marked$' "$WORK/out" || fail "its self-tests did not run"
grep -q ' 0 failed, 0 missing$' "$WORK/out" || fail "its self-tests: $(tail -1 "$WORK/out")"

# The case on the page is the template's.
page "$page" | sed -n '/^SELF-TESTS/,/^EXAMPLE/p' | sed -n '/^ *{$/,/^ *}$/p' >"$WORK/case.json"
equal "the page's case" "$(jq -cS . "$WORK/case.json")" "$(jq -cS . selftest/marked.json)"

run_page install
cd /
stoq list >"$WORK/out"
grep -q '^example  *v1.0.0 ' "$WORK/out" || fail "stoq list does not find what was installed"
printf '>>one\ntwo\n' >"$WORK/lines"
stoq scan "$WORK/lines" -s example >"$WORK/out" || fail "scanning with it"
equal "result" "$(jq -c '.results[0].workers.example' "$WORK/out")" '{"lines":2,"marked":1}'
equal "child" "$(jq -c '[.results[].size]' "$WORK/out")" '[10,3]'
stoq test example >"$WORK/out" || { cat "$WORK/out" >&2; fail "stoq test of what was installed"; }
stoq plugin info example --json >"$WORK/out"
equal "where it is" "$(jq -r .path "$WORK/out")" "$STOQ_HOME/plugins/example/example.so"
equal "its options" "$(jq -c '[.options[].name]' "$WORK/out")" '["marker","max_children"]'

# A new version takes the old one's place.
sed -i 's/^Version = .*/Version = 1.1.0/' "$WORK/mine/example.stoq"
refused 'is installed already' stoq install "$WORK/mine"
stoq install --upgrade "$WORK/mine" >"$WORK/log"
equal "version" "$(stoq plugin info example --json | jq -r .version)" 1.1.0
