# SPDX-License-Identifier: Apache-2.0
"""The life of one volume through the Docker socket, without Docker."""
from support.daemons import wait_until


def test_create_mount_write_unmount_remount_remove(volplugin):
    assert volplugin.docker("VolumeDriver.Create", {"Name": "tenant1/test", "Opts": {}}) == {"Err": ""}
    answer = volplugin.docker("VolumeDriver.Mount", {"Name": "tenant1/test", "ID": "a"})
    assert answer["Err"] == ""
    path = answer["Mountpoint"]
    with open(path + "/file", "w") as out:
        out.write("kept")
    assert volplugin.docker("VolumeDriver.Unmount", {"Name": "tenant1/test", "ID": "a"}) == {"Err": ""}
    wait_until(lambda: not volplugin.devices(), "the device is gone")
    assert volplugin.mounted() == []
    assert volplugin.docker("VolumeDriver.Mount", {"Name": "tenant1/test", "ID": "b"})["Err"] == ""
    assert open(path + "/file").read() == "kept"
    status, _, problem = volplugin.api("DELETE", "/v1/volumes/tenant1/test")
    assert status == 409 and "container mount b" in problem["detail"]
    volplugin.docker("VolumeDriver.Unmount", {"Name": "tenant1/test", "ID": "b"})
    assert volplugin.api("DELETE", "/v1/volumes/tenant1/test")[0] == 204
    assert volplugin.images() == [] and volplugin.volumes() == []
