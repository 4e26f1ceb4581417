#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# stoq install: a plugin that is sound is put into its place in one step; everything else
# is refused with one line, and leaves what was there.
. "$(dirname "$0")/../mount/lib.sh"
. "$(dirname "$0")/support/build.sh"

export STOQ_HOME=$WORK/stoq
mkdir "$STOQ_HOME"
HOMEDIR=$STOQ_HOME/plugins
crasher=$SOURCE/tests/cli/support/crasher

# build DIR VERSION: the plugin crasher.
build() {
    mkdir -p "$1/selftest"
    sed "s/^Version = .*/Version = $2/" "$crasher/crasher.stoq" >"$1/crasher.stoq"
    cp "$WORK/crasher.so" "$1/crasher.so"
    echo '{"text": "four", "result": {"size": 4}}' >"$1/selftest/four.json"
    chmod -R go-w "$1"
}
"$CC" -std=c11 -Wall -Wextra -Werror "${BUILD_FLAGS[@]}" -I "$SOURCE/src/include" -shared -fPIC \
    -fvisibility=hidden -o "$WORK/crasher.so" "$crasher/crasher.c" \
    -L "$STOQ_BUILD/lib" -lstoq -ljansson
umask 022
one=$WORK/one two=$WORK/two
build "$one" 1.0.0
build "$two" 2.0.0

# Nothing but plugins is in the home, and what is there is as it was.
clean() {
    equal "left behind" "$(find "$HOMEDIR" -mindepth 1 -maxdepth 1 -not -name crasher -printf '%f ')" ""
}
version() { sed -n 's/^Version = //p' "$HOMEDIR/crasher/crasher.stoq"; }
state() { (cd "$HOMEDIR" && find . -type f -exec md5sum {} + | sort); }

# A directory.
cd "$WORK"
equal "told" "$("$STOQ" install one)" "Successfully installed crasher into $HOMEDIR/crasher"
clean
diff -r "$one" "$HOMEDIR/crasher" || fail "the copy differs"
"$STOQ" list | grep '^crasher  *v1.0.0 ' >/dev/null || fail "stoq list does not find it"
"$STOQ" test crasher --allow-missing >"$WORK/log" || fail "stoq test crasher"
printf hello >"$WORK/hello"
equal "scan" "$("$STOQ" scan "$WORK/hello" -s crasher | jq -c .results[0].workers.crasher)" '{"size":5}'

# It is there already.
refused 'is installed already; --upgrade replaces it' "$STOQ" install two
equal "version" "$(version)" 1.0.0
clean
"$STOQ" install --upgrade two >"$WORK/log"
equal "version" "$(version)" 2.0.0
clean
"$STOQ" install --upgrade two >"$WORK/log" || fail "the same again"
rm -r "$HOMEDIR/crasher"
"$STOQ" install --upgrade two >"$WORK/log" || fail "--upgrade of nothing"
equal "version" "$(version)" 2.0.0

# Elsewhere, by the original's option, too; the directory must be there.
mkdir "$WORK/else" "$WORK/elsewhere"
"$STOQ" install --plugin-dir "$WORK/else" one >"$WORK/log"
[ -f "$WORK/else/crasher/crasher.so" ] || fail "--plugin-dir"
"$STOQ" install one --install_dir "$WORK/elsewhere" >"$WORK/log"
[ -f "$WORK/elsewhere/crasher/crasher.so" ] || fail "--install_dir"
printf '[core]\nplugin_dir_list = %s\n' "$WORK/configured" >"$STOQ_HOME/stoq.cfg"
refused 'configured: No such file' "$STOQ" install one
mkdir "$WORK/configured"
"$STOQ" install one >"$WORK/log" 2>&1
[ -f "$WORK/configured/crasher/crasher.so" ] || fail "plugin_dir_list"
rm "$STOQ_HOME/stoq.cfg"

# What is no plugin, in each way, with --upgrade: the old one stays, byte by byte.
before=$(state)
bad() { # TEXT SOURCE
    refused "$1" "$STOQ" install --upgrade "$2"
    equal "what is there, after: $1" "$(state)" "$before"
    clean
}
# damaged TEXT COMMAND...: of a copy, the command run in it.
damaged() {
    local text=$1
    shift
    rm -rf "$WORK/bad"
    cp -r "$one" "$WORK/bad"
    (cd "$WORK/bad" && "$@")
    bad "$text" "$WORK/bad"
}
bad 'No such file' "$WORK/missing"
bad 'neither a directory nor a tarball' /dev/null
damaged 'there is no manifest NAME.stoq' rm crasher.stoq
damaged 'two manifests' cp crasher.stoq other.stoq
damaged 'bad plugin name' sed -i 's/^Name.*/Name = ..\/up/' crasher.stoq
damaged 'is not a file name' sed -i 's/^Module.*/Module = ..\/up/' crasher.stoq
damaged 'bad: crasher.so: No such file' rm crasher.so
damaged "plugin is not called other" sed -i 's/^Name.*/Name = other/' crasher.stoq
damaged 'bad: crasher.so: ' sh -c 'echo junk >crasher.so'
damaged 'bad: crasher.so: ' truncate -s 4200 crasher.so
damaged 'selftest/four.json: everybody may write it' chmod 666 selftest/four.json
damaged 'bad/selftest: everybody may write it' chmod 777 selftest
damaged 'bad: everybody may write it' chmod 777 .
damaged 'bad/link: a symbolic link' ln -s /etc/passwd link
damaged 'bad/pipe: neither a file nor a directory' mkfifo pipe
damaged 'more than 256 MiB' truncate -s 300M large
damaged 'nested too deep' mkdir -p a/b/c/d/e/f/g/h/i/j
damaged 'more than 2000 files' sh -c 'seq 2001 | xargs touch'
# An object that dies when it is loaded takes nothing with it.
printf '#include <signal.h>\n__attribute__((constructor)) static void die(void) { raise(SIGKILL); }\n' >"$WORK/die.c"
"$CC" -shared -fPIC -o "$WORK/die.so" "$WORK/die.c"
damaged 'killed by signal 9' cp "$WORK/die.so" crasher.so
# Hidden files stay out.
rm -rf "$WORK/bad"
cp -r "$two" "$WORK/bad"
mkdir "$WORK/bad/.git"
"$STOQ" install --upgrade "$WORK/bad" >"$WORK/log"
equal "with hidden files" "$(state)" "$before"

# Places that are none.
chmod 777 "$HOMEDIR"
refused 'everybody may write there' "$STOQ" install "$one"
chmod 755 "$HOMEDIR"
mv "$HOMEDIR/crasher" "$HOMEDIR/mine"
refused "is in $HOMEDIR/mine already" "$STOQ" install --upgrade "$one"
mv "$HOMEDIR/mine" "$HOMEDIR/crasher"
mkdir "$WORK/other" "$WORK/other/crasher"
echo notes >"$WORK/other/crasher/notes"
refused 'is not a plugin crasher; left alone' "$STOQ" install --upgrade "$one" --plugin-dir "$WORK/other"
refused 'usage: stoq install' "$STOQ" install
refused 'usage: stoq install' "$STOQ" install "$one" "$two"
(unset STOQ_HOME && refused 'there is no plugin directory' "$STOQ" install "$one")

# Two at a time: one is first, the other is told.
rm -r "$HOMEDIR/crasher"
"$STOQ" install "$one" >"$WORK/out1" 2>&1 & first=$!
"$STOQ" install "$two" >"$WORK/out2" 2>&1 & second=$!
status1=0 status2=0
wait "$first" || status1=$?
wait "$second" || status2=$?
equal "statuses" "$((status1 + status2))" 2
equal "told" "$(cat "$WORK/out1" "$WORK/out2" | grep -c 'installed already')" 1
clean

# What a crash in between left is put right: the old one is back, the rest is gone.
before=$(state)
mkdir "$HOMEDIR/.install-dead00"
mv "$HOMEDIR/crasher" "$HOMEDIR/.install-dead00/crasher.old"
cp -r "$two" "$HOMEDIR/.install-dead00/new"
refused 'No such file' "$STOQ" install "$WORK/missing"
equal "after a crash" "$(state)" "$before"
clean

# Where directories cannot be exchanged it takes two steps, and says so; when the second
# fails the first is undone.
if [ "${#BUILD_FLAGS[@]}" -eq 0 ]; then
    cat >"$WORK/shim.c" <<'C'
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
int renameat2(int from, const char *a, int to, const char *b, unsigned flags)
{
    if (flags) { errno = EINVAL; return -1; }
    return (int)syscall(SYS_renameat2, from, a, to, b, 0);
}
int renameat(int from, const char *a, int to, const char *b)
{
    if (getenv("SHIM_FAIL") && strstr(a, "/new")) { errno = ENOSPC; return -1; }
    return (int)syscall(SYS_renameat2, from, a, to, b, 0);
}
C
    "$CC" -D_GNU_SOURCE -shared -fPIC -o "$WORK/shim.so" "$WORK/shim.c"
    "$STOQ" install --upgrade "$one" >"$WORK/log"
    before=$(state)
    refused 'No space left' env SHIM_FAIL=1 LD_PRELOAD="$WORK/shim.so" "$STOQ" install --upgrade "$two"
    equal "after a failed exchange" "$(state)" "$before"
    clean
    LD_PRELOAD=$WORK/shim.so "$STOQ" install --upgrade "$two" >"$WORK/log" 2>&1
    grep -q 'cannot exchange directories' "$WORK/log" || fail "two steps: not told"
    equal "version" "$(version)" 2.0.0
    clean
    rm -r "$HOMEDIR/crasher"
    LD_PRELOAD=$WORK/shim.so "$STOQ" install "$two" >"$WORK/log" 2>&1
    clean
fi

# Tarballs.
if ! grep -q '^STOQ_TARBALLS:STRING=OFF' "$STOQ_BUILD/CMakeCache.txt" && pkg-config --exists libarchive; then
    before=$(state)
    # tarball NAME PYTHON: written by python's tarfile, t; add(name, bytes, field=value...).
    tarball() {
        python3 - "$WORK/$1" "$one" <<PYTHON
import io, sys, tarfile
mode = {"gz": "w:gz", "xz": "w:xz", "tar": "w"}[sys.argv[1].rsplit(".", 1)[1]]
def add(name, data=b"", **more):
    i = tarfile.TarInfo(name)
    i.size = len(data)
    for key, value in more.items():
        setattr(i, key, value)
    t.addfile(i, io.BytesIO(data))
with tarfile.open(sys.argv[1], mode, format=tarfile.GNU_FORMAT) as t:
    t.add(sys.argv[2], "crasher-1.0")
    $2
PYTHON
    }
    rm -r "$HOMEDIR/crasher"
    for name in good.gz good.xz good.tar; do
        tarball "$name" 'add("crasher-1.0/./extra/deep/file", b"x"); add(".hidden/x", b"x")'
        "$STOQ" install --upgrade "$WORK/$name" >"$WORK/log"
        equal "$name: extra file" "$(cat "$HOMEDIR/crasher/extra/deep/file")" x
        [ ! -e "$HOMEDIR/crasher/.hidden" ] || fail "$name: a hidden file"
        equal "$name: version" "$(version)" 1.0.0
        clean
    done
    (cd "$two" && tar -czf "$WORK/flat.tar.gz" .)
    "$STOQ" install --upgrade "$WORK/flat.tar.gz" >"$WORK/log"
    equal "without a top directory" "$(version)" 2.0.0
    before=$(state)
    while IFS='|' read -r text code; do
        tarball bad.tar "$code"
        bad "$text" "$WORK/bad.tar"
    done <<'CASES'
an absolute path|add("/tmp/evil", b"x")
leads out of the plugin|add("crasher-1.0/../../evil", b"x")
leads out of the plugin|add("..", type=tarfile.DIRTYPE)
a link|add("crasher-1.0/l", type=tarfile.SYMTYPE, linkname="/etc")
a link|add("crasher-1.0/l", type=tarfile.LNKTYPE, linkname="crasher-1.0/crasher.so")
neither a file nor a directory|add("crasher-1.0/d", type=tarfile.CHRTYPE, devmajor=1, devminor=3)
neither a file nor a directory|add("crasher-1.0/d", type=tarfile.FIFOTYPE)
everybody may write it|add("crasher-1.0/w", b"x", mode=0o666)
not a name|add("crasher-1.0/a\x01b", b"x")
nested too deep|add("/".join("abcdefghijkl"), b"x")
File exists|add("crasher-1.0/crasher.so", b"x")
Not a directory|add("crasher-1.0/crasher.so/below", b"x")
more than 2000 files|[add("crasher-1.0/f%d" % n) for n in range(2100)]
there is no manifest|add("second", b"x")
CASES
    head -c 3000 "$WORK/good.gz" >"$WORK/cut.gz"
    bad "cut.gz: " "$WORK/cut.gz"
    # A bomb: 300 MiB of zeros are few bytes.
    (cd "$WORK" && mkdir bomb && cp -r one bomb/one && truncate -s 300M bomb/one/zeros &&
        tar -C bomb --sparse -cf bomb.tar one && tar -C bomb -czf bomb.tar.gz one && rm -r bomb)
    bad 'more than 256 MiB' "$WORK/bomb.tar.gz"
    bad 'more than 256 MiB' "$WORK/bomb.tar"
    # One with holes.
    (cd "$WORK" && cp -r one holes && truncate -s 1M holes/hole && tar --sparse -cf holes.tar holes)
    bad 'a sparse file' "$WORK/holes.tar"
    printf 'plain text\n' >"$WORK/text.tar"
    bad 'text.tar: ' "$WORK/text.tar"
else
    (cd "$WORK" && tar -czf one.tar.gz one)
    bad 'was built without libarchive' "$WORK/one.tar.gz"
fi
