# SPDX-License-Identifier: Apache-2.0
"""A cluster on one machine: hosts with a network, an engine and the product, over one etcd. See docs/testing.md.

    cluster.py    Cluster: all of it together, made and removed as a whole
    hosts.py      ClusterHost: namespaces, dockerd, volplugin, perhaps volmaster
    caller.py     Caller: what a host's engine asks volplugin for, asked from inside the host
    etcd.py       EtcdMember: one member of etcd in a network namespace of its own
    network.py    Switch and Port: the private network; cutting and slowing one port. delay.py is its relay
    history.py    History: every call with start, end and outcome
    workload.py   Workload: threads that create, mount, write, unmount and remove
    checker.py    what has to be true of a history and of the cluster afterwards
    faults.py     FAULTS: the table of faults
"""
