"""Where the kit of a logged model goes: the reference that was given, or a derived one.

Derived: `$KITLINE_REGISTRY/<experiment>/<name>:<model id>`, in the local store without a registry.
Names from MLflow become repository names: lower case, and what is neither a letter nor a digit
becomes `-` (`Iris (Q3)` is `iris-q3`).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from kitline.errors import UsageError
from kitline.plugin import Reference

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_KNOWN = ("experiment", "run_id", "name")
LAYOUTS = ("oci:", "oci-archive:")
"""How references begin that name a layout on disk."""
_LENGTH = 80


@dataclass(frozen=True, kw_only=True)
class Place:
    """A reference that may hold `{experiment}`, `{run_id}` and `{name}`; None derives one."""

    template: str | None = None
    push: bool = True
    registry: str | None = None
    """The setting `registry`: where bare references go when they are pushed."""

    def check(self, *, has_run: bool) -> None:
        """Refuse what could not be filled in, before a model is logged.

        Raises:
            UsageError: naming the placeholder or the part that is wrong.
        """
        for word in _PLACEHOLDER.findall(self.template or ""):
            if word not in _KNOWN:
                known = ", ".join(f"{{{each}}}" for each in _KNOWN)
                raise UsageError(
                    f"reference {self.template!r} holds {{{word}}}, not one of {known}"
                )
            if word == "run_id" and not has_run:
                raise UsageError(
                    f"reference {self.template!r} holds {{run_id}}, and no run is active"
                )
        self.fill(experiment="x", name="x", model_id="m-x", run_id="x")

    def fill(self, *, experiment: str, name: str, model_id: str, run_id: str | None) -> str:
        """Return the reference to pack to."""
        words = {"experiment": experiment, "name": name, "run_id": run_id or ""}
        clean = {key: repository_name(each) for key, each in words.items()}
        template = self.template or f"{{experiment}}/{{name}}:{model_id}"
        text = _PLACEHOLDER.sub(lambda found: clean[found[1]], template)
        if text.startswith(LAYOUTS):
            return text
        found = Reference.parse(text)
        if found.digest is not None:
            raise UsageError(f"{text!r} names a digest, which is known only afterwards; give a tag")
        if not self.push:
            return str(Reference(repository=found.repository, tag=found.tag))
        if found.is_bare and self.registry:
            return f"{self.registry}/{text}"
        return text


def repository_name(text: str) -> str:
    """Return a text as one component of a repository name; `x` if nothing of it is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:_LENGTH].strip("-") or "x"
