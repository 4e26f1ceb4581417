#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A web server with uploads: nginx with WebDAV methods writes into the mount, as a user of
# its own. What was uploaded is scanned and can be fetched, moved and deleted; what is
# flagged answers "forbidden".
. "$(dirname "$0")/lib.sh"

mkdir -p "$WORK"/web/{body,tmp}
mkdir "$SRC/up"
chown -R www-data:www-data "$SRC/up" "$WORK/web"
# The upload is written beside its place and renamed, or copied from elsewhere.
cat >"$WORK/web/nginx.conf" <<CONF
user www-data;
worker_processes 2;
daemon off;
pid $WORK/web/pid;
error_log $WORK/web/error.log;
events { worker_connections 64; }
http {
    access_log off;
    proxy_temp_path $WORK/web/tmp; fastcgi_temp_path $WORK/web/tmp;
    uwsgi_temp_path $WORK/web/tmp; scgi_temp_path $WORK/web/tmp;
    client_max_body_size 64m;
    sendfile on;
    server {
        listen unix:$WORK/web/sock;
        root $MNT;
        client_body_temp_path $WORK/web/body;
        dav_methods PUT DELETE MKCOL COPY MOVE;
        create_full_put_path on;
        location /up/ { autoindex on; autoindex_format json; }
        location /up/beside/ { client_body_temp_path $MNT/up/.body; }
    }
}
CONF
mount_fs -a hash,yara -o enforce
nginx -c "$WORK/web/nginx.conf" -e "$WORK/web/error.log" >"$WORK/web/out" 2>&1 &
server=$!
end_server() { kill "$server"; }
AT_END+=(end_server)
# web METHOD PATH [curl arguments]: prints the status.
web() {
    curl -s -o "$WORK/reply" -w '%{http_code}' --unix-socket "$WORK/web/sock" -X "$1" "http://h$2" "${@:3}"
}
answers() { [ "$(web GET /up/)" = 200 ]; }
eventually answers

head -c 5000000 /dev/urandom >"$WORK/blob"
eicar >"$WORK/bad"
equal "put" "$(web PUT /up/dir/blob -T "$WORK/blob")" 201
check "uploaded" cmp "$WORK/blob" "$SRC/up/dir/blob"
equal "owner" "$(stat -c %U "$SRC/up/dir/blob")" www-data
equal "put by rename" "$(web PUT /up/beside/blob -T "$WORK/blob")" 201
check "uploaded" cmp "$WORK/blob" "$SRC/up/beside/blob"
equal "get" "$(web GET /up/dir/blob)" 200
check "fetched" cmp "$WORK/blob" "$WORK/reply"
equal "a part" "$(web GET /up/dir/blob -r 1000000-1999999)" 206
check "fetched" cmp "$WORK/reply" <(tail -c +1000001 "$WORK/blob" | head -c 1000000)
eventually sidecar_ready "$MNT/up/beside/blob"
equal "its result" "$(web GET /up/beside/blob.stoq.json)" 200
equal "sha256" "$(jq -r '.results[0].workers.hash.sha256' "$WORK/reply")" "$(sha256sum <"$WORK/blob" | cut -d' ' -f1)"
equal "put what is flagged" "$(web PUT /up/bad -T "$WORK/bad")" 201
code=$(web GET /up/bad)
[ "$code" = 403 ] || [ "$code" = 500 ] || fail "a flagged file: $code"
grep -q EICAR "$WORK/reply" && fail "bytes of a flagged file"
equal "overwrite" "$(web PUT /up/bad -T "$WORK/web/nginx.conf")" 204
equal "is another file now" "$(web GET /up/bad)" 200
equal "copy" "$(web COPY /up/dir/blob -H 'Destination: http://h/up/copy')" 204
check "copied" cmp "$WORK/blob" "$SRC/up/copy"
equal "move" "$(web MOVE /up/copy -H 'Destination: http://h/up/dir/moved')" 204
check "moved" cmp "$WORK/blob" "$SRC/up/dir/moved"
equal "listing" "$(web GET /up/dir/)" 200
check "lists" jq -e 'map(.name) | index("moved") and index("blob")' "$WORK/reply" >/dev/null
for path in /up/dir/ /up/beside/ /up/bad; do equal "delete $path" "$(web DELETE "$path")" 204; done
equal "all is deleted" "$(ls "$SRC/up")" ""

kill -QUIT "$server"
wait "$server" || :
umount_fs
