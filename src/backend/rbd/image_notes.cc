// SPDX-License-Identifier: Apache-2.0
#include "backend/rbd/image_notes.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace volplugin::backend {
namespace {

constexpr std::string_view kNobody = "-";  // a list of clients that is empty
constexpr std::string_view kFound = "found", kMade = "made";
constexpr std::string_view kHolder = "holder/", kFenced = "fenced/";

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

Clients clients_of(const std::string& text) {
  auto clients = words_of(text);
  std::erase(clients, kNobody);
  return clients;
}

std::optional<ImageOwner> owner_of(const std::string& text) {
  auto words = words_of(text);
  if (words.empty()) return std::nullopt;
  words.resize(4);
  return ImageOwner{words[0], words[1], words[2] == kFound, words[3]};
}

}  // namespace

namespace note {

std::string all_of(const std::string& image) {
  return image + "/";
}

std::string owner(const std::string& image) {
  return image + "/owner";
}

std::string holder(const std::string& image, const std::string& host) {
  return fmt::format("{}/{}{}", image, kHolder, host);
}

std::string fenced(const std::string& image, const std::string& host) {
  return fmt::format("{}/{}{}", image, kFenced, host);
}

std::string value_of(const ImageOwner& owner) {
  std::string value = owner.uid;
  if (!owner.image_id.empty()) value += " " + owner.image_id;
  if (owner.adopted()) value += fmt::format(" {}", owner.found ? kFound : kMade);
  if (!owner.previous.empty()) value += " " + owner.previous;
  return value;
}

std::string value_of(const Clients& clients) {
  return clients.empty() ? std::string(kNobody) : fmt::format("{}", fmt::join(clients, " "));
}

}  // namespace note

bool contains(const Clients& clients, const std::string& client) {
  return std::ranges::find(clients, client) != clients.end();
}

bool held_for_another(const ImageNotes& notes, const std::string& host, const std::string& client) {
  return std::ranges::any_of(notes.holders, [&](const auto& holder) {
    return holder.first != host && contains(holder.second, client);
  });
}

std::map<std::string, ImageNotes> parse_notes(const Notes& notes) {
  std::map<std::string, ImageNotes> images;
  for (const auto& [name, value] : notes) {
    const auto cut = name.find('/');  // no image has one in its name
    if (cut == name.npos) continue;
    ImageNotes& image = images[name.substr(0, cut)];
    const std::string kind = name.substr(cut + 1);
    if (kind == "owner") {
      image.owner = owner_of(value);
    } else if (kind.starts_with(kHolder)) {
      image.holders[kind.substr(kHolder.size())] = clients_of(value);
    } else if (kind.starts_with(kFenced)) {
      image.fenced[kind.substr(kFenced.size())] = clients_of(value);
    }
  }
  return images;
}

}  // namespace volplugin::backend
