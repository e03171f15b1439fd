// SPDX-License-Identifier: Apache-2.0
// librados and librbd objects that close themselves, and their errors in our words. One thread at a time.
#pragma once

#include "base/result.h"

#include <memory>
#include <string_view>
#include <utility>

#include <rados/librados.h>
#include <rbd/librbd.h>

namespace volplugin::backend {

// `failed`: a negative errno, as these libraries return.
Error ceph_error(int failed, std::string_view what, Effect effect = Effect::none);

class PoolHandle {
 public:
  explicit PoolHandle(rados_ioctx_t context) : context_(context) {}
  PoolHandle(PoolHandle&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}
  PoolHandle& operator=(PoolHandle&&) = delete;
  ~PoolHandle() {
    if (context_ != nullptr) rados_ioctx_destroy(context_);
  }
  rados_ioctx_t get() const { return context_; }

 private:
  rados_ioctx_t context_;
};

class ImageHandle {
 public:
  ImageHandle(PoolHandle pool, rbd_image_t image) : pool_(std::move(pool)), image_(image) {}
  ImageHandle(ImageHandle&& other) noexcept
      : pool_(std::move(other.pool_)), image_(std::exchange(other.image_, nullptr)) {}
  ImageHandle& operator=(ImageHandle&&) = delete;
  ~ImageHandle() {
    if (image_ != nullptr) rbd_close(image_);
  }
  rbd_image_t get() const { return image_; }

 private:
  PoolHandle pool_;  // outlives the image
  rbd_image_t image_;
};

}  // namespace volplugin::backend
