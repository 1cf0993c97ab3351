"""The `zhengwu` command: every sub-command in one table. Holds no logic."""

import typer

from zhengwu.agents.qa.path import CitizenQA
from zhengwu.cli import ask, data, evals, gateway, kb, keys, models, pool, stack, worker
from zhengwu.gateway.parts import Ground

app = typer.Typer(
    name="zhengwu", help="政务人工智能中台", no_args_is_help=True, pretty_exceptions_enable=False
)


def make_asker(ground: Ground) -> CitizenQA:
    """The citizen's answer path on what the gateway stands on."""
    return CitizenQA(ground.engine, ground.knowledge, ground.chat, ground.chat_model)


for group in (data.app, evals.app, kb.app, keys.app, models.app, pool.app):
    app.add_typer(group)
for command in (ask, stack, worker):
    command.register(app)
gateway.register(app, make_asker)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
