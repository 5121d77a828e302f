"""kitline verify: is this kit signed by whom I trust?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kitline.cli import options
from kitline.cli.keys import verifying_key_option

if TYPE_CHECKING:
    from kitline.operations.verify import Verified


@click.command(
    "verify",
    short_help="Check who signed a kit, and who attested to it.",
    epilog="Example: kitline verify registry.example/team/iris:v1 --key cosign.pub"
    " --attestation provenance",
)
@click.argument("reference", metavar="REF")
@verifying_key_option()
@click.option(
    "--attestation",
    "attestations",
    multiple=True,
    metavar="TYPE",
    help="Also demand a signed attestation of this type, a URI or a short name; may be repeated.",
)
@click.option(
    "--no-signature",
    is_flag=True,
    help="Demand the attestations only, not a signature of the kit itself.",
)
@click.option(
    "--certificate-identity",
    "identity",
    metavar="ID",
    help="Instead of a key: who has to have signed (keyless; takes kitline[sigstore]).",
)
@click.option(
    "--certificate-oidc-issuer", "issuer", metavar="URL", help="Who has to have vouched for ID."
)
@click.option(
    "--trusted-root",
    type=click.Path(exists=True, dir_okay=False),
    help="Roots of a sigstore instance of your own, as JSON.",
)
@options.policy_option
@options.with_options(*options.connection_options)
@options.quiet_option
@options.json_option
def command(
    reference: str,
    key: str | None,
    attestations: tuple[str, ...],
    no_signature: bool,
    identity: str | None,
    issuer: str | None,
    trusted_root: str | None,
    policy: str | None,
    plain_http: bool,
    insecure: bool,
    ca_file: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Verify that the kit REF is signed; exits with 3 and names the failed check if it is not.

    Signatures and attestations of cosign are accepted in both of its forms. A kit that has only
    attestations is not signed. Policies have to allow its use too: that of --policy, and those in
    force; with one, no key needs to be named.
    """
    from kitline.operations.verify import verify

    settings = options.load_settings(
        reference, plain_http=plain_http, insecure=insecure, ca_file=ca_file, policy=policy
    )
    result = verify(
        reference,
        key=key,
        identity=identity,
        issuer=issuer,
        trusted_root=trusted_root,
        attestations=attestations,
        signature=not no_signature,
        settings=settings,
    )
    _print(result, as_json=as_json, quiet=quiet)


def _print(result: Verified, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        options.print_json(result.to_json())
        return
    if not quiet:
        if result.signature is not None:
            options.say(f"signed by {result.signed_by} ({result.signature.form})")
        for origin in result.policies:
            options.say(f"allowed by the policy of {origin}")
        for each in result.attestations:
            options.say(f"attested by {result.signed_by}: {each.predicate_type} ({each.form})")
        for path, algorithm in result.by_reference.items():
            options.say(f"by reference, {algorithm}: {path} lists data that was not read")
    click.echo(str(result.reference))
