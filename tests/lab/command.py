# SPDX-License-Identifier: Apache-2.0
"""The command line of tools/lab."""
import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import sys
import termios

from lab import accel, image, job, qemu
from lab.disk import Disk
from lab.errors import InfrastructureFailure
from lab.workspace import workspace
from support.daemons import BIN, ROOT

INFRASTRUCTURE = 125
PROGRAMS = "/opt/volplugin/bin"

_EXAMPLES = """\
examples:
  tools/lab build                               # the guest image; the other commands do it when needed
  echo 'uname -r; lsblk' | tools/lab run -
  tools/lab run --disk lab1:2G --payload build/bin:/opt/volplugin/bin script.sh
  tools/lab run --payload build/bin --timeout 60 - <<<'/payload/bin/unit_tests --gtest_filter=Loop*'
  tools/lab shell --disk lab1:10G               # ends with the shell
  tools/lab test -k power_cut                   # tests/lab, with options of pytest

The exit status of run is the script's, or 125 when the lab failed. A disk is /dev/disk/by-id/virtio-NAME in the
guest. VOLPLUGIN_LAB_CACHE is where images are kept (/var/cache/volplugin-lab), VOLPLUGIN_LAB_ACCEL is auto, kvm or
tcg. The packages it takes here: tools/install lab."""


def main(arguments):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is taken down
    if arguments[:1] == ["test"]:
        _test(arguments[1:])
    options = _parser().parse_args(arguments)
    try:
        return options.action(options)
    except InfrastructureFailure as failure:
        print(f"lab: {failure}", file=sys.stderr)
        return INFRASTRUCTURE
    except KeyboardInterrupt:
        return 130


def _parser():
    parser = argparse.ArgumentParser(prog="tools/lab", epilog=_EXAMPLES, description="Virtual machines for tests.",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(required=True, metavar="COMMAND")
    build = actions.add_parser("build", help="make the guest image if it is not there")
    build.set_defaults(action=_build)
    run = actions.add_parser("run", help="run a script in a fresh guest")
    run.add_argument("script", metavar="SCRIPT", help="a file, or - for standard input; bash unless it says otherwise")
    run.add_argument("--timeout", type=float, default=600, metavar="S", help="seconds, boot included (600)")
    run.set_defaults(action=_run)
    shell = actions.add_parser("shell", help=f"a shell in a fresh guest, with build/bin in {PROGRAMS}")
    shell.set_defaults(action=_shell)
    for parser_of_guest in (run, shell):
        _add_guest_options(parser_of_guest)
    actions.add_parser("test", help="the tests in tests/lab, with options of pytest")
    return parser


def _add_guest_options(parser):
    parser.add_argument("--mem", type=int, default=1024, metavar="MIB", help="memory (1024)")
    parser.add_argument("--cpus", type=int, default=2, metavar="N", help="processors (2)")
    parser.add_argument("--disk", action="append", default=[], type=_disk, metavar="NAME:SIZE",
                        help="an empty disk, for example lab1:2G; again for more")
    parser.add_argument("--payload", action="append", default=[], metavar="SOURCE[:DIRECTORY]",
                        help="a directory or tar file, read-only in the guest (in /payload/NAME); again for more")


def _disk(text):
    name, _, size = text.partition(":")
    return Disk(name, size or "1G")


def _hardware(options):
    why_not = qemu.why_not()
    if why_not:
        raise InfrastructureFailure(f"qemu cannot run here: {why_not}")
    return qemu.Hardware("lab", options.mem, options.cpus, options.disk)


def _payloads(options):
    payloads = {}
    for text in options.payload:
        source, _, target = text.partition(":")
        payloads[target or f"/payload/{pathlib.Path(source).resolve().name}"] = source
    for source in payloads.values():
        if not os.path.exists(source):
            raise InfrastructureFailure(f"payload {source} does not exist")
    return payloads


def _build(_):
    print(image.ensure().dir)
    return 0


def _run(options):
    with contextlib.ExitStack() as stack:
        source = sys.stdin.buffer if options.script == "-" else stack.enter_context(open(options.script, "rb"))
        script = source.read()
    return job.run_job(script, _hardware(options), _payloads(options), options.timeout)


def _shell(options):
    hardware, payloads = _hardware(options), _payloads(options)
    if BIN.is_dir():
        payloads.setdefault(PROGRAMS, BIN)
    used = image.ensure()
    acceleration = accel.choose(job.boots_with)
    with used.hold(), workspace() as directory, _terminal() as size:
        hardware.payloads = job.packed(payloads, directory)
        machine = qemu.Machine(directory, used, hardware, "shell", {}, acceleration=acceleration, extra=size)
        machine.start()
        try:
            machine.process.wait()
        finally:
            machine.kill()
    return 0


@contextlib.contextmanager
def _terminal():
    """Yields its size and type for the guest; it is as it was afterwards, also after qemu was killed."""
    columns, rows = shutil.get_terminal_size()
    known = {"TERM": os.environ.get("TERM", "linux"), "ROWS": rows, "COLUMNS": columns}
    if not sys.stdin.isatty():
        yield known
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        yield known
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _test(arguments):
    """Does not return."""
    os.chdir(ROOT)
    python = "/usr/bin/python3"
    os.execv(python, [python, "-m", "pytest", "-rs", "-p", "no:cacheprovider", "tests/lab", *arguments])
