// SPDX-License-Identifier: Apache-2.0
// What stands beside images in a Ceph pool, where other programs can write too. Input: lines "name=value"; a
// line without '=' is the name of a snapshot. All of it is also taken for the id of an image.
#include "backend/rbd/encoded_id.h"
#include "backend/rbd/image_notes.h"
#include "backend/rbd/snapshot_name.h"

#include <cstdlib>
#include <sstream>

using namespace volplugin;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto id = backend::decode_image_id(bytes); id && id->size() + 4 != size) std::abort();
  std::istringstream lines(std::string(reinterpret_cast<const char*>(data), size));
  backend::Notes notes;
  for (std::string line; std::getline(lines, line);) {
    const auto cut = line.find('=');
    if (cut != line.npos) notes[line.substr(0, cut)] = line.substr(cut + 1);
    if (const auto words = backend::parse_snapshot_name(line);
        words && (backend::snapshot_name({{}, words->name, words->uid}) != line ||
                  !backend::check_snapshot_words(words->name, words->uid)))
      std::abort();
  }
  for (const auto& [image, read] : backend::parse_notes(notes)) {
    backend::Notes again;
    if (read.owner) again[backend::note::owner(image)] = backend::note::value_of(*read.owner);
    for (const auto& [host, clients] : read.holders)
      again[backend::note::holder(image, host)] = backend::note::value_of(clients);
    for (const auto& [host, clients] : read.fenced)
      again[backend::note::fenced(image, host)] = backend::note::value_of(clients);
    if (again.empty()) continue;
    auto reread = backend::parse_notes(again);
    if (reread[image].holders != read.holders || reread[image].fenced != read.fenced) std::abort();
    if (read.owner && !reread[image].owned_by(read.owner->uid)) std::abort();
    if (read.owner && !read.owner->image_id.empty() &&
        backend::note::value_of(*reread[image].owner) != backend::note::value_of(*read.owner))
      std::abort();
  }
  return 0;
}
