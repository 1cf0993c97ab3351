"""The `zhengwu` command: every sub-command in one table. Holds no logic."""

import typer

from zhengwu.cli import (
    ask,
    assistants,
    audit,
    bench,
    data,
    evals,
    gateway,
    kb,
    keys,
    models,
    pool,
    stack,
    tenants,
    usage,
    users,
    worker,
)

app = typer.Typer(
    name="zhengwu", help="政务人工智能中台", no_args_is_help=True, pretty_exceptions_enable=False
)

GROUPS = (
    assistants.app,
    audit.app,
    bench.app,
    data.app,
    evals.app,
    kb.app,
    keys.app,
    models.app,
    pool.app,
    tenants.app,
    users.app,
)
for group in GROUPS:
    app.add_typer(group)
for command in (ask, gateway, stack, usage, worker):
    command.register(app)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
