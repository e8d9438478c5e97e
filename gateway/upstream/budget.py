"""How many retries an upstream may be burdened with: a share of its requests, and a small reserve.

Pure. The rule: when everything fails, retries add a tenth to the load and no more.
"""

from __future__ import annotations


class RetryBudget:
    """Each request earns `ratio` of a retry, up to `reserve`; each retry costs one."""

    __slots__ = ("_balance", "_ratio", "_reserve")

    def __init__(self, ratio: float = 0.1, reserve: float = 10.0) -> None:
        if not 0 <= ratio <= 1 or reserve < 0:
            raise ValueError("ratio: 0 to 1; reserve: not below 0")
        self._ratio = ratio
        self._reserve = reserve
        self._balance = reserve

    @property
    def balance(self) -> float:
        """Retries that may be made now."""
        return self._balance

    def earn(self) -> None:
        """A first attempt was made."""
        if self._balance < self._reserve:
            self._balance = min(self._reserve, self._balance + self._ratio)

    def spend(self) -> bool:
        """May one retry be made? If so, it is paid for."""
        if self._balance < 1:
            return False
        self._balance -= 1
        return True
