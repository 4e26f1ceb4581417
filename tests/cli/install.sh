#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An installation works by itself, wherever it is put: the installed stoq finds its
# plugins, and what the man pages and examples say to compile compiles and runs, against
# nothing but what was installed.
. "$(dirname "$0")/../mount/lib.sh"
. "$(dirname "$0")/support/build.sh"

prefix=$WORK/prefix
cmake --install "$STOQ_BUILD" --prefix "$prefix" >"$WORK/installed" 2>&1 ||
    { cat "$WORK/installed" >&2; fail "cmake --install"; }
libdir=$prefix/$(cached CMAKE_INSTALL_LIBDIR)
[ -f "$libdir/pkgconfig/stoq.pc" ] || fail "no stoq.pc"

# A compiler named cc that builds like this build, so that the commands of the man pages
# can be used as they stand. stoq.pc finds its prefix from where it lies.
mkdir "$WORK/bin"
printf '#!/bin/sh\nexec %s %s "$@"\n' "$CC" "${BUILD_FLAGS[*]}" >"$WORK/bin/cc"
chmod +x "$WORK/bin/cc"
export PATH=$WORK/bin:$prefix/bin:$PATH PKG_CONFIG_PATH=$libdir/pkgconfig
installed=$prefix/bin/stoq

"$installed" --version | grep -x "stoq $(pkg-config --modversion stoq)" >/dev/null || fail "versions differ"
equal "plugindir" "$(readlink -f "$(pkg-config --variable=plugindir stoq)")" "$libdir/stoq/plugins"
(cd / && "$installed" list) >"$WORK/list"
for plugin in hash entropy filedir; do
    grep -q "^$plugin " "$WORK/list" || fail "the installed stoq does not find $plugin"
done
printf hello >"$WORK/hello"
(cd / && "$installed" scan "$WORK/hello" -a hash) >"$WORK/result"
equal "verdict" "$(jq -r .verdict "$WORK/result")" clean
equal "sha256" "$(jq -r '.results[0].workers.hash.sha256' "$WORK/result")" \
    "$(sha256sum <"$WORK/hello" | cut -d' ' -f1)"
if [ -d "$libdir/stoq/plugins/yara" ]; then
    eicar >"$WORK/bad.com"
    status=0
    "$installed" scan "$WORK/bad.com" -a yara >"$WORK/result" || status=$?
    equal "status for a flagged file" "$status" 1
fi
if [ -x "$STOQFS" ]; then
    "$prefix/bin/stoqfs" --version | grep "^stoqfs [0-9]" >/dev/null || fail "the installed stoqfs"
fi
for header in error plugin stoq; do
    [ -f "$prefix/include/stoq/$header.h" ] || fail "$header.h is not installed"
done

# result_is FILE.json WHAT: of '>>one\ntwo\n' by the example plugin.
result_is() {
    equal "$2: result" "$(jq -c '.results[0].workers.example' "$1")" '{"lines":2,"marked":1}'
    equal "$2: child" "$(jq -c '[.results[] | .size]' "$1")" '[10,3]'
    equal "$2: line" "$(jq -c '.results[1].payload_meta.extra_data.line' "$1")" 1
    equal "$2: verdict" "$(jq -r .verdict "$1")" clean
}

# build_plugin DIR COMMAND: in DIR, which has example.c and the manifest.
build_plugin() {
    cp "$SOURCE/examples/plugin/example.stoq" "$1"
    (cd "$1" && eval "$2") || fail "$1: $2"
    printf '>>one\ntwo\n' >"$WORK/lines"
    "$installed" scan "$WORK/lines" --plugin-dir "$1" -s example >"$1/result" ||
        fail "scanning with the plugin of $1"
    result_is "$1/result" "$1"
}

mkdir "$WORK/plugin" "$WORK/page"
cp "$SOURCE/examples/plugin/example.c" "$WORK/plugin"
readme=$(sed -n '/^    cc /,/^$/p' "$SOURCE/examples/plugin/README.md")
[ -n "$readme" ] || fail "README.md has no command"
build_plugin "$WORK/plugin" "$readme"
equal "installed the usual way" "$(
    mkdir "$libdir/stoq/plugins/example"
    cp "$WORK/plugin/example.so" "$WORK/plugin/example.stoq" "$libdir/stoq/plugins/example"
    cd / && "$installed" list | grep -c '^example '
)" 1

# run_embed DIR: the program, whose payload decodes to a child.
run_embed() {
    LD_LIBRARY_PATH=$libdir "$1/embed" aGVsbG8= >"$1/result" 2>"$1/errors" ||
        { cat "$1/errors" >&2; fail "running $1/embed"; }
    equal "$1: verdict" "$(jq -r .verdict "$1/result")" clean
    equal "$1: sizes" "$(jq -c '[.results[] | .size]' "$1/result")" '[8,5]'
    equal "$1: told" "$(grep -c '^verdict: clean$' "$1/errors")" 1
}

mkdir "$WORK/embed" "$WORK/embed-page"
cp "$SOURCE/examples/embed/embed.c" "$WORK/embed"
command=$(sed -n 's/^ \* *\(cc embed.c .*\)$/\1/p' "$SOURCE/examples/embed/embed.c")
[ -n "$command" ] || fail "embed.c has no command"
(cd "$WORK/embed" && eval "$command") || fail "embed.c: $command"
run_embed "$WORK/embed"

# The same from the man pages alone.
if ! command -v scdoc >/dev/null || ! command -v mandoc >/dev/null; then
    [ -z "${STOQ_MUST_MOUNT:-}" ] || fail "scdoc and mandoc are needed"
    exit 0
fi
page=$SOURCE/docs/stoq-plugin.3.scd
example_of "$page" >"$WORK/page/example.c"
build_plugin "$WORK/page" "$(command_of "$page")"
page=$SOURCE/docs/libstoq.3.scd
example_of "$page" >"$WORK/embed-page/embed.c"
(cd "$WORK/embed-page" && eval "$(command_of "$page")") || fail "the example of libstoq(3)"
run_embed "$WORK/embed-page"
for page in man1/stoq.1 man5/stoq.cfg.5 man7/stoq-hash.7; do
    [ "$(cached STOQ_MAN)" = OFF ] || [ -f "$prefix/share/man/$page" ] ||
        fail "$page is not installed"
done
