// SPDX-License-Identifier: Apache-2.0
// What the driver notes about an image in its pool, beside Ceph's own records (names of notes):
//   <image>/owner          uid of the volume and id of the image; the uid alone while the image is made.
//                          Another id than the image has: somebody removed ours and made an image of that
//                          name. Of an adopted image besides: "found" or, if volplugin made it, "made", and
//                          the uid of the volume that it had belonged to, if any.
//   <image>/holder/<host>  the host has the image attached, through these clients
//   <image>/fenced/<host>  the host may not use the image; these of its clients are blocklisted
// Pure; any thread.
#pragma once

#include "backend/rbd/ceph_connection.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace volplugin::backend {

using Clients = std::vector<std::string>;  // "10.0.0.1:0/3123"

struct ImageOwner {
  std::string uid;
  std::string image_id{};  // empty: it is being made
  bool found = false;      // somebody else made it
  std::string previous{};  // uid of the volume from which it was adopted

  bool adopted() const { return found || !previous.empty(); }
};

struct ImageNotes {
  std::optional<ImageOwner> owner;
  std::map<std::string, Clients> holders, fenced;  // by host

  bool owned_by(const std::string& uid) const { return owner && owner->uid == uid; }
};

namespace note {
std::string all_of(const std::string& image);  // prefix of the names of an image's notes
std::string owner(const std::string& image);
std::string holder(const std::string& image, const std::string& host);
std::string fenced(const std::string& image, const std::string& host);

std::string value_of(const ImageOwner& owner);
std::string value_of(const Clients& clients);  // never empty
}  // namespace note

bool contains(const Clients& clients, const std::string& client);

// Whether the client holds the image for a host other than this one.
bool held_for_another(const ImageNotes& notes, const std::string& host, const std::string& client);

// Of all images that `notes` are about. Notes of other kinds are left out.
std::map<std::string, ImageNotes> parse_notes(const Notes& notes);

}  // namespace volplugin::backend
