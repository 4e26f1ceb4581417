#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# stoq plugin info: what a plugin is, which options are in force and who set them, and
# what it publishes; also of plugins that cannot be opened.
. "$(dirname "$0")/../mount/lib.sh"

# info ARGUMENTS...: as JSON in $WORK/out.
info() {
    "$STOQ" plugin info --json "$@" >"$WORK/out" 2>"$WORK/log" || fail "stoq plugin info $*: $(cat "$WORK/log")"
    check_log
}
is() { equal "$1" "$(jq -c "$1" "$WORK/out")" "$2"; }
option() { is ".options[] | select(.name == \"$1\") | [.type, .default, .value, .set_by]" "$2"; }

dir=$(readlink -f "$STOQ_BUILD/plugins")
info hash
is .name '"hash"'
is .roles '["Worker"]'
is .operations '["scan"]'
is '.abi, (.struct_size > 0)' $'1\ntrue'
is .manifest "\"$dir/hash/hash.stoq\""
is .path "\"$dir/hash/hash.so\""
is '[.content_only, .required_workers, .options, .error]' '[true,[],[],null]'

# Values: the table's, the manifest's, a file's, the command line's.
printf '[filedir]\nsource_dir = here\nrecursive = yes\n' >"$WORK/own.cfg"
cd "$WORK"
info filedir --config own.cfg --plugin-opts filedir:recursive=False
is '.roles | sort' '["Archiver","Connector","Provider"]'
option date_format '["string","%Y/%m/%d","%Y/%m/%d","default"]'
jq -e '.options[] | select(.name == "use_sha") | .value == "True" and (.set_by | test("/filedir.stoq:[0-9]+$"))' \
    "$WORK/out" >/dev/null || fail "use_sha: set by the manifest"
option source_dir "[\"path\",null,\"$(pwd -P)/here\",\"own.cfg:2\"]"
option recursive '["bool","False","False","command line"]'
jq -e 'all(.options[]; .help | length > 10)' "$WORK/out" >/dev/null || fail "an option without help"

# Bounds, facts, required workers.
if [ -d "$dir/decompress" ]; then
    info decompress
    is .required_workers '["mimetype"]'
    is '.options[] | select(.name == "timeout") | [.min, .max]' '[1,86400]'
fi
if [ -d "$dir/yara" ]; then
    info yara
    is '.facts.rules.failed' '[]'
    info yara --plugin-opts yara:timeout=x
    is '.error' '"[yara] timeout: '"'x'"' is not a whole number"'
    is '.facts' null
fi

# As text.
"$STOQ" plugin info filedir --config own.cfg >"$WORK/text"
for line in 'filedir 3' '  manifest          /' '  roles             ' 'Options:' "  source_dir = $(pwd -P)/here" \
    '      path; set by own.cfg:2' '  date_format = %Y/%m/%d'; do
    grep -qF -- "$line" "$WORK/text" || { cat "$WORK/text" >&2; fail "no line $line"; }
done

refused 'there is no plugin nosuch' "$STOQ" plugin info nosuch
refused 'usage: stoq plugin info NAME' "$STOQ" plugin
refused 'usage: stoq plugin info NAME' "$STOQ" plugin tell hash
mkdir -p "$WORK/broken/hash"
cp "$dir/hash/hash.stoq" "$WORK/broken/hash"
echo junk >"$WORK/broken/hash/hash.so"
refused 'plugin hash: ' "$STOQ" plugin info hash --plugin-dir "$WORK/broken"
