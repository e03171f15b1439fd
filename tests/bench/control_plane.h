// SPDX-License-Identifier: Apache-2.0
// The parts of bench_control_plane: each prints a table of its own.
#pragma once

#include <string>

namespace volplugin::bench {

// Operations per second and their latency with several clients, beside bare puts into the same etcd.
void measure_operations(const std::string& directory);

// What an operation, and rest, cost etcd: counted by etcd.
void measure_requests(const std::string& directory);

enum class Largest { hundred_thousand, million };
// Start, memory, one create and remove, and the list, by how many records there are.
void measure_records(const std::string& directory, Largest largest);

}  // namespace volplugin::bench
