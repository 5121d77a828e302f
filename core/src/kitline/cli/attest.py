"""kitline attest: say something about a kit, signed or not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kitline.cli import options
from kitline.cli.keys import ask_password, legacy_option, signing_key_option
from kitline.cli.sign import print_signed

if TYPE_CHECKING:
    from kitline.operations.settings import Settings


@click.command(
    "attest",
    short_help="Attach a statement to a kit, signed if a key is given.",
    epilog="Example: kitline attest registry.example/data/train:v3 --type revocation"
    " --reason 'consent withdrawn' --key privacy.key",
)
@click.argument("reference", metavar="REF")
@click.option(
    "--type",
    "kind",
    required=True,
    metavar="TYPE",
    help="What is said: a URI, or a short name: provenance, evaluation, revocation,"
    " classification, cyclonedx, spdx, vuln, …",
)
@click.option(
    "--predicate",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="File with the JSON object that is said; '-' reads it from stdin.",
)
@click.option("--reason", metavar="TEXT", help="For a revocation: why.")
@click.option("--owner", metavar="TEXT", help="For a classification: whose the kit is.")
@click.option(
    "--sensitivity",
    metavar="LEVEL",
    help="For a classification: public, internal, confidential or restricted.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME=NUMBER",
    help="For an evaluation; may be repeated.",
)
@click.option(
    "--parent",
    "parents",
    multiple=True,
    metavar="[ROLE=]REF",
    help="For provenance: a kit that REF was made from, where its manifest does not say so.",
)
@click.option(
    "--at",
    "place",
    metavar="REPOSITORY",
    help="Attach it in this repository instead of the kit's own.",
)
@signing_key_option(required=False)
@legacy_option
@options.with_options(*options.connection_options)
@options.quiet_option
@options.json_option
def command(
    reference: str,
    kind: str,
    predicate: str | None,
    reason: str | None,
    owner: str | None,
    sensitivity: str | None,
    metrics: tuple[str, ...],
    parents: tuple[str, ...],
    place: str | None,
    key: str | None,
    legacy: bool,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Attach an in-toto statement about the kit REF; the kit itself does not change.

    With --key it is signed, and 'cosign verify-attestation' accepts it. Without, it is a claim by
    whoever may write to the repository, and no check accepts it. Saying the same again writes
    nothing. What is said comes from --predicate, or from the options of its type.
    """
    from kitline.errors import UsageError
    from kitline.operations.sign import attest_signed, attest_unsigned

    if legacy and key is None:
        raise UsageError("--legacy is a form of signed attestations; name a key with --key")
    settings = options.load_settings(
        reference,
        place,
        *options.named_in(parents),
        plain_http=plain_http,
        insecure=insecure,
        ca_file=ca_file,
    )
    given: dict[str, dict[str, Any]] = {
        "revocation": {"reason": reason},
        "classification": {"owner": owner, "sensitivity": sensitivity},
        "evaluation": {"metric": metrics},
        "provenance": {"parent": parents},
    }
    said = _said(kind, predicate, given, settings)
    if key is None:
        result = attest_unsigned(reference, kind, said, at=place, settings=settings)
    else:
        result = attest_signed(
            reference,
            kind,
            said,
            key=key,
            legacy=legacy,
            at=place,
            settings=settings,
            ask_password=ask_password() if predicate != "-" else None,
        )
    words = f"attested to {reference} as {result.predicate_type}" + (
        f" with {key}" if key else ", unsigned"
    )
    print_signed(result, words, as_json=as_json, quiet=quiet)


def _said(
    kind: str, predicate: str | None, given: dict[str, dict[str, Any]], settings: Settings
) -> dict[str, Any]:
    """Return what is said: the file's content, or what the options of the type say."""
    from kitline.errors import UsageError
    from kitline.operations.sign import read_predicate, stated_parents
    from kitline.trust import predicate_types, predicates

    wanted = predicate_types.predicate_type(kind)
    own = next((n for n in given if predicate_types.SHORT_NAMES[n] == wanted), None)
    for name, values in given.items():
        for option, value in values.items():
            if value and (name != own or predicate is not None):
                instead = "without --predicate" if name == own else f"with --type {name}"
                raise UsageError(f"--{option} is used {instead}")
    if predicate is not None:
        return read_predicate(_read(predicate), predicate)
    if own is None or not any(given[own].values()):
        choice = " or ".join(f"--{each}" for each in given.get(own or "", ()))
        or_options = f", or {choice}" if choice else ""
        raise UsageError(f"nothing is said: name a file with --predicate{or_options}")
    if own == "provenance":
        return dict(stated_parents(given[own]["parent"], settings=settings))
    if own == "revocation":
        return predicates.revocation(given[own]["reason"])
    if own == "evaluation":
        return predicates.evaluation(predicates.read_metrics(given[own]["metric"]))
    values = {key: value for key, value in given[own].items() if value}
    return predicates.classification(**values)


def _read(predicate: str) -> bytes:
    from kitline.operations.sign import PREDICATE_LIMIT

    if predicate == "-":
        return sys.stdin.buffer.read(PREDICATE_LIMIT + 1)
    with Path(predicate).open("rb") as file:
        return file.read(PREDICATE_LIMIT + 1)
