"""A model hub and a mirror on this machine: the hub's own protocol, and what can go wrong in it."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from urllib.parse import unquote, urlsplit

_RESOLVE = re.compile(r"/((?:datasets/)?[^/]+/[^/]+)/resolve/([^/]+)/(.+)")
_API = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+).*)?")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_PIECE = 1 << 20


@dataclass(frozen=True)
class Stored:
    """One file of a repository; large ones are kept apart, under their SHA-256."""

    path: Path
    large: bool
    digest: str

    @property
    def size(self) -> int:
        return self.path.stat().st_size


@dataclass
class Fault:
    """What happens to requests whose method and path match `where`, until the `case` is mended."""

    case: str
    where: str
    kind: str


@dataclass
class Hub:
    """What is served: repositories by name, below ``/mirror/ANY`` plain files by ``host/path``."""

    repositories: dict[str, dict[str, Stored]] = field(default_factory=dict)
    plain: dict[str, Path] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    stopped: Event = field(default_factory=Event)
    url: str = ""

    def add(self, repository: str, name: str, path: Path) -> None:
        """Serve `path` as the file `name` of `repository` ("datasets/…" for one of those)."""
        large = path.suffix in (".safetensors", ".bin", ".parquet")
        files = self.repositories.setdefault(repository, {})
        files[name] = Stored(path, large, sha256(path) if large else git_sha1(path))

    def commit(self, repository: str) -> str:
        """A commit for the present content."""
        files = sorted((n, one.digest) for n, one in self.repositories[repository].items())
        return hashlib.sha1(json.dumps(files).encode()).hexdigest()

    def fault(self, request: str) -> str:
        """The kind of the fault that `request` meets, or nothing."""
        for fault in self.faults:
            if re.search(fault.where, request):
                return fault.kind
        return ""

    def mend(self, case: str) -> None:
        """End the faults of one case."""
        self.faults = [fault for fault in self.faults if fault.case != case]


def sha256(path: Path) -> str:
    """The SHA-256 of the bytes of `path`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_sha1(path: Path) -> str:
    """What Git calls the content of `path`."""
    content = path.read_bytes()
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """`hub` at `hub.url`, on the loopback, for as long as the block lasts."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        request = f"{self.command} {path}"
        self.hub.requests.append(request)
        kind = self.hub.fault(request)
        if kind.isdigit():
            self._refuse(int(kind))
        elif kind == "hang":
            self.hub.stopped.wait(60)
            self.close_connection = True
        elif path.startswith("/mend/"):
            self.hub.mend(path.removeprefix("/mend/"))
            self._head(200, {"Content-Length": "0"})
        elif path.startswith("/mirror/"):
            self._plain(path.split("/", 3)[3], kind)
        elif path.startswith("/large/"):
            self._large(path.removeprefix("/large/"), kind)
        elif match := _API.fullmatch(path):
            self._tell(*match.groups())
        elif match := _RESOLVE.fullmatch(path):
            self._resolve(match[1], match[3], kind)
        else:
            self._refuse(404)

    def _refuse(self, status: int, code: str = "") -> None:
        headers = {"Content-Length": "0"}
        if status == 429:
            headers["Retry-After"] = "1"
        if code:
            headers["X-Error-Code"] = code
            headers["X-Error-Message"] = f"{code}: {self.path}"
        self._head(status, headers)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _tell(self, kind: str, name: str, what: str | None, _revision: str | None) -> None:
        """What the hub's programming interface says of a repository, or of the files in it."""
        repository = name if kind == "models" else f"datasets/{name}"
        if repository not in self.hub.repositories:
            return self._refuse(401, "RepoNotFound")
        files = self.hub.repositories[repository]
        if what == "tree":
            content: object = [self._entry(n, one) for n, one in sorted(files.items())]
        else:
            siblings = [{"rfilename": n} for n in sorted(files)]
            commit = self.hub.commit(repository)
            content = {"id": name, "sha": commit, "siblings": siblings, "private": False}
            content |= {"tags": [], "downloads": 0, "likes": 0, "gated": False}
        body = json.dumps(content).encode()
        self._head(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        if self.command == "GET":
            self.wfile.write(body)
        return None

    @staticmethod
    def _entry(name: str, one: Stored) -> dict[str, object]:
        entry: dict[str, object] = {"type": "file", "path": name, "size": one.size}
        if not one.large:
            return entry | {"oid": one.digest}
        about = {"oid": one.digest, "size": one.size, "pointerSize": 134}
        return entry | {"oid": hashlib.sha1(one.digest.encode()).hexdigest(), "lfs": about}

    def _resolve(self, repository: str, name: str, kind: str) -> None:
        files = self.hub.repositories.get(repository)
        if files is None:
            return self._refuse(401, "RepoNotFound")
        commit = {"X-Repo-Commit": self.hub.commit(repository)}
        if name not in files:
            self._head(404, {**commit, "X-Error-Code": "EntryNotFound", "Content-Length": "0"})
            return None
        one = files[name]
        if one.large:
            linked = {"X-Linked-ETag": f'"{one.digest}"', "X-Linked-Size": str(one.size)}
            # Another host, as the hub's store is: of the same one its client asks for more headers.
            store = self.hub.url.replace("127.0.0.1", "localhost")
            to = {"Location": f"{store}/large/{repository}/{name}", "Content-Length": "0"}
            return self._head(302, {**commit, **linked, **to})
        return self._send(one.path, {**commit, "ETag": f'"{one.digest}"'}, kind)

    def _large(self, place: str, kind: str) -> None:
        held = self.hub.repositories.items()
        named = ((files, place.removeprefix(f"{repository}/")) for repository, files in held)
        one = next((files[name] for files, name in named if name in files), None)
        if one is None:
            return self._refuse(404)
        return self._send(one.path, {"ETag": f'"{one.digest}"'}, kind)

    def _plain(self, place: str, kind: str) -> None:
        path = self.hub.plain.get(place)
        return self._refuse(404) if path is None else self._send(path, {}, kind)

    def _send(self, path: Path, headers: dict[str, str], kind: str) -> None:
        """The content of `path`, or of the range that was asked for, with a fault of that kind."""
        whole = path.stat().st_size
        sent = whole + 7 if kind == "changed" else whole
        first, last = 0, sent - 1
        if asked := _RANGE.fullmatch(self.headers.get("Range", "")):
            first, last = int(asked[1]), int(asked[2] or last)
            headers["Content-Range"] = f"bytes {first}-{last}/{sent}"
        headers |= {"Content-Length": str(last + 1 - first), "Accept-Ranges": "bytes"}
        self._head(206 if asked else 200, headers)
        if self.command == "HEAD":
            return
        left = last + 1 - first
        if kind == "truncated":
            left, self.close_connection = left // 2, True
        with path.open("rb") as file:
            file.seek(first)
            while left:
                piece = file.read(min(left, _PIECE)) or bytes(min(left, _PIECE))
                if kind in ("garbled", "changed"):
                    piece = bytes(255 - byte for byte in piece[:64]) + piece[64:]
                if kind == "slow":
                    time.sleep(0.2)
                self.wfile.write(piece)
                left -= len(piece)
