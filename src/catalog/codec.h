// SPDX-License-Identifier: Apache-2.0
// How each kind of record lies in the store: its folder, its name there and its JSON.
#pragma once

#include "model/records.h"

#include <string>

namespace volplugin::catalog {

template <class T>
struct Codec;  // kFolder, name_of(record), encode(record), decode(name, text)

template <>
struct Codec<model::Tenant> {
  static constexpr const char* kFolder = "tenants/";
  static std::string name_of(const model::Tenant& tenant) { return tenant.name.str(); }
  static std::string encode(const model::Tenant& tenant);
  static Result<model::Tenant> decode(const std::string& name, const std::string& text);
};

template <>
struct Codec<model::Volume> {
  static constexpr const char* kFolder = "volumes/";
  static std::string name_of(const model::Volume& volume) { return volume.id.name(); }
  static std::string encode(const model::Volume& volume);
  static Result<model::Volume> decode(const std::string& name, const std::string& text);
};

template <>
struct Codec<model::Mount> {
  static constexpr const char* kFolder = "mounts/";
  static std::string name_of(const model::Mount& mount) { return mount.volume.name(); }
  static std::string encode(const model::Mount& mount);
  static Result<model::Mount> decode(const std::string& name, const std::string& text);
};

template <>
struct Codec<model::Session> {
  static constexpr const char* kFolder = "sessions/";
  static std::string name_of(const model::Session& session) { return session.node.str(); }
  static std::string encode(const model::Session& session);
  static Result<model::Session> decode(const std::string& name, const std::string& text);
};

template <>
struct Codec<model::Worker> {
  static constexpr const char* kFolder = "workers/";
  static std::string name_of(const model::Worker& worker) { return worker.name; }
  static std::string encode(const model::Worker& worker);
  static Result<model::Worker> decode(const std::string& name, const std::string& text);
};

template <>
struct Codec<model::Node> {
  static constexpr const char* kFolder = "nodes/";
  static std::string name_of(const model::Node& node) { return node.name.str(); }
  static std::string encode(const model::Node& node);
  static Result<model::Node> decode(const std::string& name, const std::string& text);
};

template <>
struct Codec<model::Snapshot> {
  static constexpr const char* kFolder = "snapshots/";
  static std::string name_of(const model::Snapshot& snapshot) { return snapshot.id.text(); }
  static std::string encode(const model::Snapshot& snapshot);
  static Result<model::Snapshot> decode(const std::string& name, const std::string& text);
};

// What a record knows only when it is stored: the revision that made a mount is its fencing number.
template <class T>
void settle(T&, std::uint64_t) {}
inline void settle(model::Mount& mount, std::uint64_t revision) {
  if (mount.fencing == 0) mount.fencing = revision;
}

// The text of Versioned. Kept for volumes only: of those there are lists of a hundred thousand, which take
// half the time with it. Costs about 0.6 KiB for each (docs/performance.md).
template <class T>
std::string text_to_keep(const T&, std::uint64_t) {
  return {};
}
std::string text_to_keep(const model::Volume& volume, std::uint64_t revision);

// Whether nobody has to do anything about it. Those that are not are few, and a table knows them.
template <class T>
bool is_at_rest(const T&) {
  return true;
}
inline bool is_at_rest(const model::Volume& volume) {
  return volume.phase == model::Phase::ready;
}
inline bool is_at_rest(const model::Snapshot& snapshot) {
  return snapshot.phase == model::SnapshotPhase::ready;
}
inline bool is_at_rest(const model::Mount& mount) {
  return mount.phase == model::MountPhase::mounted;
}

}  // namespace volplugin::catalog
