// SPDX-License-Identifier: Apache-2.0
#include "control/event_feed.h"

#include <optional>

namespace volplugin::control {
namespace {

template <class T>
constexpr std::string_view kKind = "";
template <>
constexpr std::string_view kKind<model::Tenant> = "tenant";
template <>
constexpr std::string_view kKind<model::Volume> = "volume";
template <>
constexpr std::string_view kKind<model::Mount> = "mount";
template <>
constexpr std::string_view kKind<model::Snapshot> = "snapshot";
template <>
constexpr std::string_view kKind<model::Node> = "node";
template <>
constexpr std::string_view kKind<model::Session> = "session";

// False: the change is of another kind of record.
template <class T>
bool read_as(const kv::Event& change, service::Event& event) {
  const std::string_view folder = catalog::Codec<T>::kFolder;
  if (!change.key.starts_with(folder)) return false;
  event.kind = kKind<T>;
  event.name = change.key.substr(folder.size());
  event.revision = change.revision.value;
  event.change = change.value ? service::Change::put : service::Change::erase;
  if (!change.value) return true;
  // The catalog tells of records that cannot be read.
  if (auto record = catalog::Codec<T>::decode(event.name, *change.value)) {
    catalog::settle(*record, event.revision);
    event.record = std::move(*record);
  }
  return true;
}

std::optional<service::Event> event_of(const kv::Event& change) {
  service::Event event;
  const bool known = read_as<model::Tenant>(change, event) || read_as<model::Volume>(change, event) ||
                     read_as<model::Mount>(change, event) || read_as<model::Snapshot>(change, event) ||
                     read_as<model::Node>(change, event) || read_as<model::Session>(change, event);
  return known ? std::optional(std::move(event)) : std::nullopt;
}

}  // namespace

service::EventBatch EventFeed::batch_of(const kv::WatchBatch& changes) const {
  service::EventBatch batch{.events = {}, .revision = changes.revision.value, .reset = changes.snapshot};
  if (batch.reset) return batch;  // what it has are all records, changed or not
  for (const auto& change : changes.events) {
    auto event = event_of(change);
    if (!event) continue;
    if (auto* const node = std::get_if<model::Node>(&event->record)) node->connected = connected_(node->name);
    batch.events.push_back(std::move(*event));
  }
  return batch;
}

void EventFeed::observe(Observer observer) {
  if (!observer) return catalog_.observe({});
  catalog_.observe(
      [this, observer = std::move(observer)](const kv::WatchBatch& changes) { observer(batch_of(changes)); });
}

}  // namespace volplugin::control
