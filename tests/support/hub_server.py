"""A Hugging Face Hub of one data set on this machine: as much of it as the client asks for.

Large files are redirected to another path, as the Hub does with its content network.
One download can be cut short.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

__all__ = ["HubServer", "running_hub"]


@dataclass
class HubServer:
    """What the server holds and what it was asked.

    Attributes:
        repository: OWNER/NAME of the one data set.
        commits: commit -> path -> content.
        branches: name -> commit.
        page_rows: entries of one page of a listing.
        large_from: files of at least so many bytes are kept and redirected as large files.
        cut_after: the next download of a body ends after so many bytes; None lets it be.
        gated: file contents need a token.
        url: address of the server.
        requests: (method, path, Range header or "", Authorization header or "") of each request so far.
    """

    repository: str
    commits: Mapping[str, Mapping[str, bytes]]
    branches: dict[str, str]
    page_rows: int = 2
    large_from: int = 1_000
    cut_after: int | None = None
    gated: bool = False
    url: str = ""
    requests: list[tuple[str, str, str, str]] = field(default_factory=list)

    def ranges(self) -> list[str]:
        """The Range headers of the downloads so far, empty ones included."""
        return [asked for method, path, asked, _ in self.requests if method == "GET" and "/api/" not in path]


@contextmanager
def running_hub(hub: HubServer) -> Iterator[HubServer]:
    """Serve ``hub`` on a free port of the loopback interface; sets ``hub.url``."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._route()

    def do_GET(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def log_message(self, *_: object) -> None:
        """Tests look at ``hub.requests`` instead."""

    def _route(self) -> None:
        headers = self.headers
        authorization = headers.get("Authorization", "")
        self.hub.requests.append((self.command, self.path, headers.get("Range", ""), authorization))
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        api, files, large = (
            f"/api/datasets/{self.hub.repository}",
            f"/datasets/{self.hub.repository}/resolve/",
            "/cdn/",
        )
        if path.startswith(large):
            contents = (content for files in self.hub.commits.values() for content in files.values())
            self._body(next(c for c in contents if _sha256(c) == path.removeprefix(large)), {})
        elif path.startswith(files):
            if self.hub.gated and not authorization:
                return self._error(401, "GatedRepo")
            revision, _, name = path.removeprefix(files).partition("/")
            self._resolve(unquote(revision), unquote(name))
        elif path == api or path.startswith(api + "/"):
            verb, _, rest = path.removeprefix(api).strip("/").partition("/")
            revision, _, name = rest.partition("/")
            self._api(verb, unquote(revision) or "main", unquote(name), query)
        else:
            self._error(404, "RepoNotFound")

    def _api(self, verb: str, revision: str, name: str, query: dict[str, list[str]]) -> None:
        commit = self._commit(revision)
        if commit is None:
            return self._error(404, "RevisionNotFound")
        files = self.hub.commits[commit]
        if verb == "paths-info":
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            return self._json(
                [_entry(path, files[path], self.hub) for path in form["paths"] if path in files]
            )
        if verb != "tree":
            return self._json({"id": self.hub.repository, "sha": commit})
        found = [path for path in sorted(files) if not name or path.startswith(name + "/")]
        if name and not found:
            return self._error(404, "EntryNotFound")
        folders = sorted({path.rpartition("/")[0] for path in found} - {"", name})
        entries = [{"type": "directory", "path": folder, "oid": "0" * 40, "size": 0} for folder in folders]
        entries += [_entry(path, files[path], self.hub) for path in found]
        start = int(query.get("cursor", ["0"])[0])
        stop = start + self.hub.page_rows
        path = urlsplit(self.path).path
        link = {"Link": f'<{self.hub.url}{path}?recursive=True&cursor={stop}>; rel="next"'}
        self._json(entries[start:stop], link if stop < len(entries) else {})

    def _resolve(self, revision: str, name: str) -> None:
        commit = self._commit(revision)
        if commit is None:
            return self._error(404, "RevisionNotFound")
        content = self.hub.commits[commit].get(name)
        if content is None:
            return self._error(404, "EntryNotFound", {"X-Repo-Commit": commit})
        facts = {"X-Repo-Commit": commit, "ETag": f'"{_blob_id(content)}"'}
        if len(content) < self.hub.large_from:
            return self._body(content, facts)
        facts |= {"X-Linked-ETag": f'"{_sha256(content)}"', "X-Linked-Size": str(len(content))}
        self._send(302, b"", facts | {"Location": f"{self.hub.url}/cdn/{quote(_sha256(content))}"})

    def _body(self, content: bytes, facts: dict[str, str]) -> None:
        facts = {"ETag": f'"{_sha256(content)}"'} | facts | {"Accept-Ranges": "bytes"}
        status, part = 200, content
        if asked := self.headers.get("Range"):
            start, _, stop = asked.removeprefix("bytes=").partition("-")
            last = min(int(stop) if stop else len(content) - 1, len(content) - 1)
            status, part = 206, content[int(start) : last + 1]
            facts["Content-Range"] = f"bytes {start}-{last}/{len(content)}"
        cut = self.hub.cut_after
        if self.command == "GET" and cut is not None and cut < len(part):
            self.hub.cut_after = None
            self._send(status, part[:cut], facts | {"Content-Length": str(len(part))})
            self.close_connection = True
        else:
            self._send(status, part, facts)

    def _commit(self, revision: str) -> str | None:
        commit = self.hub.branches.get(revision, revision)
        return commit if commit in self.hub.commits else None

    def _json(self, value: object, facts: dict[str, str] | None = None) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"} | (facts or {}))

    def _error(self, status: int, code: str, facts: dict[str, str] | None = None) -> None:
        self._send(status, b"{}", {"X-Error-Code": code, "X-Error-Message": code} | (facts or {}))

    def _send(self, status: int, body: bytes, facts: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | facts).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _entry(path: str, content: bytes, hub: HubServer) -> dict[str, object]:
    entry: dict[str, object] = {"type": "file", "path": path, "size": len(content), "oid": _blob_id(content)}
    if len(content) >= hub.large_from:
        entry["lfs"] = {"oid": _sha256(content), "size": len(content), "pointerSize": 130}
    return entry


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
