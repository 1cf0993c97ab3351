"""Turn a GGUF file into a Hugging Face folder, which vLLM and training read.

`python -m zhengwu.serving.convert FILE.gguf FOLDER`. Needs the extra `torch`. The weights are what
the quantisation left of them: the folder is as exact as the GGUF, not as the original.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from zhengwu.serving.errors import EngineMissing, SpecError


def convert(gguf: Path, folder: Path) -> Path:
    """Write `folder` from `gguf`, all or nothing; a finished folder is left as it is.

    Raises:
        SpecError: the file is missing or is not a model.
        EngineMissing: torch, transformers or gguf is not installed.
    """
    if (folder / "config.json").is_file():
        return folder
    if not gguf.is_file():
        raise SpecError(f"没有 GGUF 文件 {gguf}，请先运行 zhengwu models pull。")
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        _write(gguf, part)
    except ImportError as error:
        raise EngineMissing(f"转换需要 zhengwu[torch]，缺少 {error.name}。") from error
    except (ValueError, KeyError, OSError) as error:
        raise SpecError(f"{gguf} 不能转换：{error}。") from error
    part.rename(folder)
    return folder


def _write(gguf: Path, folder: Path) -> None:
    import torch  # pyright: ignore[reportMissingImports]
    from transformers import (  # pyright: ignore[reportMissingImports]
        AutoModelForCausalLM,
        AutoTokenizer,
    )

    source: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
    AutoTokenizer.from_pretrained(str(gguf.parent), **source).save_pretrained(folder)
    model = cast(
        Any,
        AutoModelForCausalLM.from_pretrained(str(gguf.parent), dtype=torch.float16, **source),
    )
    # Read as de-quantised, yet still marked as GGUF; saved so, nothing could load it again.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder, safe_serialization=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Convert one file."""
    parser = argparse.ArgumentParser(prog="python -m zhengwu.serving.convert")
    parser.add_argument("gguf", type=Path)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args(argv)
    print(convert(given.gguf, given.folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
