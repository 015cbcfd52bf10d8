"""What every command prints with. Text from a data set may hold escape sequences."""

import typer

from labelaudit.errors import LabelAuditError


def printable(text: str) -> str:
    """Return the text with everything that could steer a terminal made visible as �."""
    return "".join(character if character.isprintable() else "�" for character in text)


def say(text: str) -> None:
    """Print one line of a command's result."""
    typer.echo(printable(text))


def note(text: str) -> None:
    """Print one line about how it goes; results on stdout stay clean."""
    typer.echo(printable(text), err=True)


def show_error(error: LabelAuditError) -> None:
    """Print what went wrong and what to do."""
    line = f"error: {printable(error.detail)} ({printable(error.code)})"
    typer.secho(line, fg="red", err=True)
    if error.hint:
        typer.echo(f"  {printable(error.hint)}", err=True)
