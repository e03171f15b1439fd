// SPDX-License-Identifier: Apache-2.0
#include "backend/rbd/rbd_backend.h"

#include "backend/pool_name.h"
#include "backend/rbd/kernel_mapper.h"
#include "backend/rbd/rbd_calls.h"
#include "backend/rbd/userspace_mapper.h"
#include "json/reader.h"

#include <algorithm>
#include <filesystem>

namespace volplugin::backend {
namespace {

constexpr Bytes kUnit = Bytes::mib(1);  // as `rbd create --size` counts
constexpr Millis kModprobeTimeout{10'000};

std::unique_ptr<ImageMapper> choose_mapper(const Clock& clock, const RbdConfig& config,
                                           const CephLinks& links) {
  const Op op(clock, kModprobeTimeout, make_request_id(), "start");
  const bool kernel = config.attach == RbdAttach::kernel ||
                      (config.attach == RbdAttach::automatic && KernelMapper::available(op));
  if (kernel) return std::make_unique<KernelMapper>(links, config.exclusive);
  return std::make_unique<UserspaceMapper>(links);
}

// A quota is no part of what Ceph says is available.
Result<PoolInfo> space_of(const std::string& pool, json::Object stats) {
  const std::uint64_t stored = TRY(stats.uint_or("stored", 0)), objects = TRY(stats.uint_or("objects", 0));
  const std::uint64_t most = TRY(stats.uint_or("quota_bytes", 0));
  const std::uint64_t most_objects = TRY(stats.uint_or("quota_objects", 0));
  std::uint64_t available = TRY(stats.uint_or("max_avail", 0));
  if (stored + available == 0) return PoolInfo{pool, {}, {}};
  if (most > 0) available = std::min(available, most - std::min(most, stored));
  if (most_objects > 0 && objects >= most_objects) available = 0;
  return PoolInfo{pool, Bytes{stored + available}, Bytes{available}};
}

}  // namespace

RbdBackend::RbdBackend(RbdConfig config, std::unique_ptr<CephLinks> links,
                       std::unique_ptr<ImageMapper> mapper)
    : traits_{.name = "ceph",
              .scope = Scope::cluster,
              .min_size = kUnit,
              .granularity = kUnit,
              .snapshots = true},
      config_(std::move(config)),
      links_(std::move(links)),
      mapper_(std::move(mapper)) {}

Result<std::unique_ptr<RbdBackend>> RbdBackend::open(const Clock& clock, RbdConfig config) {
  for (const auto& [pool, unused] : config.pools) TRY(check_pool_name(pool));
  auto links = TRY(CephLinks::open(config.ceph, config.pools));
  auto mapper = choose_mapper(clock, config, *links);
  return std::unique_ptr<RbdBackend>(new RbdBackend(std::move(config), std::move(links), std::move(mapper)));
}

Result<> RbdBackend::validate_pool(const std::string& pool) const {
  return check_pool_name(pool);
}

Result<> RbdBackend::check_key(const ImageKey& key) const {
  TRY(check_pool_name(key.pool));
  TRY(check_image_name(key.image));
  if (key.uid.empty() || key.uid.find(' ') != key.uid.npos)
    return make_error(Code::invalid_argument, "an image needs the uid of its volume, without spaces");
  return {};
}

Result<ImageNotes> RbdBackend::read_notes(const Work& work) {
  auto images = parse_notes(TRY(work.ceph.notes(work.key.pool, note::all_of(work.key.image))));
  return std::move(images[work.key.image]);
}

// Whatever the note was: only this host writes notes of that name, or it grows (fenced).
Result<> RbdBackend::set_note(const Work& work, const std::string& name, const std::string& value) {
  for (;;) {
    TRY(work.op.check("noting"));
    const auto known = TRY(work.ceph.notes(work.key.pool, name));
    const auto is = known.find(name);
    if (is != known.end() && is->second == value) return {};
    if (TRY(work.ceph.replace_note(work.key.pool, name, is == known.end() ? "" : is->second, value)))
      return {};
  }
}

Result<EnsureOutcome> RbdBackend::ensure(const Op& op, const ImageKey& key, Bytes size) {
  if (size.count > std::uint64_t(INT64_MAX) - kUnit.count)
    return make_error(Code::invalid_argument, fmt::format("no image can have {} bytes", size.count));
  const Bytes rounded = round_up(std::max(size, kUnit), kUnit);
  return run_connected(op, key, "making an image",
                       [rounded](const Work& work) { return ensure_image(work, rounded); });
}

Result<Removed> RbdBackend::remove(const Op& op, const ImageKey& key) {
  return run_connected(op, key, "removing an image", [this](const Work& work) { return remove_image(work); });
}

Result<std::optional<ImageInfo>> RbdBackend::inspect(const Op& op, const ImageKey& key) {
  return run_connected(op, key, "inspecting an image", [](const Work& work) { return inspect_image(work); });
}

Result<std::vector<ImageInfo>> RbdBackend::list(const Op& op, const std::string& pool) {
  TRY(check_pool_name(pool));
  return calls_.run(op, "listing images", [this, op, pool]() -> Result<std::vector<ImageInfo>> {
    const auto ceph = TRY(links_->to(pool));
    const auto noted = parse_notes(TRY(ceph->notes(pool, "")));
    std::vector<ImageInfo> images;
    for (const auto& name : TRY(ceph->image_names(pool))) {
      const auto notes = noted.find(name);
      if (notes == noted.end() || !notes->second.owner) continue;
      TRY_CTX(op.check("listing images"), "pool '{}'", pool);
      const auto found = TRY(ceph->find_image(pool, name));
      if (found && found->id == notes->second.owner->image_id)
        images.push_back({name, notes->second.owner->uid, found->size, Bytes{}});
    }
    return images;
  });
}

// How full a pool is the monitors know from a manager daemon: without one it is all zero.
Result<PoolInfo> RbdBackend::pool_info(CephConnection& ceph, const std::string& pool) {
  TRY(ceph.check_pool(pool));
  const std::string said = TRY(ceph.monitor_command(R"({"prefix":"df","detail":"detail","format":"json"})"));
  auto all = TRY(json::Object::open(TRY(json::Value::parse(said, "ceph df"))));
  for (const auto& value : TRY(TRY(all.get("pools")).as_array())) {
    auto entry = TRY(json::Object::open(value));
    if (TRY(entry.string("name")) != pool) continue;
    return space_of(pool, TRY(json::Object::open(TRY(entry.get("stats")))));
  }
  return PoolInfo{pool, {}, {}};
}

Result<PoolInfo> RbdBackend::inspect_pool(const Op& op, const std::string& pool) {
  TRY(check_pool_name(pool));
  return calls_.run(op, "inspecting a pool",
                    [this, pool]() -> Result<PoolInfo> { return pool_info(*TRY(links_->to(pool)), pool); });
}

Result<std::unique_ptr<Attachment>> RbdBackend::attach(const Op& op, const ImageKey& key) {
  return run_connected(op, key, "attaching", [this](const Work& work) { return attach_image(work); });
}

Result<std::unique_ptr<Attachment>> RbdBackend::attached_here(const Op& op, const ImageKey& key) {
  return run(op, key, "looking for a device",
             [this](const Op& its_op, const ImageKey& image) { return find_attachment(its_op, image); });
}

Result<> RbdBackend::detach(const Op& op, const ImageKey& key, std::unique_ptr<Attachment> attachment) {
  return run(op, key, "detaching",
             [this, held = std::move(attachment)](const Op& its_op, const ImageKey& image) mutable {
               return detach_image(its_op, image, std::move(held));
             });
}

Result<> RbdBackend::fence(const Op& op, const ImageKey& key, const std::string& host) {
  return run_connected(op, key, "fencing", [host](const Work& work) { return fence_host(work, host); });
}

Result<> RbdBackend::lift(const Op& op, const ImageKey& key, const std::string& host) {
  return run_connected(op, key, "lifting a fence",
                       [host](const Work& work) { return lift_host(work, host); });
}

Result<FoundImage> RbdBackend::find_image(const Op& op, const ImageKey& key) {
  return run_connected(op, key, "looking for an image", [](const Work& work) -> Result<FoundImage> {
    const auto found = TRY(look_at(work));
    const auto& owner = found.notes.owner;
    if (found.noted_as.empty()) return FoundImage{found.image.id, found.image.size, "", false};
    return FoundImage{found.image.id, found.image.size, owner->uid, !owner->found};
  });
}

Result<std::string> RbdBackend::read(const Op& op, const ImageKey& key, Bytes offset, Bytes length) {
  return run_connected(op, key, "reading an image", [offset, length](const Work& work) {
    return work.ceph.read(work.key.pool, work.key.image, offset, length);
  });
}

Result<> RbdBackend::adopt(const Op& op, const ImageKey& key, const FoundImage& found) {
  return run_connected(op, key, "adopting an image",
                       [found](const Work& work) { return adopt_image(work, found); });
}

Result<> RbdBackend::release(const Op& op, const ImageKey& key) {
  return run_connected(op, key, "releasing an image", [](const Work& work) { return release_image(work); });
}

}  // namespace volplugin::backend
