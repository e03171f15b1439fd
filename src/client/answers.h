// SPDX-License-Identifier: Apache-2.0
// Reading what several resources answer alike: one record, a page of them.
#pragma once

#include "http/client.h"
#include "json/reader.h"
#include "model/records.h"
#include "service/volmaster.h"

#include <string>

namespace volplugin::client {

template <class T>
using Parse = Result<model::Versioned<T>> (*)(const json::Value&);

// Makes a record of what `parse` reads.
template <class T>
auto record_by(Parse<T> parse) {
  return [parse](const json::Value& value) -> Result<model::Record<T>> {
    return std::make_shared<const model::Versioned<T>>(TRY(parse(value)));
  };
}

template <class T>
auto page_by(Parse<T> parse) {
  return [parse](const json::Value& value) -> Result<service::Page<T>> {
    auto object = TRY(json::Object::open(value));
    service::Page<T> page;
    for (const auto& item : TRY(TRY(object.get("items")).as_array()))
      page.items.push_back(TRY(record_by(parse)(item)));
    page.next = TRY(object.string("next"));
    page.revision = TRY(object.uint("revision"));
    return page;
  };
}

// "/v1/volumes?limit=1000&tenant=a&after=a%2Fb"
inline std::string list_target(std::string_view path, const service::ListQuery& query) {
  std::string target = fmt::format("{}?limit={}", path, query.limit);
  if (!query.tenant.empty()) target += "&tenant=" + http::encode(query.tenant);
  if (!query.node.empty()) target += "&node=" + http::encode(query.node);
  if (!query.volume.empty()) target += "&volume=" + http::encode(query.volume);
  if (!query.after.empty()) target += "&after=" + http::encode(query.after);
  return target;
}

inline std::string volume_target(std::string_view path, const model::VolumeId& id) {
  return fmt::format("{}/{}/{}", path, http::encode(id.tenant.str()), http::encode(id.volume.str()));
}

}  // namespace volplugin::client
