// SPDX-License-Identifier: Apache-2.0
#include "fill_store.h"

#include "catalog/codec.h"
#include "kv/sqlite/sqlite_store.h"
#include "take.h"

namespace volplugin::bench {
namespace {

constexpr int kTenants = 10;
constexpr Millis kPatience{60'000};

model::Volume make_record(int number, WallTime now) {
  model::Volume volume{
      take(model::parse_volume_id(fmt::format("tenant{}/volume-{:05}", number % kTenants, number))),
      fmt::format("2c1f7e0a-95b4-4d3e-8a6f-{:012x}", number)};
  volume.options.backend = "loop";
  volume.options.pool = "default";
  volume.options.size = Bytes::gib(10);
  volume.options.filesystem = "ext4";
  volume.filesystem_command = "mkfs.ext4 -m0 %";
  volume.filesystem_type = "ext4";
  volume.size = volume.options.size;
  volume.node = take(model::NodeTag::parse("bench-host"));
  volume.operation = make_request_id();
  volume.created_at = volume.changed_at = now;
  return volume;
}

class Filling {
 public:
  explicit Filling(kv::Store& store) : store_(store) {}
  void put(const model::Volume& volume) {
    using Codec = catalog::Codec<model::Volume>;
    txn_.changes.push_back(kv::Put{Codec::kFolder + Codec::name_of(volume), Codec::encode(volume)});
    if (txn_.changes.size() == kv::Store::kMaxChanges) commit();
  }
  void commit() {
    if (txn_.changes.empty()) return;
    take(store_.commit(Op(system_clock(), kPatience, "fill", "bench"), txn_));
    txn_.changes.clear();
  }

 private:
  kv::Store& store_;
  kv::Txn txn_;
};

}  // namespace

std::string some_record() {
  return catalog::Codec<model::Volume>::encode(make_record(0, system_clock().wall()));
}

void fill_store(kv::Store& store, VolumeRange range, model::Phase phase) {
  const WallTime now = system_clock().wall();
  Filling filling(store);
  for (int number = range.first; number < range.end; ++number) {
    model::Volume volume = make_record(number, now);
    volume.phase = phase;
    filling.put(volume);
  }
  filling.commit();
}

void fill_sqlite(const std::string& path, int count) {
  const auto store = take(kv::SqliteStore::open(path, system_clock()));
  for (const model::Phase phase : {model::Phase::creating, model::Phase::ready})
    fill_store(*store, {0, count}, phase);
}

}  // namespace volplugin::bench
