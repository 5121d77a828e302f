"""The real cosign with keys of its own, without network: no log, no certificate authority."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kitline.testing.environment import clean_environment

from harness.programs import need_program, run

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

UNLOGGED = ("--insecure-ignore-tlog=true",)
FORMS = {"bundle": (), "tag": ("--new-bundle-format=false",)}
"""The options for its two forms: referrers, and tags as cosign 1 and 2 wrote them."""
PASSWORD = "geheim"


@dataclass(frozen=True, kw_only=True)
class Cosign:
    """cosign in `folder`, where its keys lie."""

    folder: Path

    @property
    def env(self) -> dict[str, str]:
        """What it runs with."""
        return clean_environment(self.folder) | {"COSIGN_PASSWORD": PASSWORD}

    def run(self, *args: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one cosign command."""
        return run(need_program("cosign"), *args, env=self.env, cwd=self.folder, check=check)

    def make_keys(self, name: str) -> None:
        """Write `name.key` and `name.pub`."""
        self.run("generate-key-pair", "--output-key-prefix", name)

    def sign(self, reference: str, key: str, form: str = "bundle") -> None:
        """Sign, without any service."""
        self.run("sign", "--key", key, *_offline(form), reference)

    def attest(
        self, reference: str, key: str, kind: str, predicate: str, form: str = "bundle"
    ) -> None:
        """Attest, without any service."""
        words = ("--key", key, *_offline(form), "--type", kind, "--predicate", predicate)
        self.run("attest", *words, reference)

    def complaint(self, reference: str, key: str, form: str = "bundle") -> str:
        """Return what `verify` says against a signature; empty if it accepts it."""
        words = ("--key", key, *UNLOGGED, *FORMS[form])
        return _complaint(self.run("verify", *words, reference, check=False))

    def attestation_complaint(
        self, reference: str, key: str, kind: str, form: str = "bundle"
    ) -> str:
        """Return what `verify-attestation` says against it; empty if it accepts it."""
        words = ("--key", key, *UNLOGGED, *FORMS[form], "--type", kind)
        return _complaint(self.run("verify-attestation", *words, reference, check=False))


def _offline(form: str) -> tuple[str, ...]:
    return ("--use-signing-config=false", "--tlog-upload=false", "-y", *FORMS[form])


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr or "refused without a word") if done.returncode else ""
