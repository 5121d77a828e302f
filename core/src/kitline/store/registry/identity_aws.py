"""The workload's own identity at ECR: botocore's chain, among it IRSA and EKS Pod Identity.

Source: Amazon ECR API reference, GetAuthorizationToken: base64 of `AWS:PASSWORD`, for 12 hours.
"""

from __future__ import annotations

import base64
from typing import Any

from kitline.store.registry.credential import Credential
from kitline.store.registry.identity import NoIdentity

SOURCE = "the workload's own identity (AWS)"


def get_identity(registry: str) -> Credential:
    """Ask ECR for a password that is good for every registry the identity may use.

    Raises:
        ImportError: if boto3 is not installed.
        NoIdentity: if there is no identity, or ECR refuses it.
    """
    import boto3.session
    import botocore.config
    import botocore.exceptions

    public = registry == "public.ecr.aws"
    service, region = ("ecr-public", "us-east-1") if public else ("ecr", _region_of(registry))
    settings = botocore.config.Config(
        connect_timeout=5,
        read_timeout=15,
        retries={"max_attempts": 2},
        use_fips_endpoint=True if "ecr-fips" in registry else None,
    )
    try:
        client = boto3.session.Session().client(service, region_name=region, config=settings)
        answer = client.get_authorization_token()
        client.close()
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as cause:
        raise NoIdentity(str(cause)) from cause
    found: Any = answer["authorizationData"]
    found = found if public else found[0]
    username, _, password = base64.b64decode(found["authorizationToken"]).decode().partition(":")
    return Credential(
        username=username,
        password=password,
        source=SOURCE,
        expires_at=found["expiresAt"].timestamp(),
    )


def _region_of(registry: str) -> str:
    """Return `eu-central-1` of `123456789012.dkr.ecr.eu-central-1.amazonaws.com`."""
    after = registry.split("ecr", 1)[1]
    return after.split(".")[1]
