// SPDX-License-Identifier: Apache-2.0
#include "node/journal.h"

#include "os/file.h"
#include "os/mount.h"
#include "wire/records.h"

#include <filesystem>

namespace volplugin::node {
namespace {

constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kFileMode = 0600;
constexpr std::string_view kSuffix = ".json";
constexpr std::string_view kEngineFile = ".engine.json";  // no volume file: names begin with no dot

std::string encode(const std::string& boot_id, const JournalEntry& entry) {
  json::Writer writer;
  writer.begin_object().field("boot-id", boot_id).key("volume");
  wire::write(writer, entry.volume);
  writer.key("uses").begin_array();
  for (const auto& use : entry.uses) {
    writer.begin_object().field("id", use.id.str()).field("count", use.count).field("engine", use.engine);
    writer.field("since", format_rfc3339(use.since)).end_object();
  }
  writer.end_array().field("claim", entry.claim).field("session", entry.session);
  writer.field("fenced", entry.fenced).end_object();
  return writer.take();
}

// nullopt: of an earlier boot.
Result<std::optional<JournalEntry>> decode(const std::string& boot_id, const std::string& text) {
  auto object = TRY(json::Object::open(TRY(json::Value::parse(text, "journal"))));
  if (TRY(object.string("boot-id")) != boot_id) return std::optional<JournalEntry>();
  JournalEntry entry{TRY(wire::parse_volume(TRY(object.get("volume")))).value, {}};
  for (const auto& item : TRY(TRY(object.get("uses")).as_array())) {
    auto use = TRY(json::Object::open(item));
    entry.uses.push_back({TRY(model::MountIdTag::parse(TRY(use.string("id")))),
                          static_cast<std::uint32_t>(TRY(use.uint("count"))), TRY(use.uint("engine")),
                          TRY(parse_rfc3339(TRY(use.string("since"))))});
    TRY(use.finish());
  }
  entry.claim = TRY(object.string_or("claim", ""));
  entry.session = TRY(object.string_or("session", ""));
  entry.fenced = TRY(object.boolean_or("fenced", false));
  TRY(object.finish());
  return std::optional<JournalEntry>(std::move(entry));
}

}  // namespace

Result<std::unique_ptr<Journal>> Journal::open(const std::string& dir, const std::string& boot_id,
                                               std::vector<std::string>& problems) {
  TRY(os::ensure_directory(dir, kDirectoryMode));
  std::unique_ptr<Journal> journal(new Journal(dir, boot_id));
  TRY(journal->load(problems));
  return journal;
}

Result<> Journal::load(std::vector<std::string>& problems) {
  std::error_code failed;
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(dir_, failed))
    names.push_back(file.path().filename());
  if (failed) return make_error(Code::unavailable, fmt::format("listing {}: {}", dir_, failed.message()));
  for (const auto& name : names) {
    if (!name.ends_with(kSuffix)) continue;
    const auto loaded = load_file(name);
    if (loaded) continue;
    problems.push_back(fmt::format("{}/{}: {} (put aside)", dir_, name, loaded.error().message));
    std::filesystem::rename(dir_ + "/" + name, dir_ + "/" + name + ".bad", failed);
  }
  return {};
}

Result<> Journal::load_file(const std::string& name) {
  const std::string path = dir_ + "/" + name;
  const std::string text = TRY(os::read_file(path));
  if (name == kEngineFile) {
    auto object = TRY(json::Object::open(TRY(json::Value::parse(text, "engine"))));
    engine_ = TRY(object.uint("engine"));
    engine_identity_ = TRY(object.string("identity"));
    return {};
  }
  auto entry = TRY(decode(boot_id_, text));
  if (entry) {
    const std::string volume = entry->volume.id.name();
    entries_.emplace(volume, std::move(*entry));
  } else {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }
  return {};
}

std::string Journal::file_of(const model::VolumeId& id) const {
  return fmt::format("{}/{}{}", dir_, id.image(), kSuffix);
}

std::optional<JournalEntry> Journal::find(const model::VolumeId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id.name());
  if (found == entries_.end()) return std::nullopt;
  return found->second;
}

std::vector<JournalEntry> Journal::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<JournalEntry> copy;
  for (const auto& [name, entry] : entries_) copy.push_back(entry);
  return copy;
}

Result<> Journal::put(JournalEntry entry) {
  const std::string path = file_of(entry.volume.id);
  const std::string text = encode(boot_id_, entry);
  {
    const std::lock_guard lock(mutex_);
    const std::string name = entry.volume.id.name();
    entries_.insert_or_assign(name, std::move(entry));
  }
  return os::write_file_atomically(path, text, kFileMode, os::Durability::none);
}

Result<> Journal::erase(const model::VolumeId& id) {
  {
    const std::lock_guard lock(mutex_);
    entries_.erase(id.name());
  }
  std::error_code failed;
  std::filesystem::remove(file_of(id), failed);
  if (failed)
    return make_error(Code::internal, fmt::format("removing {}: {}", file_of(id), failed.message()));
  return {};
}

std::uint64_t Journal::engine() const {
  const std::lock_guard lock(mutex_);
  return engine_;
}

Result<> Journal::engine_activated(const std::string& identity) {
  const std::lock_guard lock(mutex_);
  if (identity == engine_identity_) return {};
  engine_identity_ = identity;
  ++engine_;
  json::Writer writer;
  writer.begin_object().field("engine", engine_).field("identity", identity).end_object();
  return os::write_file_atomically(fmt::format("{}/{}", dir_, kEngineFile), writer.text(), kFileMode,
                                   os::Durability::none);
}

}  // namespace volplugin::node
