"""How the servers of a bench are started: commands, configuration and keys. Measures nothing."""

import json
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from zhengwu.eval.bench.gateway.processes import Started, cores, free_port, python, run, started
from zhengwu.eval.bench.gateway.rows import Key

COMMAND = "zhengwu.cli.app"
TOKENS_PER_SECOND = 5.0
WIDE = {
    "requests_per_minute": 10**9,
    "tokens_per_minute": 10**12,
    "concurrency": 10**6,
    "budget_day": 10**15,
    "budget_month": 10**15,
}
"""Limits that are counted and never reached."""
CREATE_KEY = (
    *("key", "create", "压测", "--json"),
    *(word for kind, most in WIDE.items() for word in ("--limit", f"{kind}={most}")),
)
LITELLM_KEY = "sk-bench"
LITELLM = """\
model_list:
  - model_name: chat
    litellm_params:
      model: openai/bench
      api_base: http://127.0.0.1:{port}/v1
      api_key: none
general_settings:
  master_key: sk-bench
litellm_settings:
  telemetry: false
"""


@dataclass(frozen=True)
class Peers:
    """Servers that are up. `key` is ours; `home` is where our gateway keeps its data."""

    upstream: Started
    bare: Started
    ours: Started
    litellm: Started | None
    key: Key
    home: Path

    def environment(self) -> dict[str, str]:
        """The variables that our commands need to see the same home."""
        return _environment(self.home, self.ours.port, self.upstream.port)


@contextmanager
def peers(folder: Path, litellm: Path | None) -> Generator[Peers]:
    """Start all of them. The servers under test share one core and are measured in turn."""
    tested, around = cores()
    with ExitStack() as stack:

        def up(name: str, command: list[str], port: int, **environment: str) -> Started:
            on = around if name == "upstream" else tested
            log = folder / f"{name}.log"
            return stack.enter_context(started(name, command, port, on, log, environment))

        port = free_port()
        module = "zhengwu.eval.bench.gateway"
        upstream = up(
            "upstream", python(f"{module}.upstream", str(port), str(TOKENS_PER_SECOND)), port
        )
        base = f"http://127.0.0.1:{port}"
        port = free_port()
        bare = up("bare", python(f"{module}.bare", str(port), base), port)
        home, port = folder / "home", free_port()
        environment = _environment(home, port, upstream.port)
        made = json.loads(run(python(COMMAND, *CREATE_KEY), around, environment))
        key = Key(made["key"], made["id"])
        ours = up("ours", python(COMMAND, "gateway"), port, **environment)
        other = None
        if litellm:
            other = _litellm(stack, folder, litellm, upstream.port, tested)
        yield Peers(upstream, bare, ours, other, key, home)


def _litellm(
    stack: ExitStack, folder: Path, interpreter: Path, upstream: int, on: set[int]
) -> Started:
    """LiteLLM's proxy from its own environment: one worker, no database, no telemetry."""
    path, port = folder / "litellm.yaml", free_port()
    path.write_text(LITELLM.format(port=upstream), encoding="utf-8")
    script = interpreter.absolute().parent / "litellm"
    command = [str(interpreter), str(script), "--config", str(path), "--port", str(port)]
    command += ["--host", "127.0.0.1", "--num_workers", "1"]
    environment = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    return stack.enter_context(
        started("litellm", command, port, on, folder / "litellm.log", environment)
    )


def _environment(home: Path, port: int, pool: int) -> dict[str, str]:
    return {
        "ZHENGWU_HOME": str(home),
        "ZHENGWU_GATEWAY_PORT": str(port),
        "ZHENGWU_POOL_PORT": str(pool),
    }
