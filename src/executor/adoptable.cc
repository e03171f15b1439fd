// SPDX-License-Identifier: Apache-2.0
#include "executor/adoptable.h"

#include "os/block_device.h"

#include <algorithm>

namespace volplugin::executor {
namespace {

// Every signature that libblkid knows lies in there.
constexpr Bytes kStart = Bytes::mib(1);
constexpr Bytes kEnd = Bytes::kib(512);

Error no_filesystem(const backend::ImageKey& key, const os::Probe& found) {
  std::string what = "nothing that is known";
  if (found.blank) what = "nothing";
  if (found.usage == "partitions") what = fmt::format("a partition table ({})", found.type);
  if (!found.type.empty() && found.usage != "partitions") what = fmt::format("'{}'", found.type);
  return make_error(
      Code::invalid_argument,
      fmt::format("image '{0}/{1}' holds no file system, but {2}: a volume is an image with a file "
                  "system on the whole of it; make the volume with 'volcli volume create' under "
                  "another name, or rename the image, and copy the data",
                  key.pool, key.image, what));
}

}  // namespace

Result<Adoptable> find_adoptable(const Op& op, backend::Adoption& adoption, const backend::ImageKey& key) {
  auto image = TRY(adoption.find_image(op, key));
  if (image.size == Bytes{}) return no_filesystem(key, {.blank = true});
  const Bytes tail = std::min(kEnd, image.size);
  const std::string start = TRY(adoption.read(op, key, Bytes{}, std::min(kStart, image.size)));
  const std::string end = TRY(adoption.read(op, key, Bytes{image.size.count - tail.count}, tail));
  const auto found = TRY_CTX(os::probe_ends(start, end, image.size), "image '{}/{}'", key.pool, key.image);
  if (found.usage != "filesystem") return no_filesystem(key, found);
  return Adoptable{std::move(image), found.type};
}

}  // namespace volplugin::executor
