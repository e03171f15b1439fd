# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in the lab. Nothing here is ever a passed test."""


class InfrastructureFailure(Exception):
    """The lab failed, not what it runs: no image, no qemu, a guest that panicked, hangs or does not answer."""


class CommandFailed(AssertionError):
    """A command in a guest ended with another status than 0, or a program or file is not there."""


class CommandTimeout(AssertionError):
    """A command in a guest ran into its deadline; its process group was killed."""
