"""Rule tests: a file of requests with the outcome that each must have, and how much of the route table they touch.

Leaves playing a request to `explain`. The rule: an unknown key in the file is a fault, and a test without an
expectation does not exist.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import pydantic

from gateway.app.explain import Explanation, Question, explain
from gateway.config.compile import Compiled
from gateway.config.section import Section
from gateway.errors import REASONS, ConfigFault

ALLOW = "allow"
KINDS = ("guest", "backend", "nobody")


class RuleTest(Section):
    """[[tests]]: one request and what must become of it."""

    name: str = pydantic.Field(description="A sentence.")
    method: str = "GET"
    path: str
    caller: str = "nobody"
    origin: str | None = None
    host: str = "localhost"
    owns: tuple[str, ...] = ()
    body_bytes: int = 0
    expect: str = pydantic.Field(description="`allow`, or the code of the refusal.")
    route: str | None = pydantic.Field(None, description="The route that must have matched.")


class RuleFile(Section):
    """The whole file."""

    tests: tuple[RuleTest, ...] = pydantic.Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One test and how it went; `fault` is None for a test that passed."""

    name: str
    explanation: Explanation
    fault: str | None


@dataclass(frozen=True, slots=True)
class RuleReport:
    """All outcomes, and coverage: which pairs of route and kind of caller some test has put to the question."""

    outcomes: tuple[Outcome, ...]
    covered: int
    total: int
    missing: tuple[str, ...]

    @property
    def percent(self) -> float:
        """Share of the pairs that are covered, in percent; 100 for a table without routes."""
        return 100.0 * self.covered / self.total if self.total else 100.0

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The tests that did not pass."""
        return tuple(one for one in self.outcomes if one.fault is not None)


def read_rules(path: Path) -> RuleFile:
    """Read a file of rule tests. Raises ConfigFault with every fault of it."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        found = RuleFile.model_validate(data)
    except OSError as exc:
        raise ConfigFault([(str(path), f"cannot be read: {exc.strerror}")]) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigFault([(str(path), f"is not TOML: {exc}")]) from exc
    except pydantic.ValidationError as exc:
        faults = [(".".join(map(str, one["loc"])), one["msg"]) for one in exc.errors()]
        raise ConfigFault([(f"{path}: {key}", message) for key, message in faults]) from exc
    unknown = [
        (f"{path}: {t.name}", f"expects {t.expect}, which is no code") for t in found.tests if not _is_outcome(t)
    ]
    if unknown:
        raise ConfigFault(unknown)
    return found


def run_rules(rules: RuleFile, compiled: Compiled, now: float) -> RuleReport:
    """Play every test. Raises ConfigFault for a test whose caller does not exist."""
    outcomes: list[Outcome] = []
    touched: set[tuple[str, str]] = set()
    for test in rules.tests:
        question = Question(
            test.method, test.path, test.caller, test.origin, test.host, frozenset(test.owns), test.body_bytes
        )
        try:
            found = explain(question, compiled, now)
        except ValueError as exc:
            raise ConfigFault([(test.name, str(exc))]) from exc
        if found.route is not None:
            touched.add((found.route, question.kind))
        outcomes.append(Outcome(test.name, found, _fault(test, found)))
    wanted = {(route.name, kind) for route in compiled.config.routes for kind in KINDS}
    missing = tuple(f"{route} by {kind}" for route, kind in sorted(wanted - touched))
    return RuleReport(tuple(outcomes), len(wanted & touched), len(wanted), missing)


def _is_outcome(test: RuleTest) -> bool:
    return test.expect == ALLOW or test.expect in REASONS


def _fault(test: RuleTest, found: Explanation) -> str | None:
    came = found.code or ALLOW
    if came != test.expect:
        return f"expected {test.expect}, came {came}"
    if test.route is not None and found.route != test.route:
        return f"expected route {test.route}, matched {found.route or 'none'}"
    return None
