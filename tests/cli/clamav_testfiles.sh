#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ClamAV's test files (Debian: clamav-testfiles) hide one program in many wrappings. For
# each: which workers lead to it, as the table in stoq-decompress(7) says. A row that
# gets worse fails, and so does one that gets better, so that the table stays true.
. "$(dirname "$0")/../mount/lib.sh"

FILES=/usr/share/clamav-testfiles
if [ ! -f $FILES/clam.exe ]; then
    [ -z "${STOQ_MUST_MOUNT:-}" ] || fail "the package clamav-testfiles is not installed"
    echo "skipped: $FILES is not there"
    exit 77
fi

# The program, and what pecarve makes of it: without the bytes behind its last section.
whole=$(sha256sum <$FILES/clam.exe | cut -c1-64)
carved=$(head -c 513 $FILES/clam.exe | sha256sum | cut -c1-64)

# For each document "FILE|CHAIN": who extracted the program, from the outside in; "-" when
# it is the file itself; "carved ..." when only the shorter one is there; "none".
chains() {
    jq -r --arg whole "$whole" --arg carved "$carved" '
        .results as $all | (INDEX($all[]; .payload_id)) as $by
        | def way: if .payload_id == $all[0].payload_id then [] else
              ($by[.extracted_from[0]] | way) + [.extracted_by[0]] end;
        def first_with($sum): [$all[] | select(.workers.hash.sha256 == $sum)][0];
        $all[0].payload_meta.extra_data.filename + "|" +
        if first_with($whole) then first_with($whole) | way | join(" ") | if . == "" then "-" else . end
        elif first_with($carved) then "carved " + (first_with($carved) | way | join(" "))
        else "none" end'
}

# file|what is needed besides decompress|chain
table() {
    cat <<'ROWS'
clam-aspack.exe||none
clam-fsg.exe||none
clam-mew.exe||none
clam-nsis.exe||decompress
clam-pespin.exe||none
clam-petite.exe||none
clam-upack.exe||none
clam-upx.exe|pecarve|carved decompress pecarve
clam-wwpack.exe||none
clam-yc.exe||none
clam.7z||decompress
clam.arj||decompress
clam.bin-be.cpio||decompress
clam.bin-le.cpio||decompress
clam.bz2.zip||decompress
clam.cab||decompress
clam.chm|mspack|decompress
clam.d64.zip||decompress
clam.ea05.exe||decompress
clam.ea06.exe||decompress
clam.exe||-
clam.exe.binhex||decompress
clam.exe.bz2||decompress
clam.exe.html||decompress
clam.exe.mbox.base64||decompress
clam.exe.mbox.uu||decompress
clam.exe.rtf|rtf|rtf decompress
clam.exe.szdd|mspack|decompress
clam.impl.zip||decompress
clam.mail|smtp|smtp
clam.newc.cpio||decompress
clam.odc.cpio||decompress
clam.ole.doc|ole|ole decompress
clam.pdf||decompress
clam.ppt|ole|ole decompress ole decompress
clam.sis||decompress
clam.tar.gz||decompress decompress
clam.tnef|tnef|tnef
clam.zip||decompress
clam_IScab_ext.exe||decompress
clam_IScab_int.exe||decompress decompress
clam_ISmsi_ext.exe||decompress
clam_ISmsi_int.exe|ole|decompress ole decompress
clam_cache_emax.tgz||decompress decompress decompress decompress decompress decompress decompress decompress decompress decompress decompress decompress decompress decompress decompress decompress
ROWS
}

have() {
    case $1 in
    '') true ;;
    mspack) grep -q libmspack "$STOQ_BUILD/plugins/decompress/decompress.so" ;;
    *) [ -e "$STOQ_BUILD/plugins/$1/$1.so" ] ;;
    esac
}

equal "files of the package" "$(find $FILES -type f -printf '%f\n' | sort | tr '\n' ' ')" \
    "$(table | cut -d'|' -f1 | LC_ALL=C.UTF-8 sort | tr '\n' ' ')"

for needs in $(table | cut -d'|' -f2 | sort -u) ''; do
    have "$needs" || continue
    table | awk -F'|' -v needs="$needs" '$2 == needs' >"$WORK/rows"
    mapfile -t files < <(cut -d'|' -f1 "$WORK/rows" | sed "s|^|$FILES/|")
    workers=(decompress hash)
    [ "$needs" = '' ] || [ "$needs" = mspack ] || workers+=("$needs")
    "$STOQ" scan "${files[@]}" -a "${workers[@]}" --max-recursion 60 --exit-zero \
        >"$WORK/documents" 2>"$WORK/log" || fail "stoq scan: status $?"
    check_log
    cut -d'|' -f1,3 "$WORK/rows" >>"$WORK/expected"
    chains <"$WORK/documents" >>"$WORK/got"
done

rows=$(wc -l <"$WORK/expected")
[ "$rows" -ge 30 ] || fail "only $rows rows could be tried"
echo "$(grep -cv '|none$' "$WORK/got") of $rows found"
diff "$WORK/expected" "$WORK/got" >&2 || fail "what is found differs from the table (<)"
