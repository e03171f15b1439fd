// SPDX-License-Identifier: Apache-2.0
// All volumes of a control plane, page by page, as a client lists them.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace volplugin::bench {

// `get`: the body of a GET. Returns the bytes of all pages.
size_t list_pages(const std::function<std::string(const std::string&)>& get, int limit);

// The last field of that name and form in a text of JSON; empty: there is none.
std::string text_field(std::string_view json, std::string_view name);

}  // namespace volplugin::bench
