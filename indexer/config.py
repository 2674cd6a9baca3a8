"""config.toml as frozen types. Every key can be overridden as INDEXER__SECTION__KEY; unknown keys are refused."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from indexer import errors
from indexer.chain.address import CredentialKind
from indexer.chain.network import Network, network_of
from indexer.chain.point import ORIGIN, Place, parse_place
from indexer.chain.watch import Watch, parse_watch
from indexer.config_sinks import SinkSection
from indexer.log import Format, Level

PREFIX = "INDEXER__"


class Section(BaseModel):
    """A part of config.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


def _since(text: object) -> object:
    return "tip" if text == "tip" else parse_place(str(text))


Since = Annotated[Any, BeforeValidator(_since)]


class DatabaseSection(Section):
    """Where the read model is kept."""

    path: Path = Path("data/indexer.sqlite")
    checkpoints: bool = True

    @field_validator("path")
    @classmethod
    def _a_file(cls, path: Path) -> Path:
        if "\0" in str(path) or not path.name:
            raise ValueError("give the path of a file")
        return path


class DataSection(Section):
    """Where the files are kept that are not the database: signatures received off the chain."""

    directory: Path = Path("data")


class ContractSection(Section):
    """A contract to follow: the blueprint (CIP-57) that it was compiled to, and the output that holds its script."""

    blueprint: Path
    reference: Annotated[str, Field(pattern=r"^[0-9a-f]{64}#[0-9]{1,5}$")] | None = None


def _refuse_unreadable(url: str) -> None:
    """A URL that cannot be told apart into its parts could not be shown without its password either."""
    try:
        parts = urlsplit(url)
        readable = (parts.port is None or parts.port > 0) and not parts.fragment and "@" not in parts.path
    except ValueError:
        readable = False
    if not readable or any(not c.isprintable() or c.isspace() for c in url):
        # Without the cause, which may repeat the password.
        raise ValueError("not a URL: of user and password, every / ? # @ : is written as %2F %3F %23 %40 %3A")


class OgmiosSection(Section):
    """The node, through Ogmios."""

    url: str = "ws://127.0.0.1:1337"
    headers_file: Path | None = None
    timeout_s: Annotated[float, Field(gt=0)] = 60.0

    @field_validator("url")
    @classmethod
    def _websocket(cls, url: str) -> str:
        if not url.startswith(("ws://", "wss://")):
            raise ValueError("an Ogmios URL begins with ws:// or wss://")
        _refuse_unreadable(url)
        if not urlsplit(url).hostname:
            raise ValueError("an Ogmios URL names a host")
        return url


class KupoSection(Section):
    """The index that `audit` compares with; None: there is none."""

    url: str | None = None
    headers_file: Path | None = None

    @field_validator("url")
    @classmethod
    def _http(cls, url: str | None) -> str | None:
        if url is not None:
            _refuse_unreadable(url)
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("a Kupo URL begins with http:// or https:// and names a host")
            if parts.query or parts.fragment:
                raise ValueError("a Kupo URL has no ? and no #: put keys into [kupo] headers_file")
        return url


class FollowSection(Section):
    """Where to start on an empty database, whether the contracts are watched, and when standing still is told."""

    since: Since = ORIGIN
    watch_default: bool = True
    stalled_after_s: Annotated[float, Field(ge=1)] = 300.0


class FinalitySection(Section):
    """How deep a block must lie for what it shows to count as confirmed."""

    confirmed_depth: Annotated[int, Field(ge=1)] = 15


class WatchSection(Section):
    """One credential to watch, or an address that stands for its credential."""

    credential: str
    kind: CredentialKind | None = None


class TokenSection(Section):
    """A token whose amounts people read with decimals."""

    policy: Annotated[str, Field(pattern=r"^[0-9a-f]{56}$")]
    name: Annotated[str, Field(pattern=r"^([0-9a-f]{2}){0,32}$")] = ""
    ticker: Annotated[str, Field(pattern=r"^[A-Za-z0-9._$-]{1,16}$")]
    decimals: Annotated[int, Field(ge=0, le=30)] = 0


class HttpSection(Section):
    """Health and metrics."""

    listen: str = "127.0.0.1:9180"
    ready_within_s: Annotated[int, Field(gt=0)] = 300

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @field_validator("listen")
    @classmethod
    def _host_and_port(cls, listen: str) -> str:
        host, _, port = listen.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError("give HOST:PORT, such as 127.0.0.1:9180")
        return listen


class HeartbeatSection(Section):
    """A URL that is asked for while all is well; None: there is none."""

    url: str | None = None
    interval_s: Annotated[float, Field(ge=1)] = 60.0
    timeout_s: Annotated[float, Field(gt=0)] = 10.0

    @field_validator("url")
    @classmethod
    def _http(cls, url: str | None) -> str | None:
        if url is not None:
            try:
                parts = urlsplit(url)
                usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and url.isprintable()
            except ValueError:  # whose text may repeat the URL
                usable = False
            if not usable:
                raise ValueError("a heartbeat URL begins with http:// or https:// and names a host")
        return url


class KeeperSection(Section):
    """Releasing what is due. Amounts in lovelace. Its key is in a file, or with a command that signs."""

    enabled: bool = False
    signing_key: Path | None = None
    signer: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    verification_key: Path | None = None
    reserve_lovelace: Annotated[int, Field(ge=0)] = 5_000_000
    max_loss_lovelace_per_day: Annotated[int, Field(ge=0)] = 5_000_000
    sponsor: tuple[Annotated[str, Field(pattern=r"^(all|[0-9a-f]{56}|[0-9a-f]{64})$")], ...] = ()

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.signing_key is not None and self.signer:
            raise ValueError("give signing_key or signer, not both")
        if bool(self.signer) != (self.verification_key is not None):
            raise ValueError("signer, the command that signs, and verification_key, whose key that is, belong together")
        if self.enabled and not self.has_key:
            raise ValueError("enabled = true needs signing_key, or signer and verification_key")
        return self

    @property
    def has_key(self) -> bool:
        """Whether there is a wallet."""
        return self.signing_key is not None or bool(self.signer)


class RetentionSection(Section):
    """For how many days what is settled is kept. 0: for ever."""

    deliveries_days: Annotated[int, Field(ge=0, le=36_500)] = 90
    dead_letters_days: Annotated[int, Field(ge=0, le=36_500)] = 0


class LoggingSection(Section):
    """What is written to stderr."""

    level: Level = "info"
    format: Format = "auto"


class Config(BaseSettings):
    """Everything an operator can set."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__", populate_by_name=True
    )

    network: StrictStr | Annotated[StrictInt, Field(ge=0)] = "devnet"
    database: DatabaseSection = DatabaseSection()
    data: DataSection = DataSection()
    contract: tuple[ContractSection, ...] = ()
    ogmios: OgmiosSection = OgmiosSection()
    kupo: KupoSection = KupoSection()
    follow: FollowSection = FollowSection()
    watch: tuple[WatchSection, ...] = ()
    token: tuple[TokenSection, ...] = ()
    finality: FinalitySection = FinalitySection()
    keeper: KeeperSection = KeeperSection()
    http: HttpSection = HttpSection()
    sink: tuple[SinkSection, ...] = ()
    heartbeat: HeartbeatSection = HeartbeatSection()
    retention: RetentionSection = RetentionSection()
    logging: LoggingSection = LoggingSection()

    @model_validator(mode="after")
    def _watched(self) -> Self:
        if self.keeper.enabled and not self.follow.watch_default:
            raise ValueError(
                "keeper.enabled: what the keeper pays with has to be watched: [follow] watch_default = true"
            )
        return self

    @field_validator("sink")
    @classmethod
    def _told_apart(cls, sinks: tuple[SinkSection, ...]) -> tuple[SinkSection, ...]:
        names = [each.name for each in sinks]
        if len(set(names)) < len(names):
            raise ValueError("two sinks have one name")
        return sinks

    @field_validator("network")
    @classmethod
    def _known(cls, name: str | int) -> str | int:
        network_of(name)
        return name

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 -- pydantic-settings' own signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment before the file."""
        return env_settings, init_settings

    @property
    def chain(self) -> Network:
        """The network to follow."""
        return network_of(self.network)

    @property
    def since(self) -> Place | Literal["tip"]:
        """Where history starts on an empty database."""
        since: Place | Literal["tip"] = self.follow.since
        return since

    def watches(self) -> list[Watch]:
        """What to watch. Raises ConfigInvalid, naming the entry."""
        found = []
        for number, entry in enumerate(self.watch, start=1):
            try:
                found.append(parse_watch(entry.credential, entry.kind, self.chain.id))
            except ValueError as error:
                raise errors.ConfigInvalid(f"[[watch]] number {number}: {error}") from error
        return found


def load(path: Path) -> Config:
    """Read a configuration; paths in it are relative to the file. Raises ConfigInvalid or FileUnusable."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise errors.FileUnusable(
            f"there is no configuration at {path}", hint="`indexer init` writes one; --config names another"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise errors.FileUnusable(f"cannot read {path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise errors.ConfigInvalid(f"{path} is not TOML: {error}") from error
    _refuse_unknown_environment()
    try:
        config = Config(**values)
        config.watches()
    except ValidationError as error:
        raise errors.ConfigInvalid(f"{path}: {_told(error)}") from error
    except SettingsError as error:
        raise errors.ConfigInvalid(f"an {PREFIX}… environment variable: {error}") from error
    return _absolute(config, path.absolute().parent)


def _absolute(config: Config, base: Path) -> Config:
    headers, kupo_headers = config.ogmios.headers_file, config.kupo.headers_file
    signing, verifying = config.keeper.signing_key, config.keeper.verification_key
    return config.model_copy(
        update={
            "database": config.database.model_copy(update={"path": base / config.database.path}),
            "data": config.data.model_copy(update={"directory": base / config.data.directory}),
            "contract": tuple(c.model_copy(update={"blueprint": base / c.blueprint}) for c in config.contract),
            "ogmios": config.ogmios.model_copy(update={"headers_file": headers and base / headers}),
            "keeper": config.keeper.model_copy(
                update={"signing_key": signing and base / signing, "verification_key": verifying and base / verifying}
            ),
            "sink": tuple(
                each.model_copy(update={"secret_files": tuple(base / file for file in each.secret_files)})
                for each in config.sink
            ),
            "kupo": config.kupo.model_copy(update={"headers_file": kupo_headers and base / kupo_headers}),
        }
    )


def _refuse_unknown_environment() -> None:
    """A misspelt override would be ignored in silence otherwise."""
    for name in os.environ:
        if name.upper().startswith(PREFIX):
            section = name.upper().removeprefix(PREFIX).partition("__")[0].lower()
            if section not in Config.model_fields:
                raise errors.ConfigInvalid(f"the environment variable {name} sets a key that does not exist")


def _told(error: ValidationError) -> str:
    """What is wrong, by key, without repeating values: some keys name secrets."""
    wrong = []
    for detail in error.errors():
        key = ".".join(str(part) for part in detail["loc"])
        reason = "unknown key" if detail["type"] == "extra_forbidden" else detail["msg"]
        wrong.append(f"{key}: {reason.removeprefix('Value error, ')}")
    return "; ".join(wrong)
