"""What is asked of a server, and what it may answer: bounded in length and time, and it may not lead inside.

A server that anyone can reach (its address is public) must not make this machine ask another that only this one can
reach: a redirect to a loopback, link-local or private address is refused, by its name, and again when a connection is
made, should the name have changed its address meanwhile. aiohttp itself follows redirects over http(s) alone, and
leaves credentials behind where one leads to another host.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import urllib.request
from contextvars import ContextVar
from typing import Any

import aiohttp
from aiohttp import ClientResponse, ClientTimeout, TCPConnector, TraceConfig
from yarl import URL

from cnnbench.runtime.errors import UserError

LARGEST_PAGE = 1 << 24  # bytes of an answer that is not a range: a page that lists files
SECONDS, CONNECTING, SILENCE = 300, 20, 60  # for a whole answer, for a connection, and without a byte
RANGE = re.compile(r"bytes=(\d+)-(\d+)")

_only_public: ContextVar[bool] = ContextVar("_only_public", default=False)  # in what is left of a request


async def client(**options: Any) -> aiohttp.ClientSession:
    """The session of fsspec's file system, in the loop that it runs in."""
    tracing = TraceConfig()
    tracing.on_request_redirect.append(_check_redirect)
    return aiohttp.ClientSession(
        connector=TCPConnector(socket_factory=_socket),
        response_class=Answer,
        auto_decompress=False,
        headers={"Accept-Encoding": "identity"},
        trust_env=True,  # the proxy that the environment names, and the passwords of ~/.netrc
        timeout=ClientTimeout(total=SECONDS, sock_connect=CONNECTING, sock_read=SILENCE),
        trace_configs=[tracing],
        **options,
    )


class Answer(ClientResponse):
    """Whose content is read no further than what was asked for."""

    async def read(self) -> bytes:
        """The content. UserError if it is longer than the range, or than a page; that of an error may be cut."""
        if self._body is None:
            wanted = RANGE.fullmatch(self.request_info.headers.get("Range", ""))
            most = int(wanted[2]) - int(wanted[1]) + 1 if wanted else LARGEST_PAGE
            content = bytearray()
            async for piece in self.content.iter_chunked(1 << 16):
                content += piece
                if len(content) <= most:
                    continue
                self.close()
                if self.ok:
                    raise UserError(f"{self.url.with_query(None)}: {_too_long(wanted is not None)}")
                break
            self._body = bytes(content)
            self.release()
        return self._body


def _too_long(range_asked: bool) -> str:
    if range_asked:
        return "the server does not honour ranges of bytes, which reading shards needs"
    return f"the server answers with more than {LARGEST_PAGE:,} bytes, where a list of files was asked for"


async def _check_redirect(session: aiohttp.ClientSession, context: Any, said: Any) -> None:
    """Raise UserError if a public server leads to an address that is not."""
    source = said.response.url
    target = source.join(URL(said.response.headers.get("Location", "")))
    if _proxied(source) or _proxied(target) or not await _is_public_host(source):
        return
    _only_public.set(True)
    if not await _is_public_host(target):
        raise UserError(f"{source.with_query(None)} is refused: it leads to {target.host}, {INSIDE}")


INSIDE = "an address within this network or machine"


def _proxied(url: URL) -> bool:
    """Whether a proxy of the environment stands between, which makes the connections and has to decide."""
    return url.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(url.host or "")


async def _is_public_host(url: URL) -> bool:
    """Whether all addresses of the host of `url` are public; a name without an address is."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return True  # nobody can be asked there
    return all(is_public(str(place[0])) for *_, place in found)


def is_public(address: str) -> bool:
    """Whether anyone can reach the IP address."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_global


def _socket(place: Any) -> socket.socket:
    """A socket to connect to `place`, as getaddrinfo gives it."""
    family, kind, protocol, _, address = place
    if _only_public.get() and not is_public(str(address[0])):
        raise UserError(f"a redirect is refused: it leads to {address[0]}, {INSIDE}")
    return socket.socket(family, kind, protocol)
