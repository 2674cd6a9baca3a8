"""[[sink]] of config.toml: who is told of events, of which, and how sure they have to be."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

_SCHEMES: Final = {"webhook": ("http", "https"), "nats": ("nats", "tls")}
_LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)


def _since(value: object) -> object:
    """A slot, or a moment in POSIX milliseconds, told apart by their types."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)  # from the environment
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        if value.tzinfo is None or value > _LATEST:
            raise ValueError("a time needs a zone, such as 2026-01-31T12:00:00Z")
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    raise ValueError("give a slot, or a time such as 2026-01-31T12:00:00Z")


class SinkSection(BaseModel):
    """One sink. `distributions` and `funders` say whose events; at least one of them has to be there."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
    kind: Literal["webhook", "exec", "apprise", "nats"]
    url: str | None = None
    command: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    secret_files: tuple[Path, ...] = ()
    subject: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")] = "milestones"
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 15.0
    allow_private: bool = False
    types: tuple[Annotated[str, Field(pattern=r"^[a-z_.]*\*?$", min_length=1)], ...] = ()
    distributions: Literal["all"] | tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...] = ()
    funders: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{56}$")], ...] = ()
    finality: Literal["seen", "confirmed", "final"] = "seen"
    since: Annotated[Any, BeforeValidator(_since)] = None

    @field_validator("url")
    @classmethod
    def _a_url(cls, url: str | None) -> str | None:
        if url is not None:
            try:
                parts = urlsplit(url)
                good = bool(parts.hostname) and (parts.port is None or parts.port > 0)
            except ValueError:
                good, parts = False, urlsplit("")
            if not good or any(not c.isprintable() or c.isspace() for c in url):
                raise ValueError("give a URL that names a host")  # without repeating it: it may hold a secret
            if not url.isascii():
                raise ValueError("write a URL in ASCII: the host as xn--…, other letters as %C3%A9 and the like")
            if parts.username is not None or parts.fragment:
                raise ValueError("leave out user, password and fragment: the receiver knows us by our signature")
        return url

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if (self.url is not None) != (self.kind in _SCHEMES):
            raise ValueError(f"kind {self.kind} {'needs a url' if self.kind in _SCHEMES else 'has no url'}")
        if self.url is not None:
            scheme = urlsplit(self.url).scheme
            if scheme not in _SCHEMES[self.kind]:
                raise ValueError(f"a url for kind {self.kind} begins with {' or '.join(_SCHEMES[self.kind])}")
            if scheme == "http" and not self.allow_private:
                raise ValueError("http:// is for receivers next door: allow_private = true; else https://")
        if bool(self.command) != (self.kind == "exec"):
            raise ValueError("kind exec needs a command, other kinds have none")
        least, most = {"webhook": (1, 2), "exec": (0, 0), "apprise": (1, 1), "nats": (0, 1)}[self.kind]
        if not least <= len(self.secret_files) <= most:
            how_many = str(least) if least == most else f"{least} or {most}"
            raise ValueError(f"kind {self.kind} takes {how_many} secret_files")
        if not self.distributions and not self.funders:
            raise ValueError('say whose events: distributions = "all" (strangers make some too), a list, or funders')
        return self
