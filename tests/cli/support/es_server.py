#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A strict stand-in for ElasticSearch: one document per _bulk request, checked byte by byte.

es_server.py DIR [tls]   listens on a free port of the loopback address

In DIR: `port` says where, `documents` gets {"index", "id", "doc"} lines of what was taken,
each id once per index, `problems` what was wrong with a request, `requests` the number of
requests. The file `mode` says how to answer, `port` can be asked for by `want-port`, and
`auth` holds the Authorization header that is needed.
"""

import json
import os
import re
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

base = sys.argv[1]
lock = Lock()
taken = {}


def read(name, default=""):
    try:
        with open(os.path.join(base, name), encoding="utf-8") as f:
            return f.read().strip()
    except FileNotFoundError:
        return default


def append(name, line):
    with open(os.path.join(base, name), "a", encoding="utf-8") as f:
        f.write(line + "\n")


def unique(pairs):
    if len(pairs) != len({k for k, _ in pairs}):
        raise ValueError("a key comes twice")
    return dict(pairs)


def strict(line):
    def no(name):
        raise ValueError(f"{name} is no JSON")

    return json.loads(line.decode("utf-8", "strict"), object_pairs_hook=unique, parse_constant=no)


def check(body):
    """The action and the document of a bulk body, or ValueError."""
    if not body.endswith(b"\n"):
        raise ValueError("the body does not end with a newline")
    if b"\r" in body:
        raise ValueError("there is a carriage return")
    lines = body[:-1].split(b"\n")
    if len(lines) != 2:
        raise ValueError(f"{len(lines)} lines instead of 2")
    action, doc = strict(lines[0]), strict(lines[1])
    if list(action) != ["create"] or sorted(action["create"]) != ["_id", "_index"]:
        raise ValueError(f"the action is {action}")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", action["create"]["_index"]):
        raise ValueError("the index has a name that is not allowed")
    if action["create"]["_id"] != doc["scan_id"]:
        raise ValueError("the id is not the scan's")
    return action["create"]["_index"], action["create"]["_id"], doc


def failure(status, kind, reason):
    return {"status": status, "error": {"type": kind, "reason": reason}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, value, text=None):
        data = (json.dumps(value) if text is None else text).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def item(self, ident, index, result):
        result = {"_index": index, "_id": ident, **result}
        self.answer(200, {"took": 1, "errors": "error" in result, "items": [{"create": result}]})

    def request_is_right(self):
        wanted = {"Content-Type": "application/x-ndjson", "Accept": "application/json"}
        for name, value in wanted.items():
            if self.headers.get(name) != value:
                raise ValueError(f"{name}: {self.headers.get(name)}")
        if not re.fullmatch(r"stoq/\d+\.\d+\.\d+", self.headers.get("User-Agent", "")):
            raise ValueError("User-Agent")
        if self.path not in ("/_bulk", "/below/_bulk") or self.headers.get("Expect"):
            raise ValueError(f"path {self.path}, or Expect")

    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with lock:
            append("requests", self.path)
            mode = read("mode")
            if read("auth") and self.headers.get("Authorization") != read("auth"):
                self.answer(401, failure(401, "security_exception", "missing credentials"))
                return
            try:
                self.request_is_right()
                index, ident, doc = check(body)
            except (ValueError, KeyError, TypeError) as problem:
                append("problems", str(problem))
                self.answer(400, failure(400, "illegal_argument_exception", str(problem)))
                return
            self.take(mode, index, ident, doc)

    def take(self, mode, index, ident, doc):
        if mode.startswith("http "):  # the whole request
            status = int(mode.split()[1])
            self.answer(status, failure(status, "some_exception", "told to"))
        elif mode.startswith("item "):  # the document
            status = int(mode.split()[1])
            kind = (mode.split() + ["some_exception"])[2]
            self.item(ident, index, failure(status, kind, "told to"))
        elif mode == "once 429":  # the first time
            os.unlink(os.path.join(base, "mode"))
            self.item(ident, index, failure(429, "es_rejected_execution_exception", "full"))
        elif mode == "other id":
            self.item("another", index, {"status": 201, "result": "created"})
        elif mode == "no items":
            self.answer(200, {"took": 1, "errors": False, "items": []})
        elif mode == "garbage":
            self.answer(200, None, text="<html>")
        elif mode == "huge":
            self.answer(200, None, text=" " * (2 << 20))
        elif mode == "hang":
            self.connection.settimeout(30)
            self.connection.recv(1)
        elif (index, ident) in taken:
            self.item(ident, index, failure(409, "version_conflict_engine_exception", "is there"))
        else:
            taken[index, ident] = True
            append("documents", json.dumps({"index": index, "id": ident, "doc": doc}))
            if mode == "silent":  # taken, and the answer is lost
                self.close_connection = True
                self.connection.close()
            else:
                self.item(ident, index, {"status": 201, "result": "created"})


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


if os.path.exists(os.path.join(base, "documents")):
    with open(os.path.join(base, "documents"), encoding="utf-8") as known:
        for row in known:
            taken[json.loads(row)["index"], json.loads(row)["id"]] = True
server = Server(("127.0.0.1", int(read("want-port", "0"))), Handler)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(base, "server.pem"), os.path.join(base, "server.key"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(os.path.join(base, "port.new"), "w", encoding="utf-8") as f:
    f.write(str(server.server_address[1]))
os.rename(os.path.join(base, "port.new"), os.path.join(base, "port"))
server.serve_forever()
