// SPDX-License-Identifier: Apache-2.0
// EventFeed: the changes that the store's watch brings to the catalog, as events. Costs no thread: observers
// run on that of the watch. The catalog must outlive it. Thread-safe.
#pragma once

#include "catalog/catalog.h"
#include "service/events.h"

#include <functional>

namespace volplugin::control {

class EventFeed final : public service::EventSource {
 public:
  // What a record of a node does not have: whether it is connected. Called on the thread of the watch.
  using Connected = std::function<bool(const model::NodeName&)>;

  EventFeed(catalog::Catalog& catalog, Connected connected)
      : catalog_(catalog), connected_(std::move(connected)) {}
  ~EventFeed() override { catalog_.observe({}); }
  EventFeed(const EventFeed&) = delete;
  EventFeed& operator=(const EventFeed&) = delete;

  void observe(Observer observer) override;

 private:
  service::EventBatch batch_of(const kv::WatchBatch& changes) const;

  catalog::Catalog& catalog_;
  const Connected connected_;
};

}  // namespace volplugin::control
