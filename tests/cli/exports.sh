#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is exported is what is declared: the functions of the public headers, the node
# STOQ_4 of the version script and the library agree, and a plugin exports its entry alone.
. "$(dirname "$0")/../mount/lib.sh"
. "$(dirname "$0")/support/build.sh"

export LC_ALL=C
# What sanitizers, coverage and the linker add.
added='^(_init|_fini|_edata|_end|_GLOBAL_.*|__bss_start|__(start|stop)_.*'
added+='|___?(asan|tsan|ubsan|lsan|sanitizer|sancov|interceptor|odr_asan|gcov|llvm).*)$'

# Functions marked STOQ_API, comments and preprocessor lines taken out.
python3 - "$SOURCE"/src/include/stoq/*.h >"$WORK/declared" <<'PYTHON'
import re
import sys

names = set()
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as f:
        text = re.sub(r"\\\n", " ", f.read())
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)
    text = re.sub(r"^[ \t]*#.*$", " ", text, flags=re.M)
    names.update(re.findall(r"\bSTOQ_API\b[^;(]*?(\w+)\s*\(", text))
print("\n".join(sorted(names)))
PYTHON

sed -n '/^STOQ_4 {/,/^};/p' "$SOURCE/src/libstoq.map" |
    grep -oE '^[[:space:]]+[a-z0-9_]+;' | tr -d ' \t;' | sort >"$WORK/mapped"

nm -D --defined-only "$STOQ_BUILD/lib/libstoq.so" >"$WORK/symbols"
awk '$2 != "A" && sub(/@@STOQ_4$/, "", $3) {print $3}' "$WORK/symbols" | sort >"$WORK/exported"

count=$(wc -l <"$WORK/declared")
[ "$count" -ge 60 ] || fail "only $count declarations found"
diff "$WORK/declared" "$WORK/mapped" >&2 || fail "headers (<) and version script (>) differ"
diff "$WORK/mapped" "$WORK/exported" >&2 || fail "version script (<) and library (>) differ"
if awk '$2 != "A" && $3 !~ /@@STOQ_(4|PRIVATE)$/ {print $3}' "$WORK/symbols" |
    grep -vE "$added" >&2; then
    fail "the library exports symbols without a version"
fi
if awk '$2 != "A" {print $3}' "$WORK/symbols" | grep '@@STOQ' | grep -v '^stoq_' >&2; then
    fail "the library exports symbols that are not called stoq_"
fi

count=0
for object in "$STOQ_BUILD"/plugins/*/*.so; do
    equal "exports of ${object##*/}" \
        "$(nm -D --defined-only "$object" | awk '{print $3}' | grep -vE "$added" | tr '\n' ' ')" \
        "stoq_plugin_entry "
    count=$((count + 1))
done
[ "$count" -ge 5 ] || fail "only $count plugins were built"
