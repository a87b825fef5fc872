"""What others must not read from the disk: encrypted with a key that only its owner reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .home import Home

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


class Vault:
    """Encrypts with the data folder's own key, which is made when it is first needed."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def seal(self, value: bytes) -> str:
        """The value as it may be stored."""
        return self._fernet().encrypt(value).decode("ascii")

    def open(self, sealed: str) -> bytes:
        """The value that was sealed."""
        return self._fernet().decrypt(sealed.encode("ascii"))

    def _fernet(self) -> Fernet:
        # Heavy, and few workspaces have secrets.
        from cryptography.fernet import Fernet

        return Fernet(self._home.secret("secrets.key") + "=")
