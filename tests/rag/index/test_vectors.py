"""Vector segments: whole or invisible, never changed, merged without the dead."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as run
from hypothesis import strategies as st

from zhengwu.rag.errors import BrokenIndex
from zhengwu.rag.index.vectors import VectorReader, Vectors, merge_segments, write_segment

SRC = Path(__file__).resolve().parents[3] / "src"


def units(count: int, seed: int = 0) -> Vectors:
    found = np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_the_nearest_come_first_across_segments(tmp_path: Path) -> None:
    vectors = units(40)
    names = [
        write_segment(tmp_path, range(n, n + 10), vectors[n : n + 10]) for n in range(0, 40, 10)
    ]
    reader = VectorReader(tmp_path, names)
    assert len(reader) == 40
    hits = reader.search(vectors[23], 7)
    exact = np.argsort(-(vectors @ vectors[23]))[:7]
    assert [hit.chunk for hit in hits] == exact.tolist()
    assert hits[0].cosine == pytest.approx(1.0, abs=1e-5)


def test_fewer_vectors_than_asked_for(tmp_path: Path) -> None:
    reader = VectorReader(tmp_path, [write_segment(tmp_path, [7], units(1))])
    assert [hit.chunk for hit in reader.search(units(1)[0], 50)] == [7]
    assert VectorReader(tmp_path, []).search(units(1)[0], 5) == []
    assert len(VectorReader(tmp_path, [])) == 0


def test_cosines_of_chosen_chunks(tmp_path: Path) -> None:
    vectors = units(6)
    names = [
        write_segment(tmp_path, [1, 2, 3], vectors[:3]),
        write_segment(tmp_path, [4, 5, 6], vectors[3:]),
    ]
    found = VectorReader(tmp_path, names).cosines(vectors[0], [1, 5, 99])
    assert found.keys() == {1, 5}
    assert found[1] == pytest.approx(1.0, abs=1e-5)
    assert found[5] == pytest.approx(float(vectors[4] @ vectors[0]), abs=1e-5)


@given(
    st.lists(st.sets(st.integers(1, 10**12), max_size=8), min_size=1, max_size=4),
    st.sets(st.integers(0, 30)),
)
@run(max_examples=25)
def test_merging_keeps_exactly_the_live(
    tmp_path_factory: pytest.TempPathFactory, groups: list[set[int]], dead_places: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("segments")
    everything = sorted(set[int]().union(*groups))
    vectors = {chunk: units(1, seed=chunk % 2**31)[0] for chunk in everything}
    seen: set[int] = set()
    names: list[str] = []
    for group in groups:
        fresh = sorted(group - seen)
        seen |= group
        rows = np.stack([vectors[c] for c in fresh]) if fresh else np.zeros((0, 16), np.float32)
        names.append(write_segment(folder, fresh, rows))
    live = frozenset(c for place, c in enumerate(everything) if place not in dead_places)
    merged = VectorReader(folder, [merge_segments(folder, names, live)])
    assert len(merged) == len(live)
    for chunk in live:
        assert merged.cosines(vectors[chunk], [chunk])[chunk] == pytest.approx(1.0, abs=1e-5)
    assert len(VectorReader(folder, names)) == len(everything), "old files stay for their readers"


def test_a_file_removed_under_a_reader_changes_nothing(tmp_path: Path) -> None:
    name = write_segment(tmp_path, range(100), units(100))
    reader = VectorReader(tmp_path, [name])
    (tmp_path / name).unlink()
    assert reader.search(units(100)[42], 1)[0].chunk == 42


def test_a_missing_or_broken_file_names_the_remedy(tmp_path: Path) -> None:
    name = write_segment(tmp_path, [1], units(1))
    (tmp_path / name).write_bytes(b"half")
    for broken in (name, "gone.faiss"):
        with pytest.raises(BrokenIndex, match=f"{broken}.*kb ingest"):
            VectorReader(tmp_path, [broken])


def test_a_killed_writer_leaves_no_visible_half(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nimport numpy as np\n"
        "from zhengwu.rag.index import vectors\n"
        "vectors.os.fsync = lambda fd: os.kill(os.getpid(), signal.SIGKILL)\n"
        "vectors.write_segment(Path(sys.argv[1]), [1], np.ones((1, 4), np.float32))\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env={"PYTHONPATH": str(SRC)}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 1, "the half file is there"
    assert list(tmp_path.glob("[!.]*.faiss")) == [], "under no name that a reader opens"


def test_threads_may_search_together(tmp_path: Path) -> None:
    vectors = units(500)
    reader = VectorReader(tmp_path, [write_segment(tmp_path, range(500), vectors)])

    def nearest(place: int) -> int:
        return reader.search(vectors[place], 1)[0].chunk

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(nearest, range(100))) == list(range(100))
