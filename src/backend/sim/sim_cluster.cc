// SPDX-License-Identifier: Apache-2.0
#include "backend/sim/sim_cluster.h"

#include <algorithm>

namespace volplugin::backend {
namespace {

constexpr Bytes kMinSize = Bytes::mib(1);
constexpr Bytes kGranularity{4096};

std::string name_of(const ImageKey& key) {
  return fmt::format("'{}/{}'", key.pool, key.image);
}

Error foreign(const ImageKey& key, Code code) {
  return make_error(code, fmt::format("image {} belongs to somebody else", name_of(key)));
}

}  // namespace

class SimCluster::Held final : public Attachment {
 public:
  Held(std::shared_ptr<SimCluster> cluster, DeviceKey key, unsigned long serial)
      : cluster_(std::move(cluster)), key_(std::move(key)), serial_(serial) {}
  ~Held() override { cluster_->let_go(key_, serial_, Grip::hold); }
  const std::string& device() const override { return key_.device; }

 private:
  const std::shared_ptr<SimCluster> cluster_;
  const DeviceKey key_;
  const unsigned long serial_;
};

class SimCluster::Used final : public Use {
 public:
  Used(std::shared_ptr<SimCluster> cluster, DeviceKey key, unsigned long serial)
      : cluster_(std::move(cluster)), key_(std::move(key)), serial_(serial) {}
  ~Used() override { cluster_->let_go(key_, serial_, Grip::use); }

 private:
  const std::shared_ptr<SimCluster> cluster_;
  const DeviceKey key_;
  const unsigned long serial_;
};

SimCluster::Place SimCluster::place_of(const std::string& host, const ImageKey& key) const {
  return {scope_ == Scope::cluster ? "" : host, key.pool, key.image};
}

std::map<SimCluster::DeviceKey, SimCluster::Device>::iterator SimCluster::device_of(const std::string& host,
                                                                                    const Place& place) {
  return std::ranges::find_if(
      devices_, [&](const auto& entry) { return entry.first.host == host && entry.second.place == place; });
}

std::vector<std::string> SimCluster::hosts_showing(const Place& place) const {
  std::vector<std::string> hosts;
  for (const auto& [key, device] : devices_)
    if (device.place == place) hosts.push_back(key.host);
  return hosts;
}

std::unique_ptr<Attachment> SimCluster::hold_locked(const DeviceKey& key, Device& device) {
  ++device.holds;
  return std::make_unique<Held>(shared_from_this(), key, device.serial);
}

void SimCluster::let_go(const DeviceKey& key, unsigned long serial, Grip grip) {
  const std::lock_guard guard(mutex_);
  const auto found = devices_.find(key);
  if (found == devices_.end() || found->second.serial != serial) return;  // the host crashed since
  --(grip == Grip::hold ? found->second.holds : found->second.uses);
  if (found->second.holds + found->second.uses == 0) devices_.erase(found);
}

Result<std::unique_ptr<SimCluster::Use>> SimCluster::use_device(const std::string& host,
                                                                const std::string& device) {
  const std::lock_guard guard(mutex_);
  const auto found = devices_.find({host, device});
  if (found == devices_.end())
    return make_error(Code::not_found, fmt::format("host '{}' has no device '{}'", host, device));
  ++found->second.uses;
  return std::unique_ptr<Use>(std::make_unique<Used>(shared_from_this(), found->first, found->second.serial));
}

void SimCluster::crash_host(const std::string& host) {
  const std::lock_guard guard(mutex_);
  std::erase_if(devices_, [&](const auto& entry) { return entry.first.host == host; });
}

void SimCluster::put_foreign(const std::string& host, const ImageKey& key, Bytes size, std::string content) {
  const std::lock_guard guard(mutex_);
  images_[place_of(host, key)] = Image{key.uid, size, true, next_serial_++, false, std::move(content)};
}

std::vector<std::string> SimCluster::attached_hosts(const std::string& host, const ImageKey& key) const {
  const std::lock_guard guard(mutex_);
  return hosts_showing(place_of(host, key));
}

PoolInfo SimCluster::pool_locked(const std::string& host, const std::string& pool) const {
  const Place where = place_of(host, {.pool = pool});
  Bytes taken;
  for (const auto& [place, image] : images_)
    if (place.host == where.host && place.pool == pool) taken.count += image.size.count;
  return {pool, pool_capacity_, Bytes{pool_capacity_.count - std::min(pool_capacity_.count, taken.count)}};
}

Result<EnsureOutcome> SimCluster::ensure(const std::string& host, const ImageKey& key, Bytes size) {
  if (size.count > std::uint64_t(INT64_MAX) - kGranularity.count)
    return make_error(Code::invalid_argument, fmt::format("no image can have {} bytes", size.count));
  const Bytes rounded = round_up(std::max(size, kMinSize), kGranularity);
  const std::lock_guard guard(mutex_);
  const Place place = place_of(host, key);
  if (const auto found = images_.find(place); found != images_.end()) {
    if (found->second.uid != key.uid || found->second.foreign) return foreign(key, Code::already_exists);
    if (found->second.size != rounded)
      return make_error(Code::already_exists,
                        fmt::format("image {} exists with {} bytes instead of {}", name_of(key),
                                    found->second.size.count, rounded.count));
    return EnsureOutcome{Ensured::already_there, rounded};
  }
  const PoolInfo info = pool_locked(host, key.pool);
  if (rounded > info.available)
    return make_error(Code::resource_exhausted, fmt::format("pool '{}' has {} bytes free, {} are needed",
                                                            key.pool, info.available.count, rounded.count));
  images_[place] = Image{key.uid, rounded, false, next_serial_++};
  return EnsureOutcome{Ensured::created, rounded};
}

Result<Removed> SimCluster::remove(const std::string& host, const ImageKey& key) {
  const std::lock_guard guard(mutex_);
  const auto found = images_.find(place_of(host, key));
  if (found == images_.end()) return Removed::already_gone;
  if (found->second.uid != key.uid || found->second.foreign) return foreign(key, Code::permission_denied);
  if (!hosts_showing(found->first).empty())
    return make_error(Code::busy, fmt::format("image {} is attached", name_of(key)));
  if (std::ranges::any_of(found->second.snapshots, &Snapshot::needed))
    return make_error(Code::busy, fmt::format("a snapshot of image {} has clones", name_of(key)));
  images_.erase(found);
  return Removed::removed;
}

std::optional<ImageInfo> SimCluster::inspect(const std::string& host, const ImageKey& key) const {
  const std::lock_guard guard(mutex_);
  const auto found = images_.find(place_of(host, key));
  if (found == images_.end()) return std::nullopt;
  return ImageInfo{key.image, found->second.uid, found->second.size, Bytes{}};
}

std::vector<ImageInfo> SimCluster::list(const std::string& host, const std::string& pool) const {
  const std::lock_guard guard(mutex_);
  const Place where = place_of(host, {.pool = pool});
  std::vector<ImageInfo> images;
  for (const auto& [place, image] : images_)
    if (place.host == where.host && place.pool == pool && !image.foreign)
      images.push_back({place.image, image.uid, image.size, Bytes{}});
  return images;
}

PoolInfo SimCluster::inspect_pool(const std::string& host, const std::string& pool) const {
  const std::lock_guard guard(mutex_);
  return pool_locked(host, pool);
}

Result<std::unique_ptr<Attachment>> SimCluster::attach(const std::string& host, const ImageKey& key) {
  const std::lock_guard guard(mutex_);
  const Place place = place_of(host, key);
  const auto image = images_.find(place);
  if (image == images_.end())
    return make_error(Code::not_found, fmt::format("image {} does not exist", name_of(key)));
  if (image->second.uid != key.uid || image->second.foreign) return foreign(key, Code::permission_denied);
  if (const auto present = device_of(host, place); present != devices_.end())
    return hold_locked(present->first, present->second);
  if (image->second.fenced.contains(host))
    return make_error(Code::permission_denied,
                      fmt::format("host '{}' is cut off from image {}", host, name_of(key)));
  // Like the kernel: names are used again.
  DeviceKey name{host, ""};
  for (int number = 0;; ++number) {
    name.device = fmt::format("/dev/sim{}", number);
    if (!devices_.contains(name)) break;
  }
  const auto made = devices_.emplace(name, Device{.place = place, .serial = next_serial_++}).first;
  return hold_locked(made->first, made->second);
}

std::unique_ptr<Attachment> SimCluster::attached_here(const std::string& host, const ImageKey& key) {
  const std::lock_guard guard(mutex_);
  const Place place = place_of(host, key);
  const auto image = images_.find(place);
  const auto present = device_of(host, place);
  if (image == images_.end() || image->second.uid != key.uid || present == devices_.end()) return nullptr;
  return hold_locked(present->first, present->second);
}

Result<> SimCluster::detach(const std::string& host, const ImageKey& key,
                            std::unique_ptr<Attachment> attachment) {
  attachment.reset();
  const std::lock_guard guard(mutex_);
  if (device_of(host, place_of(host, key)) == devices_.end()) return {};
  return make_error(Code::busy, fmt::format("the device of image {} is in use", name_of(key)));
}

Result<> SimCluster::fence(const ImageKey& key, const std::string& host) {
  const std::lock_guard guard(mutex_);
  const auto image = images_.find(place_of(host, key));
  if (image == images_.end() || image->second.uid != key.uid)
    return make_error(Code::not_found, fmt::format("image {} does not exist", name_of(key)));
  image->second.fenced.insert(host);
  return {};
}

Result<> SimCluster::lift(const ImageKey& key, const std::string& host) {
  const std::lock_guard guard(mutex_);
  const Place place = place_of(host, key);
  const auto image = images_.find(place);
  if (image == images_.end() || !image->second.fenced.contains(host)) return {};
  if (device_of(host, place) != devices_.end())
    return make_error(Code::busy, fmt::format("image {} is still attached on host '{}'", name_of(key), host));
  image->second.fenced.erase(host);
  return {};
}

Result<FoundImage> SimCluster::find_locked(const Place& place) const {
  const auto found = images_.find(place);
  if (found == images_.end())
    return make_error(Code::not_found, fmt::format("image '{}/{}' does not exist", place.pool, place.image));
  if (const auto hosts = hosts_showing(place); !hosts.empty())
    return make_error(Code::busy, fmt::format("image '{}/{}' is in use by host '{}'", place.pool, place.image,
                                              fmt::join(hosts, "', '")));
  const Image& image = found->second;
  return FoundImage{std::to_string(image.id), image.size, image.foreign ? "" : image.uid, image.made};
}

Result<FoundImage> SimCluster::find_image(const ImageKey& key) const {
  const std::lock_guard guard(mutex_);
  return find_locked(place_of("", key));
}

Result<std::string> SimCluster::read(const ImageKey& key, Bytes offset, Bytes length) const {
  const std::lock_guard guard(mutex_);
  const auto found = images_.find(place_of("", key));
  if (found == images_.end())
    return make_error(Code::not_found, fmt::format("image {} does not exist", name_of(key)));
  const auto& [size, content] = std::tie(found->second.size, found->second.content);
  const auto begin = std::min(offset.count, size.count);
  std::string bytes(std::min(length.count, size.count - begin), '\0');
  if (begin < content.size())
    bytes.replace(0, std::min(bytes.size(), content.size() - begin), content, begin, bytes.size());
  return bytes;
}

Result<> SimCluster::adopt(const ImageKey& key, const FoundImage& found) {
  const std::lock_guard guard(mutex_);
  const Place place = place_of("", key);
  const auto image = images_.find(place);
  if (image != images_.end() && !image->second.foreign && image->second.uid == key.uid) return {};
  const FoundImage now = TRY(find_locked(place));
  if (now.id != found.id || now.owner != found.owner)
    return make_error(Code::conflict, fmt::format("image {} was changed meanwhile", name_of(key)));
  Image& taken = image->second;
  taken.previous = now.owner;
  taken.uid = key.uid;
  taken.foreign = false;
  taken.fenced.clear();
  return {};
}

Result<> SimCluster::release(const ImageKey& key) {
  const std::lock_guard guard(mutex_);
  const auto image = images_.find(place_of("", key));
  if (image == images_.end() || image->second.foreign || image->second.uid != key.uid) return {};
  if (!image->second.previous)
    return make_error(Code::conflict, fmt::format("image {} was made, not adopted", name_of(key)));
  image->second.uid = *image->second.previous;
  image->second.foreign = image->second.uid.empty();
  image->second.previous.reset();
  return {};
}

Result<> SimCluster::write(const std::string& host, const ImageKey& key) const {
  const std::lock_guard guard(mutex_);
  const Place place = place_of(host, key);
  const auto image = images_.find(place);
  const auto hosts = hosts_showing(place);
  if (image == images_.end() || std::ranges::find(hosts, host) == hosts.end())
    return make_error(Code::unavailable,
                      fmt::format("image {} is not attached on host '{}'", name_of(key), host));
  if (image->second.fenced.contains(host))
    return make_error(Code::permission_denied,
                      fmt::format("host '{}' is cut off from image {}", host, name_of(key)));
  return {};
}

}  // namespace volplugin::backend
