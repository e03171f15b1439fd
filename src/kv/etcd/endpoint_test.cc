// SPDX-License-Identifier: Apache-2.0
#include "kv/etcd/endpoint.h"

#include <gtest/gtest.h>

namespace volplugin::kv {
namespace {

TEST(EtcdEndpoint, addresses_with_and_without_scheme) {
  EXPECT_EQ(parse_endpoint("http://10.0.0.1:2379")->url(), "http://10.0.0.1:2379");
  EXPECT_EQ(parse_endpoint("https://etcd-1.example.com:2379/")->url(), "https://etcd-1.example.com:2379");
  EXPECT_EQ(parse_endpoint("localhost:2379")->address, "localhost:2379");
  EXPECT_FALSE(parse_endpoint("localhost:2379")->tls);
  EXPECT_EQ(parse_endpoint("http://[::1]:2379")->address, "[::1]:2379");
}

TEST(EtcdEndpoint, everything_else_is_refused) {
  for (const char* text :
       {"", "http://", "http://host", "host", "http://host:", "http://host:0", "http://host:65536",
        "http://host:12x", "ftp://host:1", "http://a:1,b:2", "http://host:1/path", "http://:1",
        "http://::1:2379", "http://ho st:1", "http://user@host:1", "unix:///run/x:1"}) {
    const auto parsed = parse_endpoint(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Code::invalid_argument) << text;
  }
}

TEST(EtcdEndpoint, prefixes) {
  EXPECT_EQ(*parse_prefix("/volplugin"), "/volplugin");
  EXPECT_EQ(*parse_prefix("/a/b//"), "/a/b");
  EXPECT_EQ(*parse_prefix("/" + std::string(127, 'x')), "/" + std::string(127, 'x'));
  for (const std::string& text : {std::string(), std::string("/"), std::string("volplugin"),
                                  std::string("/a b"), std::string("/\xff"), "/" + std::string(128, 'x')})
    EXPECT_FALSE(parse_prefix(text)) << text;
}

}  // namespace
}  // namespace volplugin::kv
