"""The peers and the upstream, each as a configuration made for free ports and a command; none of them checks anything.

What a peer does is what its users run: headers set and dropped, CORS, and an access log where it has one. nginx with
Lua also judges origin, token and path. Leaves running them to processes.py.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.processes import free_ports, program

HERE: Final = Path(__file__).resolve().parent
LUA_MODULE: Final = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")
BEARER: Final = "Bearer a-token-that-never-changes"
ANSWER: Final = (
    '{"id":"6f6ab1c6-7a9d-4b65-9d7f-1d3f6a7a1f10","conversation":{"id":"1a2b3c4d-0000-4000-8000-000000000001"},'
    '"sender":{"id":"0f0e0d0c-0000-4000-8000-00000000000a"},"textBody":"' + "x" * 320 + '","status":"queued",'
    '"timestamp":"2026-11-20T04:35:17.123Z","selfUri":"/api/v2/conversations/messages/1a2b3c4d/messages/6f6ab1c6"}'
)
TOKEN: Final = (
    '{"access_token":"a-bearer-of-the-stand-in-which-is-as-long-as-those-of-Genesys-are-in-real-life-0123456789",'
    '"token_type":"bearer","expires_in":86399}'
)
_NGINX: Final = """
worker_processes 1; daemon off; pid {name}.pid; error_log {name}.log warn;
events {{ worker_connections 20000; }}
http {{
  keepalive_requests 100000000; client_body_temp_path {name}1; proxy_temp_path {name}2; fastcgi_temp_path {name}3;
  uwsgi_temp_path {name}4; scgi_temp_path {name}5; client_body_in_single_buffer on;
  {http}
}}
"""
_LOG: Final = """
  log_format one escape=json '{"t":"$time_iso8601","m":"$request_method","u":"$uri","s":$status,"d":$request_time}';
  access_log access.log one buffer=64k flush=1s;"""


@dataclass(frozen=True, slots=True)
class Peer:
    """`make` writes what the program needs into the directory and returns its command."""

    name: str
    needs: str
    make: Callable[[Path, int, int], list[str]]

    @property
    def installed(self) -> bool:
        """Can it be run here?"""
        return shutil.which(self.needs) is not None and (self.name != "nginx-lua" or LUA_MODULE.exists())

    @contextlib.contextmanager
    def running(self, directory: Path, upstream_port: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
        """Run it for the length of the block; process and port."""
        (port,) = free_ports(1)
        home = directory / f"{self.name}-{port}"
        home.mkdir()
        with program(self.make(home, port, upstream_port), port, home) as process:
            yield process, port


def _nginx(home: Path, http: str, first: str = "") -> list[str]:
    (home / "nginx.conf").write_text(first + _NGINX.format(name="n", http=http))
    return ["nginx", "-e", "stderr", "-p", str(home), "-c", str(home / "nginx.conf")]


def _nginx_proxy(port: int, upstream: int, inside: str = "") -> str:
    return (
        _LOG
        + f"""
  upstream api {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ {inside}
    proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Cookie "";
    proxy_set_header Authorization "{BEARER}";
    add_header Access-Control-Allow-Origin $http_origin; add_header Vary Origin; }} }}"""
    )


_LUA: Final = """
    access_by_lua_block {
      if ngx.var.http_origin ~= "https://shop.example.com" then return ngx.exit(403) end
      local given = ngx.var.http_authorization
      if not given or not ngx.hmac_sha1("a-secret", string.sub(given, 8)) then return ngx.exit(401) end
      if not ngx.re.match(ngx.var.uri, "^/sites/shop/api/v2/conversations/messages/[0-9a-f-]+/", "jo") then
        return ngx.exit(403)
      end
    }"""


def _lua(home: Path, port: int, upstream: int) -> list[str]:
    modules = f"load_module {LUA_MODULE.parent}/ndk_http_module.so; load_module {LUA_MODULE};"
    return _nginx(home, "lua_load_resty_core off;" + _nginx_proxy(port, upstream, _LUA), modules)


def _caddy(home: Path, port: int, upstream: int) -> list[str]:
    (home / "Caddyfile").write_text(f"""{{
  admin off
  auto_https off
  grace_period 1s
}}
http://127.0.0.1:{port} {{
  log {{
    output file access.log
    format json
  }}
  header Access-Control-Allow-Origin {{http.request.header.Origin}}
  header Vary Origin
  reverse_proxy 127.0.0.1:{upstream} {{
    header_up Authorization "{BEARER}"
    header_up -Cookie
  }}
}}
""")
    return ["caddy", "run", "--config", str(home / "Caddyfile"), "--adapter", "caddyfile"]


def _haproxy(home: Path, port: int, upstream: int) -> list[str]:
    (home / "haproxy.cfg").write_text(f"""
global
  nbthread 1
  log stdout format raw local0 notice
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 600s
frontend in
  bind 127.0.0.1:{port}
  http-request set-header Authorization "{BEARER}"
  http-request del-header Cookie
  http-response set-header Vary Origin
  default_backend out
backend out
  http-reuse always
  server one 127.0.0.1:{upstream}
""")
    return ["haproxy", "-f", str(home / "haproxy.cfg")]


def _nginx_sockets(port: int, upstream: int) -> str:
    return f"""access_log off;
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://127.0.0.1:{upstream};
    proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
    proxy_read_timeout 600s; }} }}"""


def _caddy_sockets(home: Path, port: int, upstream: int) -> list[str]:
    (home / "Caddyfile").write_text(
        f"{{\n  admin off\n  auto_https off\n  grace_period 1s\n}}\n"
        f"http://127.0.0.1:{port} {{\n  reverse_proxy 127.0.0.1:{upstream}\n}}\n"
    )
    return ["caddy", "run", "--config", str(home / "Caddyfile"), "--adapter", "caddyfile"]


def _python(script: str) -> Callable[[Path, int, int], list[str]]:
    return lambda _home, port, upstream: [
        sys.executable, str(HERE / script), str(port), f"http://127.0.0.1:{upstream}",
    ]  # fmt: skip


CALLS: Final = (
    Peer("nginx", "nginx", lambda home, port, upstream: _nginx(home, _nginx_proxy(port, upstream))),
    Peer("nginx-lua", "nginx", _lua),
    Peer("haproxy", "haproxy", _haproxy),
    Peer("caddy", "caddy", _caddy),
    Peer("aiohttp-bare", sys.executable, _python("plain_proxy.py")),
)
SOCKETS: Final = (
    Peer("nginx", "nginx", lambda home, port, upstream: _nginx(home, _nginx_sockets(port, upstream))),
    Peer("haproxy", "haproxy", _haproxy),
    Peer("caddy", "caddy", _caddy_sockets),
    Peer("aiohttp-bare", sys.executable, _python("plain_relay.py")),
)
FIXED: Final = Peer("aiohttp-fixed", sys.executable, _python("fixed_answer.py"))


@dataclass(frozen=True, slots=True)
class Upstream:
    """The stand-in for Genesys: a fast nginx with fixed answers, in plain text and over TLS."""

    process: subprocess.Popen[bytes]
    port: int
    tls_port: int
    certificate: Path


@contextlib.contextmanager
def upstream(directory: Path) -> Iterator[Upstream]:
    """Run the stand-in: login and API behind one port, the same over TLS behind another."""
    port, tls_port = free_ports(2)
    home = directory / "upstream"
    home.mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=home, check=True, capture_output=True,
    )  # fmt: skip
    command = _nginx(
        home,
        f"""access_log off; default_type application/json;
  server {{ listen 127.0.0.1:{port} backlog=4096; listen 127.0.0.1:{tls_port} ssl backlog=4096;
    ssl_certificate {home}/cert.pem; ssl_certificate_key {home}/key.pem;
    location = /oauth/token {{ return 200 '{TOKEN}'; }}
    location = /api/v2/tokens/me {{ return 200 '{{}}'; }}
    location / {{ return 200 '{ANSWER}'; }} }}""",
    )
    with program(command, port, home) as process:
        yield Upstream(process, port, tls_port, home / "cert.pem")
