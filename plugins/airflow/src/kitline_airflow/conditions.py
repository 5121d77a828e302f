"""Conditions: what a sensor waits for, looked at with one set of requests."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import kitline


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A reference that exists; with the other fields, about which more holds."""

    reference: str
    """A tag or a digest; for a stage, the repository."""
    stage: str | None = None
    """The stage that has to hold a kit."""
    digest: str | None = None
    """What the tag or stage has to point at."""
    key: str | None = None
    """The public key that has to have signed it."""
    attestations: tuple[str, ...] = ()
    """Types that have to be attested to: verified with `key`, or by anyone if there is none."""

    @property
    def words(self) -> str:
        """What is waited for, for people."""
        said = [f"{self.reference} to have a kit in stage {self.stage!r}"] if self.stage else []
        said = said or [f"{self.reference} to exist"]
        said += [f"to point at {self.digest}"] if self.digest else []
        said += [f"to be signed with {self.key}"] if self.key else []
        said += [f"to have the attestation {each!r}" for each in self.attestations]
        return " and ".join(said)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as texts and lists, for a trigger's arguments."""
        return {**asdict(self), "attestations": list(self.attestations)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Condition:
        """Read what `to_json` gives."""
        return cls(**{**fields, "attestations": tuple(fields.get("attestations") or ())})

    def check(self, locate: Callable[[str], str], settings: kitline.Settings) -> str | None:
        """Return the pinned reference if all of it holds now, else None.

        Raises:
            KitlineError: if it cannot be told, such as for refused credentials.
        """
        import kitline
        from kitline.errors import NotFound, NotSigned

        name = locate(self.reference)
        try:
            found = kitline.resolve(
                f"{name}:{self.stage}" if self.stage else name, settings=settings
            )
            if found is None or (self.digest and str(found.digest) != self.digest):
                return None
            if self.key:
                kitline.verify(
                    found, key=self.key, attestations=self.attestations, settings=settings
                )
            elif self.attestations and not self._is_attested(str(found), settings):
                return None
        except (NotFound, NotSigned):
            return None
        return str(found)

    def _is_attested(self, pinned: str, settings: kitline.Settings) -> bool:
        import kitline

        for kind in self.attestations:
            there = kitline.list_attestations(pinned, kind, settings=settings)
            if not there.signed and not there.unsigned:
                return False
        return True
