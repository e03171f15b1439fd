// SPDX-License-Identifier: Apache-2.0
// Boost.Asio's library code, compiled once. It must be the only file that includes this header.
#include "http/asio.h"

#include <boost/asio/impl/src.hpp>
