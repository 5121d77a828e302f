"""The workload's own identity at ACR: an Entra token, exchanged for a refresh token there.

Source: Azure/acr docs/AAD-OAuth.md, "POST /oauth2/exchange"; azure-identity's default chain.
"""

from __future__ import annotations

import time

import requests

from kitline.store.registry.credential import Credential
from kitline.store.registry.identity import NoIdentity

SOURCE = "the workload's own identity (Azure)"
_SCOPE = "https://containerregistry.azure.net/.default"
_USER = "00000000-0000-0000-0000-000000000000"
_LASTS = 3600.0
"""Seconds after which a refresh token is replaced; ACR gives them for three hours."""


def get_identity(registry: str, *, exchange_at: str | None = None) -> Credential:
    """Get an Entra token and exchange it at the registry (or at `exchange_at`, an address).

    Raises:
        ImportError: if azure-identity is not installed.
        NoIdentity: if there is no identity, or the registry does not take it.
    """
    token = _exchange(registry, _entra_token(), exchange_at or f"https://{registry}")
    return Credential(
        username=_USER,
        identity_token=token,
        source=SOURCE,
        expires_at=time.time() + _LASTS,
    )


def _entra_token() -> str:
    import azure.core.exceptions
    import azure.identity

    # what a person is logged in with on this machine is not the workload's identity
    chain = azure.identity.DefaultAzureCredential(
        exclude_developer_cli_credential=True,
        exclude_powershell_credential=True,
        exclude_cli_credential=True,
        exclude_visual_studio_code_credential=True,
        exclude_shared_token_cache_credential=True,
        exclude_interactive_browser_credential=True,
        exclude_broker_credential=True,
    )
    try:
        with chain:
            return str(chain.get_token(_SCOPE).token)
    except azure.core.exceptions.AzureError as cause:
        raise NoIdentity(str(cause).splitlines()[0]) from cause


def _exchange(registry: str, token: str, address: str) -> str:
    form = {"grant_type": "access_token", "service": registry, "access_token": token}
    try:
        with requests.Session() as session:
            response = session.post(
                f"{address}/oauth2/exchange", data=form, allow_redirects=False, timeout=(10, 30)
            )
        found = response.json() if response.status_code == 200 else {}
    except (requests.exceptions.RequestException, ValueError) as cause:
        raise NoIdentity(f"{address}/oauth2/exchange failed: {type(cause).__name__}") from None
    refresh_token = found.get("refresh_token") if isinstance(found, dict) else None
    if not isinstance(refresh_token, str) or not refresh_token:
        raise NoIdentity(f"{address}/oauth2/exchange answered {response.status_code}, no token")
    return refresh_token
