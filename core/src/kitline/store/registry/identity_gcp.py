"""The workload's own identity at Artifact Registry: Google's default credentials, GKE's metadata.

Source: Artifact Registry documentation, "Set up authentication for Docker", access token: the
user `oauth2accesstoken` with an access token as password.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

from kitline.store.registry.credential import Credential
from kitline.store.registry.identity import NoIdentity

SOURCE = "the workload's own identity (Google Cloud)"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def get_identity(registry: str) -> Credential:
    """Ask for an access token.

    Raises:
        ImportError: if google-auth is not installed.
        NoIdentity: if there are no default credentials, or they give no token.
    """
    import google.auth
    import google.auth.exceptions
    import google.auth.transport.requests

    credentials: Any  # google-auth is typed in parts only
    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
        credentials.refresh(google.auth.transport.requests.Request())
    except google.auth.exceptions.GoogleAuthError as cause:
        raise NoIdentity(str(cause)) from cause
    # google-auth keeps the expiry as UTC without saying so
    expiry = credentials.expiry.replace(tzinfo=UTC).timestamp() if credentials.expiry else None
    return Credential(
        username="oauth2accesstoken",
        password=credentials.token,
        source=SOURCE,
        expires_at=expiry,
    )
