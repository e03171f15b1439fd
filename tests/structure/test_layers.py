# SPDX-License-Identifier: Apache-2.0
"""The structure ARCHITECTURE.md promises, read from the real #include lines."""
import pathlib
import re

import pytest

SRC = pathlib.Path(__file__).resolve().parents[2] / "src"

# A folder may include itself and folders of a strictly lower level.
LEVELS = {
    "base": 0,
    "model": 1, "os": 1, "http": 1, "kv": 1, "json": 1,
    "service": 2, "backend": 2,
    "wire": 3, "executor": 3,
    "catalog": 4,
    "control": 5, "client": 5,
    "rest": 6, "node": 6,
    "dockerplugin": 7, "cli": 7, "daemon": 8, "lvmvd": 8,
    "cmd": 9,
}

# Third-party headers and the only folders that may include them.
LIBRARIES = {
    r"boost/": {"http"},
    r"curl/": {"http"},
    r"openssl/": {"http"},
    r"sqlite3\.h": {"kv"},
    r"grpc(pp)?/|google/protobuf|etcd/": {"kv"},  # etcd/: generated from api/etcd
    r"nlohmann/": {"json"},
    r"CLI/": {"cli", "daemon"},
    r"spdlog/": {"daemon"},
    r"libmount|blkid/|systemd/": {"os"},
    r"uuid/": {"os"},
    r"(rados|rbd)/lib": {"backend"},  # only in the module: see test_the_ceph_module_stands_apart
}

# Modules inside one folder that must not know each other.
APART = {("kv/memory", "kv/sqlite"), ("kv/memory", "kv/etcd"), ("kv/sqlite", "kv/etcd"),
         ("backend/loop", "backend/sim"),
         ("backend/loop", "backend/lvm"), ("backend/lvm", "backend/sim"),
         ("backend/rbd", "backend/loop"), ("backend/rbd", "backend/lvm"), ("backend/rbd", "backend/sim")}

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)


def sources():
    return [p for p in SRC.rglob("*") if p.suffix in (".h", ".cc")]


def production():
    return [p for p in sources() if not p.name.endswith(("_test.cc", "_for_test.h"))]


def includes(path):
    return INCLUDE.findall(path.read_text())


def test_every_folder_has_a_level():
    assert {p.relative_to(SRC).parts[0] for p in sources()} <= set(LEVELS)


@pytest.mark.parametrize("folder", sorted(LEVELS))
def test_includes_point_downwards(folder):
    wrong = []
    for path in (SRC / folder).rglob("*"):
        if path.suffix not in (".h", ".cc") or path.name.endswith("_test.cc"):
            continue
        for quote, target in includes(path):
            other = target.split("/")[0]
            if quote == '"' and other != folder and LEVELS.get(other, 99) >= LEVELS[folder]:
                wrong.append(f"{path.relative_to(SRC)} includes {target}")
    assert not wrong


def test_the_ceph_module_stands_apart():
    """Programs run on hosts without Ceph: what includes its headers is loaded only where it is needed."""
    module = SRC / "backend/rbd/module"
    for path in production():
        for _, target in includes(path):
            if target.startswith(("rados/lib", "rbd/lib")):
                assert path.parent == module, path
            if target.startswith("backend/rbd/module/"):
                assert path.parent == module, path


def test_includes_are_written_from_src():
    for path in production():
        for quote, target in includes(path):
            assert quote == "<" or (SRC / target).exists(), f"{path}: {target}"


def test_each_library_has_one_home():
    wrong = []
    for path in production():
        folder = path.relative_to(SRC).parts[0]
        for quote, target in includes(path):
            for library, homes in LIBRARIES.items():
                if quote == "<" and re.match(library, target) and folder not in homes:
                    wrong.append(f"{path.relative_to(SRC)} includes <{target}>")
    assert not wrong


def test_implementations_of_one_port_do_not_know_each_other():
    wrong = []
    for one, two in APART | {(b, a) for a, b in APART}:
        for path in (SRC / one).rglob("*"):
            if path.suffix in (".h", ".cc"):
                wrong += [f"{path.relative_to(SRC)}: {t}" for _, t in includes(path) if t.startswith(f"{two}/")]
    assert not wrong


def test_only_the_registry_knows_backends_by_name():
    wrong = [f"{p.relative_to(SRC)}: {t}" for p in production() for _, t in includes(p)
             if re.match(r"backend/(loop|rbd|sim)/", t) and p.relative_to(SRC).parts[0] == "backend"
             and p.parent.name not in ("loop", "lvm", "rbd", "module", "sim") and p.name != "registry.cc"]
    wrong += [f"{p.relative_to(SRC)}: {t}" for p in production() for _, t in includes(p)
              if re.match(r"backend/(loop|rbd|sim)/", t) and p.relative_to(SRC).parts[0] != "backend"]
    assert not wrong


def test_every_source_has_one_licence_line():
    for path in sources():
        text = path.read_text()
        assert text.startswith("// SPDX-License-Identifier: Apache-2.0\n"), path
        assert text.count("\n// SPDX-License-Identifier") == 0, path


def test_no_header_leaks_asio_or_json():
    for path in SRC.rglob("*.h"):
        if path.relative_to(SRC).parts[0] == "http":
            continue
        assert not [t for _, t in includes(path) if t.startswith(("boost/", "nlohmann/json.hpp"))], path


def test_only_the_etcd_store_sees_grpc():
    for path in sources():
        if path.relative_to(SRC).parts[:2] == ("kv", "etcd") and path.name != "etcd_store.h":
            continue
        assert not [t for _, t in includes(path) if t.startswith(("grpc", "etcd/"))], path
