// SPDX-License-Identifier: Apache-2.0
// The control plane on etcd, as volmaster runs it, with storage that costs nothing.
#include "control_plane.h"

#include "control_plane_server.h"
#include "etcd_process.h"
#include "require.h"
#include "samples.h"

#include <string_view>

#include <grpcpp/grpcpp.h>

using namespace volplugin::bench;

int main(int argc, char** argv) {
  if (argc == 4 && argv[1] == std::string_view("--serve")) return serve_control_plane(argv[2], argv[3]);
  const bool million = argc == 3 && argv[2] == std::string_view("--million");
  if (argc != 2 && !million) give_up("usage: bench_control_plane DIRECTORY [--million]");
  const std::string directory = argv[1];
  fmt::print("{}, gRPC {}; {}\n\n", EtcdProcess::version(), grpc::Version(), machine());
  measure_operations(directory + "/operations");
  fmt::print("\n");
  measure_requests(directory + "/requests");
  fmt::print("\n");
  measure_records(directory + "/records", million ? Largest::million : Largest::hundred_thousand);
}
