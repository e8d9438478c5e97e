"""The rules of the house, held by tests: who imports whom, what is pure, who makes a permit, where each test stands."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "gateway"
FILES = sorted(PACKAGE.rglob("*.py"))

# A room may import rooms of a lower rank, and itself. The mock stands outside: it imports none of them.
RANKS = {
    "build": 0,
    "errors": 0,
    "policy": 1,
    "config": 2,
    "store": 3,
    "observe": 3,
    "guestbook": 4,
    "upstream": 5,
    "gate": 6,
    "provider": 6,
    "admission": 7,
    "web": 8,
    "app": 9,
    "demo": 10,
    "cli": 11,
    "__main__": 12,
}
OUTSIDE = {"mock"}
IMPURE = {
    "aiohttp",
    "asyncio",
    "redis",
    "os",
    "time",
    "random",
    "secrets",
    "socket",
    "threading",
    "pathlib",
    "structlog",
}
IMPURE_CALLS = {"open", "print", "input"}


def module_name(path: Path) -> str:
    """`gateway/policy/origins.py` is `gateway.policy.origins`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room_of(module: str) -> str:
    """The room that a module of ours belongs to: the second part of its name."""
    return module.split(".")[1] if "." in module else ""


def imports_of(path: Path) -> set[str]:
    """Every module that the file imports, anywhere in it; imports for type checking count as well."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            found |= (
                {f"{node.module}.{alias.name}" for alias in node.names} if node.module == "gateway" else {node.module}
            )
    return found


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_point_one_way(path: Path) -> None:
    """No file imports from a room above its own."""
    room = room_of(module_name(path))
    if room == "":
        return
    for imported in imports_of(path):
        if not imported.startswith("gateway."):
            continue
        other = room_of(imported)
        if other in {"__version__", room}:
            continue
        assert room not in OUTSIDE, f"the mock imports {imported}"
        if other in OUTSIDE:
            assert RANKS[room] >= RANKS["demo"], f"{room} imports the mock"
            continue
        assert RANKS[other] < RANKS[room] or {room, other} == {"store", "observe"}, f"{room} imports {imported}"


def test_every_room_has_a_rank() -> None:
    """A new room must say where it stands."""
    rooms = {room_of(module_name(path)) for path in FILES} - {"", "data"}
    assert rooms <= RANKS.keys() | OUTSIDE


@pytest.mark.parametrize("path", sorted((PACKAGE / "policy").glob("*.py")), ids=module_name)
def test_policy_is_pure(path: Path) -> None:
    """No I/O, no clock, no random, no environment, nothing asynchronous."""
    for imported in imports_of(path):
        assert imported.split(".")[0] not in IMPURE, f"imports {imported}"
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.Await | ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith)
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in IMPURE_CALLS, called
            assert not called.endswith((".now", ".utcnow", ".today")), called


def test_a_permit_is_made_in_one_place() -> None:
    """Only decide() in policy/decision.py constructs a Permit."""
    makers: list[str] = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"Permit", "SocketPermit"}:
                makers.append(f"{module_name(path)}:{ast.unparse(node.func)}")
    assert makers
    assert {maker.split(":")[0] for maker in makers} == {"gateway.policy.decision"}


@pytest.mark.parametrize("path", [p for p in FILES if p.name not in {"__init__.py", "__main__.py"}], ids=module_name)
def test_each_file_has_its_test(path: Path) -> None:
    """gateway/a/b.py is tested by tests/a/test_b.py."""
    mirror = ROOT / "tests" / path.relative_to(PACKAGE).parent / f"test_{path.name}"
    assert mirror.is_file(), f"{mirror.relative_to(ROOT)} is missing"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_each_file_says_its_job(path: Path) -> None:
    """Every file opens with its head docstring."""
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_only_the_upstream_room_dials_out() -> None:
    """Every outbound connection of the data path is made in one room."""
    dialers = ("aiohttp.ClientSession(", "asyncio.open_connection(", ".create_connection(", "urllib.request")
    allowed = {"upstream", "mock", "demo", "observe", "store", "cli"}
    inward = {"gateway.app.worker_process"}  # the supervisor's calls to its own workers, over Unix sockets
    for path in FILES:
        text = path.read_text()
        if any(word in text for word in dialers) and module_name(path) not in inward:
            assert room_of(module_name(path)) in allowed, f"{module_name(path)} dials out by itself"
