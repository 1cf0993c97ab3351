"""Writes a small LoRA adapter in GGUF for Qwen2.5 0.5B, byte by byte.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import struct
from pathlib import Path

import numpy as np

ALIGNMENT, VERSION, F32, STRING, FLOAT = 32, 3, 0, 8, 6
WIDTH, RANK, BLOCKS = 896, 4, range(0, 24, 2)


def write_lora(path: Path, strength: float, seed: int = 0) -> Path:
    """An adapter of every second attention output; with `strength` 0 it changes nothing."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray] = {}
    for block in BLOCKS:
        name = f"blk.{block}.attn_output.weight"
        tensors[f"{name}.lora_a"] = rng.normal(size=(RANK, WIDTH)).astype("<f4")
        tensors[f"{name}.lora_b"] = (strength * rng.normal(size=(WIDTH, RANK))).astype("<f4")
    text = {"general.type": "adapter", "general.architecture": "qwen2", "adapter.type": "lora"}
    head = b"GGUF" + struct.pack("<IQQ", VERSION, len(tensors), len(text) + 1)
    for key, value in text.items():
        head += _string(key) + struct.pack("<I", STRING) + _string(value)
    head += _string("adapter.lora.alpha") + struct.pack("<If", FLOAT, float(RANK))
    offset = 0
    for name, values in tensors.items():
        sizes = values.shape[::-1]
        head += _string(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, F32, offset)
        offset += _padded(values.nbytes)
    data = b"".join(v.tobytes().ljust(_padded(v.nbytes), b"\0") for v in tensors.values())
    path.write_bytes(head.ljust(_padded(len(head)), b"\0") + data)
    return path


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
