"""What every answer has: JSON errors, CORS, security headers; health, figures and files."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import orjson
import pytest
from aiohttp import web

from fastws.pages import build, build_operations, protocol_factory
from fastws.store.pool import Database
from tests.pages.site import FOREIGN, LISTED, WEB, Site, served

# ── errors ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/nothing", 404, "Not found"),
        ("GET", "/api/nothing", 404, "Not found"),
        ("GET", "/api/v69/ws/nothing", 404, "Not found"),
        ("GET", "/static/nothing.js", 404, "Not found"),
        ("GET", "/static/../pyproject.toml", 404, "Not found"),
        ("GET", "/static/%2e%2e/config.py", 404, "Not found"),
        ("GET", "/static/%2Fetc/passwd", 404, "Not found"),
        ("GET", "/static/", 404, "Not found"),
        ("GET", "/static/index.html/", 404, "Not found"),
        ("GET", "/static/x%00", 404, "Not found"),
        ("DELETE", "/api/status", 405, "Method not allowed"),
        ("GET", "/api/auth/verify-wallet", 405, "Method not allowed"),
        ("POST", "/", 405, "Method not allowed"),
        ("TRACE", "/", 405, "Method not allowed"),
    ],
)
async def test_an_error_is_json(site: Site, method: str, path: str, status: int, text: str) -> None:
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = await site.raw(head.encode())
    line, _, body = answer.partition(b"\r\n\r\n")
    assert int(line.split()[1]) == status
    assert orjson.loads(body) == {"error": text}
    assert b"Content-Type: application/json" in line
    assert (b"\r\nAllow: " in line) is (status == 405)


async def test_a_fault_of_ours_shows_no_inner_text(database: Database) -> None:
    def broken() -> dict[str, Any]:
        raise RuntimeError("inner text with a password")

    async with served(Site(database, status=broken)) as site:
        assert await site.get("/api/status") == (500, {"error": "Internal server error"})
        assert site.deps.answered["/api/status", "500"] == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"GARBAGE\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
    ],
)
async def test_what_cannot_be_parsed_is_not_quoted(site: Site, garbage: bytes) -> None:
    answer = await site.raw(garbage)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == b"400"
    assert b"aiohttp" not in head
    assert orjson.loads(body) == {"error": "Bad request"}


async def test_a_broken_chunk_is_a_bad_request(site: Site) -> None:
    answer = await site.raw(
        b"POST /api/auth/verify-wallet HTTP/1.1\r\nHost: x\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n"
    )
    assert answer.split()[1] == b"400"
    assert answer.endswith(b'{"error":"Bad request"}')


async def test_a_chunked_body_is_read(site: Site) -> None:
    answer = await site.raw(
        b"POST /api/auth/verify-wallet HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
    )
    assert answer.endswith(b'{"error":"Missing required fields"}')


async def test_head_is_a_get_without_a_body(site: Site) -> None:
    for path in ("/", "/api/status", "/livez", "/static/ticker.js"):
        head = f"HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = await site.raw(head.encode())
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b"\r\n\r\n")


async def test_answers_are_counted_by_route(site: Site) -> None:
    await site.get("/api/status")
    await site.get("/api/auth/session")
    await site.get("/one")
    await site.get("/two")
    assert site.deps.answered == {
        ("/api/status", "200"): 1,
        ("/api/auth/session", "401"): 1,
        ("unknown", "404"): 2,
    }


# ── CORS ────────────────────────────────────────────────────────────────────────────────────

ASKED = {"Access-Control-Request-Method": "POST"}


async def headers_of(site: Site, method: str, path: str, **headers: str) -> tuple[int, Any]:
    async with site.client.request(method, site.url + path, headers=headers) as answer:
        return answer.status, answer.headers


async def test_a_listed_page_reads_answers_and_errors(site: Site) -> None:
    for path, expected in [("/api/auth/status", 200), ("/api/auth/token", 401), ("/api/x", 404)]:
        status, headers = await headers_of(site, "GET", path, Origin=LISTED)
        assert status == expected
        assert headers["Access-Control-Allow-Origin"] == LISTED
        assert headers["Access-Control-Allow-Credentials"] == "true"
        assert "Origin" in headers["Vary"]


@pytest.mark.parametrize(
    "origin", [FOREIGN, "null", "http://degenduel.me", f"{LISTED}.evil.example"]
)
async def test_a_foreign_page_reads_nothing(site: Site, origin: str) -> None:
    status, headers = await headers_of(site, "GET", "/api/auth/status", Origin=origin)
    assert status == 200
    assert not [name for name in headers if name.startswith("Access-Control-")]
    assert "Origin" in headers["Vary"], "else a cache gave it the listed page's answer"


@pytest.mark.parametrize("origin", [FOREIGN, "null", ""])
async def test_a_foreign_page_changes_nothing(site: Site, origin: str) -> None:
    """A form post needs no preflight, and carries the cookie."""
    for path in ("/api/auth/logout", "/api/auth/verify-wallet", "/api/v69/publish"):
        async with site.client.post(site.url + path, headers={"Origin": origin}) as answer:
            assert (answer.status, await answer.json()) == (403, {"error": "Origin not allowed"})
    assert site.desk.announced == []


async def test_the_preflight_of_a_listed_page(site: Site) -> None:
    for path in ("/api/auth/verify-wallet", "/api/v69/publish"):
        status, headers = await headers_of(site, "OPTIONS", path, Origin=LISTED, **ASKED)
        assert status == 204
        assert headers["Access-Control-Allow-Origin"] == LISTED
        assert headers["Access-Control-Allow-Credentials"] == "true"
        assert "POST" in headers["Access-Control-Allow-Methods"]
        assert "Content-Type" in headers["Access-Control-Allow-Headers"]
        assert headers["Access-Control-Allow-Origin"] != "*"


async def test_the_preflight_of_a_foreign_page(site: Site) -> None:
    status, headers = await headers_of(site, "OPTIONS", "/api/auth/logout", Origin=FOREIGN, **ASKED)
    assert status == 403
    assert not [name for name in headers if name.startswith("Access-Control-")]


async def test_the_servers_own_page_may_ask(site: Site) -> None:
    assert await site.post("/api/auth/logout", headers={"Origin": site.url}) == (
        200,
        {"success": True},
    )
    site.secure, site.proxied_host = True, "ws.degenduel.me"
    own = {"Origin": "https://ws.degenduel.me"}
    assert (await site.post("/api/auth/logout", headers=own))[0] == 200
    plain = {"Origin": "http://ws.degenduel.me"}
    assert (await site.post("/api/auth/logout", headers=plain))[0] == 403


async def test_options_without_a_preflight_is_405(site: Site) -> None:
    assert (await headers_of(site, "OPTIONS", "/api/auth/logout"))[0] == 405


# ── headers ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/", "/static/ticker.js", "/api/status", "/nothing", "/livez"])
async def test_every_answer_carries_the_security_headers(site: Site, path: str) -> None:
    _, headers = await headers_of(site, "GET", path)
    assert headers["Server"] == "fastws", "no versions"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == ("no-store" if path.startswith("/api/") else "no-cache")


@pytest.mark.parametrize("name", ["index.html", "skyduel.html"])
def test_the_pages_obey_their_own_policy(name: str) -> None:
    page = (WEB / name).read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page)
    loaded = re.sub(r"<a\s[^>]*>", "", page)  # a link is followed by the reader, not by the page
    for address in re.findall(r"(?:src|href)=\"([^\"]+)\"", loaded):
        assert address.startswith("/static/")
        assert (WEB / address.removeprefix("/static/")).is_file()


# ── the page, status and health ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "file", "kind"),
    [
        ("/", "index.html", "text/html"),
        ("/skyduel", "skyduel.html", "text/html"),
        ("/static/ticker.js", "ticker.js", "text/javascript"),
        ("/static/style.css", "style.css", "text/css"),
        ("/static/icon.svg", "icon.svg", "image/svg+xml"),
    ],
)
async def test_files_are_served(site: Site, path: str, file: str, kind: str) -> None:
    async with site.client.get(site.url + path) as answer:
        assert answer.status == 200
        assert answer.content_type == kind
        assert await answer.read() == (WEB / file).read_bytes()
        tag = answer.headers["ETag"]
    async with site.client.get(site.url + path, headers={"If-None-Match": tag}) as answer:
        assert answer.status == 304


async def test_the_status_is_503_in_maintenance(site: Site) -> None:
    assert await site.get("/api/status") == (200, site.system)
    site.system = {"status": "maintenance", "message": "Back at noon"}
    assert await site.get("/api/status") == (
        503,
        {"error": "Back at noon", "status": "maintenance", "message": "Back at noon"},
    )
    site.system = {"status": "degraded", "message": "The database is away"}
    assert (await site.get("/api/status"))[0] == 200


async def test_the_state_of_maintenance(site: Site) -> None:
    assert await site.get("/api/admin/maintenance/status") == (
        200,
        {"mode": False, "message": None, "updated_at": None},
    )


@pytest.mark.parametrize(
    ("path", "name"), [("livez", "live"), ("readyz", "ready"), ("startupz", "started")]
)
async def test_health(site: Site, path: str, name: str) -> None:
    assert await site.get(f"/{path}") == (200, {"status": "ok"})
    site.why_not[name] = "draining"
    assert await site.get(f"/{path}") == (503, {"error": "draining"})
    others = {"livez", "readyz", "startupz"} - {path}
    assert [(await site.get(f"/{other}"))[0] for other in others] == [200, 200]


async def test_figures(site: Site) -> None:
    async with site.client.get(f"{site.url}/metrics") as answer:
        assert answer.content_type == "text/plain"
        assert await answer.text() == "fastws_connections 0\n"


async def test_operations_may_have_a_port_of_their_own(database: Database) -> None:
    paths = ("/metrics", "/livez", "/readyz", "/startupz")
    site = Site(database, operations=False)
    async with served(site, build(site.deps)):
        assert [(await headers_of(site, "GET", path))[0] for path in paths] == [404] * 4
    async with served(site, build_operations(site.deps)):
        assert [(await headers_of(site, "GET", path))[0] for path in paths] == [200] * 4
        assert (await headers_of(site, "GET", "/api/status"))[0] == 404


async def test_the_deps_are_the_whole_world(database: Database) -> None:
    site = Site(database)
    one, other = build(site.deps), build(msgspec.structs.replace(site.deps, development=False))
    assert one is not other
    with pytest.raises(ValueError, match="set up"):
        protocol_factory(web.AppRunner(one))
