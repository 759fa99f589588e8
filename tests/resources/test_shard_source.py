"""Shards come from folders, the Hub and stores; each lists them, fetches whole files, and fails in words."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.errors import ResourceError
from resources.shard_source import (
    InvalidShardKey,
    Shard,
    ShardSourceError,
    ShardSourceResource,
    open_source,
    shard_key,
    shard_keys,
    validate_shard_key,
)
from tests.support.hub_server import HubServer, running_hub

FIRST, SECOND = "1" * 40, "2" * 40
LARGE = bytes(range(256)) * 400
FILES = {
    "README.md": b"# data",
    "data/CC-MAIN-2024-10/000_00000.parquet": LARGE,
    "data/CC-MAIN-2024-10/001_00000.parquet": b"small",
    "data/CC-MAIN-2024-18/000_00000.parquet": LARGE + b"more",
    "data/.hidden/x.parquet": b"hidden",
    "sample/x.jsonl.gz": b"gz",
}


# -- keys ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("data/CC-MAIN-2024-10/000_00000.parquet", "CC-MAIN-2024-10.000_00000"),
        ("CC-MAIN-2024-10/000_00000.jsonl.zst", "CC-MAIN-2024-10.000_00000"),
        ("data.parquet", "data"),
        ("data/data/x.json.gz", "data.x"),
    ],
)
def test_a_key_is_the_path_in_short(path: str, key: str) -> None:
    assert shard_key(path) == key


def test_what_had_to_be_replaced_leaves_a_digest() -> None:
    keys = [
        shard_key(path) for path in ("a b.jsonl", "a_b.jsonl", "a?b.jsonl", "ä.jsonl", "all.jsonl", "x" * 300)
    ]
    assert keys[1] == "a_b"
    assert all(re.search(r"-[0-9a-f]{10}$", key) for place, key in enumerate(keys) if place != 1)
    assert len(set(keys)) == len(keys)


def test_alike_keys_all_get_a_digest_of_their_path() -> None:
    paths = ["data/x.parquet", "x.parquet", "X.jsonl", "y.parquet"]
    keys = shard_keys(paths)
    assert keys["y.parquet"] == "y"
    assert "x" not in {key.casefold() for key in keys.values()}
    assert shard_keys(reversed(paths)) == keys


@given(st.lists(st.text(st.characters(), max_size=250), unique=True, max_size=20))
def test_law_keys_are_valid_unique_and_deterministic(paths: list[str]) -> None:
    keys = shard_keys(paths)
    assert all(validate_shard_key(key) == key for key in keys.values())
    assert all(validate_shard_key(shard_key(path)) for path in paths)
    assert len({key.casefold() for key in keys.values()}) == len(paths)
    assert shard_keys(reversed(paths)) == keys


@pytest.mark.parametrize(
    "key", ["", "a/b", "../a", ".a", "a..b", "-a", "a b", "a\n", "ä", "ALL", "x" * 201, "a."]
)
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidShardKey):
        validate_shard_key(key)
    with pytest.raises(InvalidShardKey):
        Shard(key, "file:///x", 1, "r")


# -- folders ---------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "shards"
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def test_a_folder_lists_its_shards_in_depth_and_uses_them_in_place(folder: Path, tmp_path: Path) -> None:
    for source in (
        open_source(str(folder)),
        open_source(folder.as_uri()),
        open_source("sample", sample_folder=folder),
    ):
        shards = source.list_shards()
        assert [shard.key for shard in shards] == [
            "CC-MAIN-2024-10.000_00000", "CC-MAIN-2024-10.001_00000", "CC-MAIN-2024-18.000_00000", "sample.x",
        ]  # fmt: skip
        assert shards[0].bytes == len(LARGE)
        assert (
            source.fetch(shards[0], tmp_path / "cache") == folder / "data/CC-MAIN-2024-10/000_00000.parquet"
        )
        assert not (tmp_path / "cache").exists()
        assert source.pinned_revision is None


def test_a_single_file_is_a_source(folder: Path, tmp_path: Path) -> None:
    source = open_source(str(folder / "sample/x.jsonl.gz"))
    [shard] = source.list_shards()
    assert shard.key == "x"
    assert source.fetch(shard, tmp_path).read_bytes() == b"gz"


def test_links_out_of_the_folder_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir(), root.mkdir()
    (outside / "secret.parquet").write_bytes(b"secret")
    (root / "out.parquet").symlink_to(outside / "secret.parquet")
    (root / "outfolder").symlink_to(outside)
    (root / "broken.parquet").symlink_to(root / "nowhere.parquet")
    (root / ".hidden.parquet").write_bytes(b"x")
    with pytest.raises(ShardSourceError, match="1 links lead out of it"):
        open_source(str(root)).list_shards()
    (root / "a.parquet").write_bytes(b"x")
    (root / "b.parquet").symlink_to(root / "a.parquet")
    assert [shard.key for shard in open_source(str(root)).list_shards()] == ["a", "b"]


def test_a_changed_or_removed_file_is_noticed(folder: Path, tmp_path: Path) -> None:
    path = folder / "sample/x.jsonl.gz"
    source = open_source(str(path))
    [before] = source.list_shards()
    path.write_bytes(b"GZ")
    os.utime(path, ns=(1, 1))
    [after] = source.list_shards()
    assert before.revision != after.revision and before.key == after.key
    with pytest.raises(ShardSourceError, match="changed"):
        source.fetch(before, tmp_path)
    path.unlink()
    with pytest.raises(ShardSourceError, match="gone"):
        source.fetch(after, tmp_path)


# -- the Hub ---------------------------------------------------------------------------------------------


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    from huggingface_hub import constants
    from huggingface_hub.utils import reset_sessions

    # The client reads these once, on import; tests at large run offline.
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    reset_sessions()
    server = HubServer(
        "owner/web",
        {FIRST: FILES, SECOND: FILES | {"new.jsonl": b"{}"}},
        {"main": FIRST, "refs/pr/1": SECOND},
    )
    with running_hub(server):
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server
    reset_sessions()


def test_the_hub_lists_page_by_page_at_a_pinned_commit(hub: HubServer, tmp_path: Path) -> None:
    source = open_source("hf://datasets/owner/web")
    shards = source.list_shards()
    assert [shard.key for shard in shards] == [
        "CC-MAIN-2024-10.000_00000", "CC-MAIN-2024-10.001_00000", "CC-MAIN-2024-18.000_00000", "sample.x",
    ]  # fmt: skip
    assert shards[0].uri == f"hf://datasets/owner/web@{FIRST}/data/CC-MAIN-2024-10/000_00000.parquet"
    assert shards[0].bytes == len(LARGE)
    assert sum("cursor" in path for _, path, _, _ in hub.requests) > 2
    hub.branches["main"] = SECOND
    assert source.list_shards() == shards and source.pinned_revision == FIRST
    later = open_source("hf://datasets/owner/web")
    assert later.pinned_revision == SECOND
    moved = {shard.key: shard.revision for shard in later.list_shards()}
    assert all(moved[shard.key] == shard.revision for shard in shards), (
        "the same content has the same revision"
    )
    assert [source.fetch(shard, tmp_path).read_bytes() for shard in shards] == [
        LARGE, b"small", LARGE + b"more", b"gz",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "revision", "keys"),
    [
        ("hf://datasets/owner/web/data/CC-MAIN-2024-18", None, ["CC-MAIN-2024-18.000_00000"]),
        ("hf://datasets/owner/web/sample/x.jsonl.gz", None, ["sample.x"]),
        (f"hf://datasets/owner/web@{SECOND}/new.jsonl", None, ["new"]),
        ("hf://datasets/owner/web@refs/pr/1/new.jsonl", None, ["new"]),
        ("hf://datasets/owner/web@refs%2Fpr%2F1/new.jsonl", None, ["new"]),
        ("hf://datasets/owner/web/new.jsonl", "refs/pr/1", ["new"]),
    ],
)
def test_a_revision_and_a_path_can_be_named(
    spec: str, revision: str | None, keys: list[str], hub: HubServer
) -> None:
    assert [shard.key for shard in open_source(spec, revision=revision).list_shards()] == keys


@pytest.mark.parametrize("large_from", [10, 1_000_000], ids=["redirected", "direct"])
def test_a_broken_download_is_resumed_where_it_broke(
    large_from: int, hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    # The client keeps whole chunks of what came.
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    hub.large_from = large_from
    source = open_source("hf://datasets/owner/web")
    shard = source.list_shards()[0]
    hub.cut_after = 30_000
    with pytest.raises(ShardSourceError, match="run again; what was downloaded is kept") as caught:
        source.fetch(shard, tmp_path)
    assert shard.key in str(caught.value)
    path = source.fetch(shard, tmp_path)
    assert path.read_bytes() == LARGE
    assert hub.ranges() == ["", "bytes=30000-"]
    assert source.fetch(shard, tmp_path) == path
    assert len(hub.ranges()) == 2, "what is there is not downloaded again"


def test_a_token_comes_from_the_environment_alone(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    (tmp_path / "token").write_text("hf_left_by_a_login")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    hub.gated = True
    source = open_source("hf://datasets/owner/web/sample")
    [shard] = source.list_shards()
    assert not any(authorization for *_, authorization in hub.requests)
    with pytest.raises(ShardSourceError, match="gated"):
        source.fetch(shard, tmp_path)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert open_source("hf://datasets/owner/web/sample").fetch(shard, tmp_path).read_bytes() == b"gz"
    assert hub.requests[-1][-1] == "Bearer hf_secret"


def test_offline_mode_is_named(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants
    from huggingface_hub.utils import reset_sessions

    online = open_source("hf://datasets/owner/web")
    first, second, *_ = online.list_shards()
    local = online.fetch(first, tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    reset_sessions()
    with pytest.raises(ShardSourceError, match="HF_HUB_OFFLINE is set: unset it"):
        open_source("hf://datasets/owner/web").list_shards()
    with pytest.raises(ShardSourceError, match="HF_HUB_OFFLINE is set: unset it"):
        online.fetch(second, tmp_path)
    assert online.fetch(first, tmp_path) == local, "what was fetched is still served"


def test_an_unreachable_hub_is_named(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [shard] = open_source("hf://datasets/owner/web/sample").list_shards()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    # The client waits longer and longer before it gives up.
    monkeypatch.setattr("time.sleep", lambda _: None)
    away = open_source("hf://datasets/owner/web")
    for attempt in (away.list_shards, lambda: away.fetch(shard, tmp_path)):
        with pytest.raises(ShardSourceError, match=r"cannot be reached: check the network and HF_ENDPOINT"):
            attempt()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("hf://datasets/owner/web@nowhere", "no such revision"),
        ("hf://datasets/owner/other", "does not exist or is private"),
        ("hf://datasets/owner/web/absent", "no such path"),
        ("hf://datasets/owner/web/absent.parquet", "holds no shard at 'absent.parquet'"),
        ("hf://datasets/owner/we b!", "not allow"),
        ("hf://datasets/web", "does not name a Hub data set"),
        ("hf://owner/web", "does not name a Hub data set"),
    ],
)
def test_what_the_hub_does_not_have_is_said_in_one_sentence(spec: str, message: str, hub: HubServer) -> None:
    with pytest.raises(ShardSourceError, match=message) as caught:
        open_source(spec).list_shards()
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


# -- object stores and other addresses -------------------------------------------------------------------


@pytest.fixture
def bucket() -> Iterator[str]:
    store = fsspec.filesystem("memory")
    for name, content in FILES.items():
        store.pipe(f"/bucket/web/{name}", content)
    yield "memory://bucket/web"
    store.rm("/bucket", recursive=True)


def test_a_store_is_listed_and_copied_into_the_cache(bucket: str, tmp_path: Path) -> None:
    source = open_source(bucket)
    shards = source.list_shards()
    assert [shard.key for shard in shards] == [
        "CC-MAIN-2024-10.000_00000", "CC-MAIN-2024-10.001_00000", "CC-MAIN-2024-18.000_00000", "sample.x",
    ]  # fmt: skip
    path = source.fetch(shards[0], tmp_path)
    assert path.read_bytes() == LARGE and path.is_relative_to(tmp_path) and path.suffix == ".parquet"
    assert source.fetch(shards[3], tmp_path).name.endswith(".jsonl.gz")
    assert not list(tmp_path.rglob("*.part"))
    [single] = open_source(f"{bucket}/sample/x.jsonl.gz").list_shards()
    assert single.key == "x" and single.bytes == 2


def test_a_broken_copy_is_continued_where_it_broke(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source(bucket)
    shard = source.list_shards()[0]
    store = fsspec.filesystem("memory")
    positions = []

    class Breaking:
        def __init__(self, file: object, fails: bool) -> None:
            self._file, self._fails = file, fails

        def __enter__(self) -> Breaking:
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

        def seek(self, position: int) -> None:
            positions.append(position)
            self._file.seek(position)

        def read(self, _: int) -> bytes:
            if self._fails and self._file.tell():
                raise ConnectionResetError("https://signed.example/?secret")
            return self._file.read(30_000)

    opened = type(store).open
    monkeypatch.setattr(
        type(store), "open", lambda self, *a, **k: Breaking(opened(self, *a, **k), not positions)
    )
    with pytest.raises(ShardSourceError, match="ConnectionResetError") as caught:
        source.fetch(shard, tmp_path)
    assert "secret" not in str(caught.value)
    positions.append(-1)
    assert source.fetch(shard, tmp_path).read_bytes() == LARGE
    assert positions == [-1, 30_000]


def test_a_changed_object_is_noticed(bucket: str, tmp_path: Path) -> None:
    source = open_source(bucket)
    before = source.list_shards()[3]
    fsspec.filesystem("memory").pipe("/bucket/web/sample/x.jsonl.gz", b"changed")
    with pytest.raises(ShardSourceError, match="changed"):
        source.fetch(before, tmp_path)
    after = source.list_shards()[3]
    assert after.revision != before.revision
    assert source.fetch(after, tmp_path).read_bytes() == b"changed"


def test_a_signed_http_address_is_fetched_and_never_shown(hub: HubServer, tmp_path: Path) -> None:
    path = "datasets/owner/web/resolve/main/data/CC-MAIN-2024-10/001_00000.parquet"
    source = open_source(f"{hub.url}/{path}?signature=secret")
    [shard] = source.list_shards()
    assert shard.key == "001_00000" and shard.uri == f"{hub.url}/{path}" and shard.bytes == 5
    assert source.fetch(shard, tmp_path).read_bytes() == b"small"
    assert all("signature=secret" in asked for _, asked, _, _ in hub.requests)
    with pytest.raises(ShardSourceError, match=r"absent\.parquet does not exist") as caught:
        open_source(f"{hub.url}/absent.parquet?signature=secret").list_shards()
    assert "secret" not in str(caught.value)


# -- what cannot be opened -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "empty"),
        ("sample", "was not built"),
        ("no/such/folder", "There is no file or folder"),
        ("memory://nothing/here", "does not exist|holds no shard"),
        ("nosuch://bucket/x", "no address that fsspec knows|not installed"),
        ("s3://bucket/x", r"pip install .*s3fs"),
        ("filecache::memory://bucket", "chains several stores"),
    ],
)
def test_a_spec_that_names_nothing_is_refused_with_the_remedy(spec: str, message: str) -> None:
    with pytest.raises(ShardSourceError, match=message) as caught:
        open_source(spec).list_shards()
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ResourceError)


def test_a_folder_or_file_without_documents_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    for spec in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(ShardSourceError, match=r"must end in|names end in"):
            open_source(str(spec)).list_shards()


def test_a_revision_is_for_the_hub_alone_and_given_once(folder: Path) -> None:
    with pytest.raises(ShardSourceError, match="has no revisions"):
        open_source(str(folder), revision="main")
    with pytest.raises(ShardSourceError, match="give only one"):
        open_source("hf://datasets/owner/web@main", revision="other")


# -- the Dagster resource --------------------------------------------------------------------------------


def test_the_resource_lists_finds_and_fetches(bucket: str, tmp_path: Path) -> None:
    resource = ShardSourceResource(source=bucket, cache_dir=str(tmp_path / "cache"), max_shards=2)
    shards = resource.list_shards()
    assert [shard.key for shard in shards] == ["CC-MAIN-2024-10.000_00000", "CC-MAIN-2024-10.001_00000"]
    assert resource.fetch(shards[1]).read_bytes() == b"small"
    assert resource.shard("sample.x").bytes == 2, "a partition outlives a smaller max_shards"
    with pytest.raises(ShardSourceError, match="has no shard gone"):
        resource.shard("gone")
    with pytest.raises(InvalidShardKey):
        resource.shard("../gone")


def test_the_resource_looks_a_revision_up_once(hub: HubServer, tmp_path: Path) -> None:
    resource = ShardSourceResource(source="hf://datasets/owner/web", cache_dir=str(tmp_path))
    assert resource.pinned_revision() == FIRST
    hub.branches["main"] = SECOND
    assert resource.fetch(resource.shard("sample.x")).read_bytes() == b"gz"
    assert resource.pinned_revision() == FIRST


def test_the_resource_fetches_from_where_a_shard_was_found(bucket: str, folder: Path, tmp_path: Path) -> None:
    now = ShardSourceResource(source=str(folder), cache_dir=str(tmp_path / "cache"))
    [shard] = open_source(f"{bucket}/sample/x.jsonl.gz").list_shards()
    renamed = Shard("x-of-the-bucket", shard.uri, shard.bytes, shard.revision)
    assert now.at(f"{bucket}/sample/x.jsonl.gz").fetch(renamed).read_bytes() == b"gz"
    assert now.at(str(folder)) is now


def test_every_field_of_the_resource_is_described() -> None:
    assert all(field.description for field in ShardSourceResource.model_fields.values())
