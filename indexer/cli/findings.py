"""What `doctor` answers. Where something could not be found out, `error` of its section says why."""

from typing import Any

from indexer.cli.outputs import Output
from indexer.cli.told import table


class Versions(Output):
    """Of the indexer, and of what it runs on."""

    indexer: str
    python: str
    sqlite: str
    system: str
    packages: dict[str, str]


class Settings(Output):
    """The configuration as it holds, without secrets: of URLs scheme and host, of commands the program. `environment`:
    names of the variables that override it."""

    path: str
    environment: tuple[str, ...]
    values: dict[str, Any] | None
    error: str | None


class FileFound(Output):
    """A file that others should not read, or not all of them. `mode` in octal; None: it is not there."""

    what: str
    path: str
    mode: str | None
    ours: bool | None
    others_may_read: bool | None


class RecentError(Output):
    """Why a release or a message failed last."""

    of: str
    state: str
    error: str


class DatabaseFound(Output):
    """The database. `views`: rows of each view; None: counting took too long. `pages`: what SQLite's quick check found,
    `ok` where nothing; None: it was not asked. `errors`: what could not be read, by what it was."""

    path: str
    there: bool
    bytes: int | None
    wal_bytes: int | None
    disk_free_bytes: int | None
    schema_version: int | None
    schema_known: int
    free_pages: int | None
    pages: tuple[str, ...] | None
    sync_status: dict[str, Any] | None
    views: dict[str, int | None]
    releases: dict[str, int]
    deliveries: dict[str, dict[str, int]]
    rejected_outputs: dict[str, int]
    recent_errors: tuple[RecentError, ...]
    errors: dict[str, str]


class DaemonFound(Output):
    """Whether a daemon writes to the database, and what it says of itself: `ready` as /health/ready has it, gates and
    everything else of /metrics that is the indexer's."""

    runs: bool | None
    pid: int | None
    ready: str | None
    gates: dict[str, bool]
    metrics: dict[str, float]
    paused: str | None
    requests_waiting: int | None
    error: str | None


class NodeFound(Output):
    """What Ogmios says of itself and its node, and Kupo where there is one."""

    ogmios: dict[str, Any] | None
    ogmios_error: str | None
    kupo: dict[str, Any] | None
    kupo_error: str | None


class ClockFound(Output):
    """The wall clock, and how long before it the slot of the node's tip and of the database's began, in seconds;
    negative: after it, so that the clock is behind."""

    now: str
    node_tip_age_s: float | None
    database_age_s: float | None
    hint: str


class Examination(Output):
    """All that `doctor` found."""

    versions: Versions
    configuration: Settings
    files: tuple[FileFound, ...]
    database: DatabaseFound | None
    daemon: DaemonFound | None
    node: NodeFound | None
    clock: ClockFound

    def told(self) -> str:
        """In words: the outlines; all of it is in the JSON."""
        rows: list[tuple[str, object]] = [
            ("indexer", f"{self.versions.indexer}, Python {self.versions.python}, SQLite {self.versions.sqlite}"),
            ("system", self.versions.system),
            ("configuration", self.configuration.error or self.configuration.path),
        ]
        rows += [("open to others", f"{each.path} ({each.mode})") for each in self.files if each.others_may_read]
        if self.database is not None:
            rows += self._database(self.database)
        if self.daemon is not None:
            shut = [gate for gate, is_open in self.daemon.gates.items() if not is_open]
            runs = "not known" if self.daemon.runs is None else "runs" if self.daemon.runs else "does not run"
            rows.append(("daemon", runs if self.daemon.pid is None else f"{runs}, process {self.daemon.pid}"))
            rows += [
                (name, text) for name, text in (("health", self.daemon.ready), ("metrics", self.daemon.error)) if text
            ]
            rows += [("gates shut", ", ".join(shut))] if shut else []
            rows += [("keeper", self.daemon.paused)] if self.daemon.paused else []
        if self.node is not None:
            version = (self.node.ogmios or {}).get("version")
            rows.append(("Ogmios", self.node.ogmios_error or version))
            if self.node.kupo or self.node.kupo_error:
                rows.append(("Kupo", self.node.kupo_error or (self.node.kupo or {}).get("version")))
        rows.append(("clock", f"{self.clock.now}: {self.clock.hint}"))
        return "\n".join(
            (table(("what", "found"), rows), "", "for a bug report: `indexer doctor --out FILE`, or --json")
        )

    @staticmethod
    def _database(found: DatabaseFound) -> list[tuple[str, object]]:
        place = found.sync_status or {}
        rows: list[tuple[str, object]] = [("database", found.path if found.there else f"there is none at {found.path}")]
        rows += [("cursor", f"slot {place['slot']}, {place['seconds_behind']} s behind the clock")] if place else []
        rows += [("pages", "; ".join(found.pages))] if found.pages is not None else []
        rows += [(f"not read: {what}", why) for what, why in found.errors.items()]
        rows += [(each.of, f"{each.state}: {each.error}") for each in found.recent_errors[:5]]
        return rows
