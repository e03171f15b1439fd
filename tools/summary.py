#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Counts what the test programs reported.

summary.py REPORT           one report (GoogleTest JSON or JUnit XML): "N passed, N failed, N skipped"
summary.py --final FOLDER   all reports of a run; names failures and skips, and fails on skips that
                            tests/expected_skips does not list
"""
import json
import pathlib
import sys
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[1]


def gtest_results(path):
    for suite in json.loads(path.read_text())["testsuites"]:
        for test in suite["testsuite"]:
            name = f"{suite['name']}.{test['name']}"
            state = "failed" if test.get("failures") else "passed"
            if test.get("result") in ("SKIPPED", "SUPPRESSED") or test.get("status") == "NOTRUN":
                state = "skipped" if test.get("status") == "RUN" else "disabled"
            yield name, state


def junit_results(path):
    for case in xml.parse(path).getroot().iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        kinds = {child.tag for child in case}
        yield name, "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"


def results(path):
    return list(gtest_results(path) if path.suffix == ".json" else junit_results(path))


def count(found):
    states = [state for _, state in found]
    return f"{states.count('passed')} passed, {states.count('failed')} failed, {states.count('skipped')} skipped"


def final(folder):
    found = []
    for path in sorted(folder.glob("*.json")) + sorted(folder.glob("*.xml")):
        found += [(f"{path.stem}: {name}", state) for name, state in results(path)]
    for path in sorted(folder.glob("*.broken")):
        found.append((f"{path.stem}: {path.read_text().strip()}", "failed"))
    found += [(f"fuzz: {name}", "passed") for name in (folder / "fuzz.passed").read_text().split()]
    expected = {line.split("#")[0].strip() for line in (ROOT / "tests/expected_skips").read_text().splitlines()}
    for index, (name, state) in enumerate(found):
        if state == "skipped" and name.split(": ", 1)[1] not in expected:
            print(f"SKIPPED but not in tests/expected_skips: {name}")
            found[index] = (name, "failed")
    for name, state in found:
        if state in ("failed", "skipped"):
            print(f"{state.upper()}: {name}")
    print(count(found))
    passed = sum(state == "passed" for _, state in found)
    failed = sum(state == "failed" for _, state in found)
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--final":
        sys.exit(final(pathlib.Path(sys.argv[2])))
    if len(sys.argv) == 2:
        print(count(results(pathlib.Path(sys.argv[1]))))
        sys.exit(0)
    sys.exit(__doc__)
