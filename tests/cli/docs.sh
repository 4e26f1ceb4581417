#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The man pages are well-formed and say what the programs have: every option, every word
# of -o, every key of stoq.cfg, every plugin option, every key of the status document and
# every metric is there, and nothing that is there is not in the programs.
. "$(dirname "$0")/../mount/lib.sh"
. "$(dirname "$0")/support/build.sh"

for tool in scdoc mandoc; do
    command -v "$tool" >/dev/null || missing "$tool"
done
export LC_ALL=C.UTF-8
docs=$SOURCE/docs
bad=0

complain() {
    echo "$*" >&2
    bad=1
}

# same WHAT DOCUMENTED ACTUAL: two files of names, in any order.
same() {
    sort -u "$2" >"$WORK/documented"
    sort -u "$3" >"$WORK/actual"
    [ -s "$WORK/actual" ] || fail "$1: nothing to compare with"
    comm -13 "$WORK/documented" "$WORK/actual" | while read -r x; do
        echo "$1: $x is not documented" >&2
    done
    comm -23 "$WORK/documented" "$WORK/actual" | while read -r x; do
        echo "$1: $x is documented and not there" >&2
    done
    cmp -s "$WORK/documented" "$WORK/actual" || bad=1
}

# section FILE.scd NAME: the lines of one section.
section() { awk -v name="# $2" '/^# /{on = $0 == name; next} on' "$1"; }

# terms: of the lines that have a description below them, all bold words outside of
# brackets.
terms() {
    awk '/^\t/ && last ~ /^\*/ {print last} {last = $0}' | sed -e 's/([^)]*)//g' -e 's/\\//g' |
        grep -oE '\*[^*]+\*' | tr -d '*'
}

# Form. scdoc's own output has paragraphs that mandoc skips.
for file in "$docs"/*.scd "$SOURCE"/plugins/*/*.scd; do
    scdoc <"$file" >"$WORK/page" || complain "${file##*/}: scdoc refuses it"
    mandoc -T lint -W warning <"$WORK/page" | grep -v 'skipping paragraph macro' >&2 &&
        complain "${file##*/}: see above"
    read -r title < <(head -1 "$file")
    name=$(basename "$file" .scd)
    [ "${title%%)*}" = "${name%.*}(${name##*.}" ] || complain "$file: its title is $title"
done

# Options, long and short, as --help and the man page have them.
options_of_help() {
    "$1" --help | grep -v fusermount3 | grep -oE '(^|[ ,(|])--?[A-Za-z][a-z-]*' |
        grep -oE -- '--?[A-Za-z].*'
}
options_of_page() {
    section "$1" OPTIONS | terms | grep -oE '^--?[A-Za-z][a-z-]*$'
}
programs=(stoq)
[ ! -x "$STOQFS" ] || programs+=(stoqfs)
for program in "${programs[@]}"; do
    options_of_page "$docs/$program.1.scd" >"$WORK/said"
    options_of_help "$STOQ_BUILD/bin/$program" >"$WORK/there"
    # the same option by another name, accepted and not advertised
    case $program in
    stoqfs) echo --config-file >>"$WORK/there" ;;
    stoq) printf '%s\n' --config -P --providers >>"$WORK/there" ;;
    esac
    same "$program" "$WORK/said" "$WORK/there"
done
# The options that are not advertised are real ones.
"$STOQ" list -P filedir --config /dev/null >/dev/null || complain "stoq: -P or --config"

# The words of -o, from the program's tables.
words=$SOURCE/fs/option_words.c
sed -n 's/.*{"\([a-z_]*\)", WORD_.*/\1/p' "$words" >"$WORK/there"
grep -q '"on_"' "$words" && echo on_VERDICT >>"$WORK/there"
grep -q '"sandbox"' "$words" && echo sandbox >>"$WORK/there"
section "$docs/stoqfs.1.scd" "MOUNT OPTIONS" >"$WORK/section"
terms <"$WORK/section" >"$WORK/terms"
grep -vxE 'allow|deny|require|scanned|all|hidden|off|cached|strict|auto|lenient|on' "$WORK/terms" >"$WORK/said"
same "stoqfs -o" "$WORK/said" "$WORK/there"
for table in fuse_words mount_words; do
    sed -n "/ $table\[\]/,/};/p" "$words" | grep -oE '"[^"]+"' |
        sed -e 's/"//g' -e 's/=.*//' -e 's/-\*/-.../' >"$WORK/passed"
    [ -s "$WORK/passed" ] || fail "$table is empty"
    while read -r word; do
        sed 's/\\//g' "$WORK/section" | grep -F "*$word*" >/dev/null ||
            complain "stoqfs -o: $word is not documented"
    done <"$WORK/passed"
done

# Keys of stoq.cfg with their defaults, and options of plugins.
"$CC" -std=c11 -D_GNU_SOURCE "${BUILD_FLAGS[@]}" -I "$SOURCE/src" -I "$SOURCE/src/include" \
    -o "$WORK/tables" "$SOURCE/tests/cli/support/tables.c" \
    -L "$STOQ_BUILD/lib" "-Wl,-rpath,$STOQ_BUILD/lib" -lstoq -ljansson
"$WORK/tables" "$STOQ_BUILD/plugins" >"$WORK/rows"
page=$docs/stoq.cfg.5.scd
for s in core limits policy stoqfs; do
    section "$page" "SECTION ${s^^}" >"$WORK/section"
    terms <"$WORK/section" >"$WORK/said"
    awk -F'\t' -v s="$s" '$1 == "key" && $2 == s {print $3}' "$WORK/rows" >"$WORK/there"
    same "stoq.cfg [$s]" "$WORK/said" "$WORK/there"
    while IFS=$'\t' read -r _ _ key fallback; do
        [ -n "$fallback" ] || continue
        grep '^\*' "$WORK/section" | grep -E "\*$key\* \([^)]*default ${fallback}[,)]" >/dev/null ||
            complain "stoq.cfg [$s]: $key does not say 'default $fallback'"
    done < <(awk -F'\t' -v s="$s" '$1 == "key" && $2 == s' "$WORK/rows")
done
while read -r plugin; do
    page=$SOURCE/plugins/$plugin/stoq-$plugin.7.scd
    if [ ! -f "$page" ]; then
        complain "plugin $plugin has no man page"
        continue
    fi
    awk -F'\t' -v p="$plugin" '$1 == "option" && $2 == p {print $3}' "$WORK/rows" >"$WORK/there"
    section "$page" OPTIONS | terms >"$WORK/said" || :
    if [ -s "$WORK/there" ]; then
        same "options of $plugin" "$WORK/said" "$WORK/there"
    elif [ -s "$WORK/said" ]; then
        complain "plugin $plugin has no options, its page has"
    fi
done < <(awk -F'\t' '$1 == "plugin" {print $2}' "$WORK/rows")

# What a mount tells of itself.
if [ -x "$STOQFS" ]; then
    page "$docs/stoqfs.1.scd" | sed -n '/^STATUS/,/^[A-Z].*POLICY/p' >"$WORK/status"
    echo x >"$SRC/x"
    mount_fs -C stdout
    cat "$MNT/x" >/dev/null
    jq -r 'keys[], (.reused, .rules, .watch // {} | keys[]), (.outbox[] | keys[])' \
        "$MNT/.stoq/status.json" | sort -u >"$WORK/there"
    awk '/^# TYPE/ {print $3}' "$MNT/.stoq/metrics" >>"$WORK/there"
    ls "$MNT/.stoq" >>"$WORK/there"
    umount_fs
    while read -r word; do
        grep -qw -- "$word" "$WORK/status" ||
            complain "stoqfs(1), STATUS: $word is not documented"
    done <"$WORK/there"
    grep -oE 'stoqfs_[a-z_]+' "$WORK/status" | sort -u >"$WORK/said"
    grep '^stoqfs_' "$WORK/there" >"$WORK/metrics"
    same "metrics" "$WORK/said" "$WORK/metrics"
fi

[ "$bad" -eq 0 ] || fail "see above"
