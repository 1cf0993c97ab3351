"""`zhengwu pool status`. No logic: it shows what each engine says of itself."""

import typer

app = typer.Typer(name="pool", help="模型池", no_args_is_help=True)


@app.callback()
def pool() -> None:
    """The pool of engines."""
