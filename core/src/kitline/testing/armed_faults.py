"""Faults that are still to happen, and to which request."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kitline.testing.faults import Fault, Kind


class Faults:
    """The faults that are still to happen; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[ArmedFault] = []

    def add(self, fault: Fault) -> None:
        """Arm a fault; earlier ones go first."""
        with self._lock:
            self._armed.append(ArmedFault(fault))

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._armed.clear()

    def find(self, kind: Kind, method: str, path: str) -> ArmedFault | None:
        """Return a fault that fits a request; one with `skip` counts the request instead."""
        with self._lock:
            for armed in self._armed:
                if armed.fits(kind, method, path):
                    return armed
        return None

    def take(self, kind: Kind, method: str, path: str) -> Fault | None:
        """Return a fault that fits a request and count its use."""
        armed = self.find(kind, method, path)
        return armed.fault if armed is not None and self.use(armed) else None

    def use(self, armed: ArmedFault) -> bool:
        """Count one use; False if another thread was faster."""
        with self._lock:
            return armed.use()


class ArmedFault:
    """A fault and how often it may still happen."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._left = fault.times
        self._skip = fault.skip

    def fits(self, kind: Kind, method: str, path: str) -> bool:
        """Tell whether the fault is for this request."""
        fault = self.fault
        if fault.kind != kind or self._left == 0 or not re.search(fault.path, path):
            return False
        if fault.methods and method not in fault.methods:
            return False
        if self._skip:
            self._skip -= 1
            return False
        return True

    def use(self) -> bool:
        """Count one use; False if none is left."""
        if self._left is None:
            return True
        if self._left == 0:
            return False
        self._left -= 1
        return True
