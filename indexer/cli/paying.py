"""The options of commands that spend, declared once, and what all these commands begin and end with."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from indexer.cli.loading import load
from indexer.cli.told import AsJson, Result, tell, told_apart

if TYPE_CHECKING:
    from indexer.cli.spending import Means
    from indexer.config import Config

SigningKeys = Annotated[
    list[Path] | None,
    typer.Option(
        "--signing-key",
        metavar="FILE",
        help="Who pays and signs; further ones sign too. Default: the key of [keeper].",
        show_default=False,
    ),
]
Payer = Annotated[
    str | None,
    typer.Option("--address", metavar="ADDRESS", help="Where the payer's coins lie; default: the first key's own."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Build and check the transaction; send nothing.")]
OutFile = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write the unsigned transaction for cold keys; `submit` sends it."),
]
Again = Annotated[bool, typer.Option("--again", help="Also where it was done before.")]


@dataclass(frozen=True)
class Paying:
    """What the command line says of who pays, and of how far to go."""

    signing_key: list[Path] | None
    address: str | None
    yes: bool
    dry_run: bool
    out: Path | None
    as_json: bool

    def means(self, config: "Config", *, required: bool = True) -> "Means":
        """Who pays, with keys read: where nobody is named and somebody is required, the keeper of the configuration.

        Raises what `spending.means_of` raises.
        """
        from indexer.cli.spending import means_of

        keys = tuple(self.signing_key or ())
        if required and not keys and self.address is None and config.keeper.signing_key is not None:
            keys = (config.keeper.signing_key,)
        return means_of(
            config,
            keys,
            self.address,
            yes=self.yes,
            dry_run=self.dry_run,
            out=self.out,
            as_json=self.as_json,
        )


def _options(
    signing_key: SigningKeys = None,
    address: Payer = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    out: OutFile = None,
    as_json: AsJson = False,
) -> None:
    """The options behind the fields of `Paying`."""


_OPTIONS: Final = inspect.signature(_options).parameters


def spends(command: Callable[..., Result]) -> Callable[..., None]:
    """A command for typer, of a function that takes `config`, `paying` and its own arguments, and returns its answer.

    The options of who pays come behind its own; one that it declares itself, it explains itself, and is told in both
    ways. The configuration is read, the answer is told, and errors that we foresaw end in a sentence and a hint.
    """
    own = {name: each for name, each in inspect.signature(command).parameters.items() if each.annotation is not Paying}
    del own["config"]

    def run(context: typer.Context, **given: Any) -> None:
        paying = Paying(**{name: given[name] for name in _OPTIONS})
        with told_apart(paying.as_json):
            tell(command(load(context), paying, **{name: given[name] for name in own}), paying.as_json)

    parameters = {"context": inspect.signature(run).parameters["context"], **own}
    parameters |= {name: each for name, each in _OPTIONS.items() if name not in own}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    # Typer asks for nothing else of a function.
    run.__annotations__ = {name: each.annotation for name, each in parameters.items()}
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters.values()]
    )
    return run
