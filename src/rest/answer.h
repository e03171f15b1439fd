// SPDX-License-Identifier: Apache-2.0
// Answers of the REST API: errors as problem documents (RFC 7807), records, pages. Pure functions.
#pragma once

#include "base/result.h"
#include "http/server.h"
#include "model/records.h"
#include "service/volmaster.h"
#include "wire/records.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace volplugin::rest {

// The one mapping of error kinds to HTTP statuses.
int status_of(Code code);

// {"type","title","status","code","detail","effect-unknown"} as application/problem+json.
http::Response problem(int status, const Error& error);
http::Response problem(const Error& error);

// To any request while the store cannot be reached yet; to /v1/health in its own form.
http::Response not_ready(const http::Request& request, const Error& why, std::string_view version);

http::Response json(int status, std::string body);
http::Response no_content();

// "\"12\"": what ETag, If-Match and If-None-Match call revision 12.
std::string etag(std::uint64_t revision);
// Whether an If-None-Match list ("*", or ETags, weak ones too) names that revision.
bool names_etag(std::string_view list, std::uint64_t revision);

// A record with its ETag.
template <class T>
http::Response record(int status, const model::Record<T>& shown) {
  http::Response response =
      json(status, shown->text.empty() ? wire::to_text(shown->value, shown->revision) : shown->text);
  response.headers.emplace_back("ETag", etag(shown->revision));
  return response;
}

// The record, or 304 when the caller has this revision already.
template <class T>
http::Response record_unless_known(const http::Request& request, const model::Record<T>& shown) {
  http::Response response = record(200, shown);
  if (!names_etag(request.header("if-none-match"), shown->revision)) return response;
  response.status = 304;
  response.body.clear();
  return response;
}

// Written straight from the records, or from their texts: a page may have ten thousand.
template <class T>
http::Response page(const service::Page<T>& shown) {
  json::Writer writer;
  writer.begin_object().key("items").begin_array();
  for (const auto& item : shown.items) {
    if (item->text.empty())
      wire::write(writer, item->value, item->revision);
    else
      writer.raw(item->text);
    // The others are about as long as the first.
    if (&item == shown.items.data()) writer.reserve(writer.text().size() * (shown.items.size() + 1) * 9 / 8);
  }
  writer.end_array().field("next", shown.next).field("revision", shown.revision).end_object();
  return json(200, writer.take());
}

}  // namespace volplugin::rest
