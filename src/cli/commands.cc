// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

#include "cli/commands/handlers.h"

#include <algorithm>

#include <fmt/format.h>

namespace volplugin::cli {
namespace {

constexpr Flag kUploadFlags[] = {
    {.name = "file",
     .value = "FILE",
     .help = "read the policy from FILE; - is standard input",
     .letter = 'f'},
};
constexpr Flag kCreateFlags[] = {
    {.name = "opt",
     .value = "KEY=VALUE",
     .help = "set an option that differs from the policy; may be given again for other keys",
     .repeatable = true},
    {.name = "node", .value = "NODE", .help = "make a host-local volume on this node"},
};
constexpr Flag kAdoptFlags[] = {
    {.name = "opt",
     .value = "KEY=VALUE",
     .help = "set an option that differs from the policy; may be given again for other keys",
     .repeatable = true},
    {.name = "layout",
     .value = "LAYOUT",
     .help = "containers get the directory 'data' of the file system (data), or all of it (root)"},
    {.name = "yes",
     .value = "",
     .help = "yes, no other volplugin has the volume that the image belongs to",
     .letter = 'y'},
};
constexpr Flag kYesFlags[] = {
    {.name = "yes", .value = "", .help = "yes, the holder certainly does not write any more", .letter = 'y'},
};

constexpr Flag kTakeFlags[] = {
    {.name = "name", .value = "NAME", .help = "what to call the snapshot (else after the time)"},
};

constexpr Flag kEventsFlags[] = {
    {.name = "after", .value = "REVISION", .help = "begin behind this revision, if volmaster still knows it"},
};

constexpr Flag kGlobalFlags[] = {
    {.name = "master",
     .value = "ADDRESS",
     .help = "volmaster at HOST:PORT or unix:///PATH (else $VOLPLUGIN_MASTER); may be given again for others",
     .alias = "volmaster",
     .repeatable = true},
    {.name = "etcd",
     .value = "URL",
     .help = "work on the records in etcd, without a volmaster: http://HOST:PORT or https://HOST:PORT; "
             "may be given again for other members",
     .repeatable = true},
    {.name = "prefix", .value = "PREFIX", .help = "with --etcd: where the records are (/volplugin)"},
    {.name = "etcd-cacert",
     .value = "FILE",
     .help = "with --etcd: CA of the members' certificates (the system's)"},
    {.name = "etcd-cert", .value = "FILE", .help = "with --etcd: certificate to show to etcd"},
    {.name = "etcd-key", .value = "FILE", .help = "with --etcd: key of --etcd-cert"},
    {.name = "etcd-user", .value = "NAME", .help = "with --etcd: user of etcd"},
    {.name = "etcd-password-file",
     .value = "FILE",
     .help = "with --etcd: file whose first line is the password of --etcd-user"},
    {.name = "output",
     .value = "FORMAT",
     .help = "lists as table, json or name (table on a terminal, else name)",
     .letter = 'o'},
    {.name = "timeout", .value = "SECONDS", .help = "give up after this time (120)"},
    {.name = "quiet", .value = "", .help = "no confirmations and no progress", .letter = 'q'},
    {.name = "help", .value = "", .help = "show the help of the command", .letter = 'h'},
    {.name = "version", .value = "", .help = "show the version of volcli"},
};

constexpr Group kGroups[] = {
    {"tenant", "policies, which say what volumes a tenant gets"},
    {"volume", "make, show and remove volumes"},
    {"snapshot", "keep what a volume holds at one moment"},
    {"mount", "which node has which volume mounted"},
    {"node", "hosts that run volplugin"},
    {"operation", "changes that are under way or did not end"},
    {"completion", "scripts that complete commands in a shell"},
};

constexpr Command kCommands[] = {
    {"tenant", "upload", "store the policy of a tenant",
     "The policy is a JSON document on standard input, 1 MiB at most. A policy that is stored already is\n"
     "replaced; volumes made before keep the options they were made with.",
     "volcli tenant upload tenant1 < policy.json", Argument::tenant, kUploadFlags, tenant_upload},
    {"tenant",
     "delete",
     "remove a tenant's policy",
     "The tenant's volumes and mounts stay as they are.",
     "volcli tenant delete tenant1",
     Argument::tenant,
     {},
     tenant_delete},
    {"tenant",
     "get",
     "print a tenant's policy as JSON",
     "The document can be uploaded again. With -o json it also tells the name and the revision.",
     "volcli tenant get tenant1 > policy.json",
     Argument::tenant,
     {},
     tenant_get},
    {"tenant",
     "list",
     "list the tenants that have a policy",
     "",
     "volcli tenant list",
     Argument::none,
     {},
     tenant_list},

    {"volume", "create", "make a volume by the policy of its tenant",
     "Prints the volume's name. A volume that exists with the same options is left alone, which is not an\n"
     "error. The keys of --opt are backend, pool, size (a bare number is MiB), filesystem, ephemeral,\n"
     "snapshots, snapshots.frequency, snapshots.keep, mount-wait, takeover, node (where a host-local volume "
     "is made),\n"
     "rate-limit.read.bps, rate-limit.read.iops, rate-limit.write.bps and rate-limit.write.iops; what is "
     "not\n"
     "said comes from the policy.",
     "volcli volume create tenant1/test --opt size=2GB --opt ephemeral=true", Argument::volume, kCreateFlags,
     volume_create, Needs::volmaster},
    {"volume", "adopt", "make a volume of an image that exists",
     "The image is called TENANT.VOLUME in the pool of the policy, or in that of --opt pool=POOL; one of\n"
     "another name is renamed first (rbd rename). Its data is not touched: size and file system are the\n"
     "image's. All other options are as in 'volume create'. Containers get the whole file system of an "
     "image\n"
     "that somebody else made, and the directory 'data' of one that volplugin made, if --layout does not "
     "say\n"
     "otherwise. Refused for an image that holds no file system, that a client has open, and, without "
     "--yes,\n"
     "that belongs to a volume which volmaster does not know. Only the backend ceph can.",
     "volcli volume adopt tenant1/test --opt pool=rbd", Argument::volume, kAdoptFlags, volume_adopt,
     Needs::volmaster},
    {"volume",
     "get",
     "print a volume's configuration and state as JSON",
     "",
     "volcli volume get tenant1/test",
     Argument::volume,
     {},
     volume_get},
    {"volume",
     "list",
     "list the volumes of one tenant",
     "",
     "volcli volume list tenant1",
     Argument::tenant,
     {},
     volume_list},
    {"volume",
     "list-all",
     "list the volumes of all tenants",
     "",
     "volcli volume list-all -o table",
     Argument::none,
     {},
     volume_list_all},
    {"volume",
     "remove",
     "remove a volume and its data",
     "Refused while the volume is mounted on any node. The data cannot be brought back, and the snapshots "
     "of\n"
     "the volume go with it.",
     "volcli volume remove tenant1/test",
     Argument::volume,
     {},
     volume_remove,
     Needs::volmaster},
    {"volume",
     "force-remove",
     "remove the record of a volume, not its data",
     "For records whose storage is gone or has to be kept: nothing but the record is touched, so data that\n"
     "exists stays in its pool and has to be removed there by hand.",
     "volcli volume force-remove tenant1/test",
     Argument::volume,
     {},
     volume_force_remove},

    {"snapshot", "take", "keep what a volume holds now",
     "Prints the name of the snapshot, TENANT/VOLUME/SNAPSHOT. It holds what a power cut at this moment "
     "would\n"
     "leave, also while containers use the volume: what they have not written out is not in it (sync "
     "first).\n"
     "Only the backend ceph can, and there not while a kernel has the volume mapped (krbd).",
     "volcli snapshot take tenant1/test --name before-upgrade", Argument::volume, kTakeFlags, snapshot_take,
     Needs::volmaster},
    {"snapshot",
     "get",
     "print what is known of a snapshot as JSON",
     "",
     "volcli snapshot get tenant1/test/before-upgrade",
     Argument::snapshot,
     {},
     snapshot_get},
    {"snapshot",
     "list",
     "list the snapshots of one volume",
     "",
     "volcli snapshot list tenant1/test",
     Argument::volume,
     {},
     snapshot_list},
    {"snapshot",
     "list-all",
     "list the snapshots of all volumes",
     "",
     "volcli snapshot list-all -o table",
     Argument::none,
     {},
     snapshot_list_all},
    {"snapshot",
     "remove",
     "remove a snapshot; the volume stays",
     "Refused while a clone stands on it. What only the snapshot held cannot be brought back.",
     "volcli snapshot remove tenant1/test/before-upgrade",
     Argument::snapshot,
     {},
     snapshot_remove,
     Needs::volmaster},

    {"mount",
     "list",
     "list the mounts of all nodes",
     "",
     "volcli mount list -o table",
     Argument::none,
     {},
     mount_list},
    {"mount",
     "get",
     "print who has a volume mounted, as JSON",
     "",
     "volcli mount get tenant1/test",
     Argument::mount,
     {},
     mount_get},
    {"mount", "force-remove", "remove the record of a mount, without unmounting",
     "For a node that is lost for good. Nothing is unmounted: a holder that still runs goes on writing, and\n"
     "a second node that mounts the volume then damages its filesystem. Asks first on a terminal; without\n"
     "--yes it is refused while the holder is not known to be dead. A mount that was made since is left "
     "alone.",
     "volcli mount force-remove tenant1/test --yes", Argument::mount, kYesFlags, mount_force_remove},

    {"node",
     "list",
     "list the nodes and whether they are connected",
     "",
     "volcli node list -o table",
     Argument::none,
     {},
     node_list},
    {"node",
     "get",
     "print what is known of a node as JSON",
     "",
     "volcli node get host1",
     Argument::node,
     {},
     node_get},

    {"operation",
     "list",
     "list changes that are under way or failed",
     "",
     "volcli operation list -o table",
     Argument::none,
     {},
     operation_list},
    {"operation",
     "get",
     "print a change that is under way or failed as JSON",
     "An operation that has ended is not found: nothing is kept of it.",
     "volcli operation get 5a1c6b0f2d3e4a59",
     Argument::operation,
     {},
     operation_get},

    {"completion",
     "bash",
     "print the completion script for bash",
     "",
     "source <(volcli completion bash)",
     Argument::none,
     {},
     completion_bash,
     Needs::nothing},

    {"", "events", "print what changes, as it happens",
     "One line for each record that is made, changed or erased: the revision of the store, the kind of the\n"
     "record, what happened (put or erase), its name, and its phase and node if it has them. A line with\n"
     "reset stands where nobody knows what changed before: at the beginning, and after volmaster lost track\n"
     "of its store; list the records then. With -o json each line is an object, with the whole record.\n"
     "Goes on until it is interrupted. When the stream is lost it ends with exit code 5, and --after with\n"
     "the last revision goes on from there. --timeout is for the beginning only.",
     "volcli events -o json", Argument::none, kEventsFlags, events, Needs::volmaster},
    {"",
     "version",
     "print the versions of volcli and of volmaster",
     "Succeeds without volmaster too, and then says why it gave no answer.",
     "volcli version",
     Argument::none,
     {},
     version,
     Needs::volmaster},
    {"",
     "health",
     "tell whether volmaster and its store work",
     "Exit code 5 when they do not.",
     "volcli health",
     Argument::none,
     {},
     health,
     Needs::volmaster},
};

}  // namespace

std::span<const Command> commands() {
  return kCommands;
}
std::span<const Group> groups() {
  return kGroups;
}
std::span<const Flag> global_flags() {
  return kGlobalFlags;
}

const Command* find_command(std::string_view group, std::string_view name) {
  const auto* const found = std::ranges::find_if(
      kCommands, [&](const Command& command) { return command.group == group && command.name == name; });
  return found == std::end(kCommands) ? nullptr : found;
}

const Group* find_group(std::string_view name) {
  const auto* const found = std::ranges::find(kGroups, name, &Group::name);
  return found == std::end(kGroups) ? nullptr : found;
}

std::string Command::path() const {
  return group.empty() ? std::string(name) : fmt::format("{} {}", group, name);
}

std::string Command::usage() const {
  std::string text = "volcli " + path();
  if (argument != Argument::none) text += fmt::format(" {}", argument_name(argument));
  for (const Flag& flag : flags) {
    text += fmt::format(" [--{}{}{}]", flag.name, flag.value.empty() ? "" : " ", flag.value);
    if (flag.repeatable) text += "...";
  }
  return text;
}

}  // namespace volplugin::cli
