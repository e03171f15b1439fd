// SPDX-License-Identifier: Apache-2.0
#include "kv/etcd/stride.h"

#include "kv/rules.h"

#include <algorithm>
#include <functional>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace volplugin::kv {
namespace {

using Keys = std::vector<std::string>;

// As etcd: what a request looks at is everything in its range.
struct Walked {
  Keys keys;
  std::uint64_t looked_at = 0;
  size_t requests = 0;
};

Walked walk(const Keys& keys, const std::string& prefix, std::uint64_t page) {
  Walked walked;
  Stride stride(prefix, end_key(prefix), prefix.size());
  while (!stride.done()) {
    EXPECT_LT(stride.from(), stride.bound());
    const auto from = std::ranges::lower_bound(keys, stride.from());
    const auto count = std::uint64_t(std::ranges::lower_bound(keys, stride.bound()) - from);
    const auto returned = std::min(count, page);
    walked.keys.insert(walked.keys.end(), from, from + std::ptrdiff_t(returned));
    walked.looked_at += count;
    ++walked.requests;
    if (walked.requests > 100'000) break;
    Stride::Answer answer{"", "", returned, returned < count, count, page};
    if (returned > 0) answer.first = *from, answer.last = from[std::ptrdiff_t(returned) - 1];
    stride.take(answer);
  }
  return walked;
}

constexpr int kMany = 100'000;
constexpr std::uint64_t kPage = 1'000;

Keys sorted(const std::set<std::string>& keys) {
  return {keys.begin(), keys.end()};
}

Keys make_keys(const std::function<std::string(int)>& name, int count = kMany) {
  std::set<std::string> keys;
  for (int i = 0; i < count; ++i) keys.insert("/root/" + name(i));
  return sorted(keys);
}

std::string random_text(std::mt19937& random, const std::string& of, size_t length) {
  std::string text;
  for (size_t i = 0; i < length; ++i) text += of[random() % of.size()];
  return text;
}

// All keys once and in order, for the price of a few looks at each.
void expect_cheap(const Keys& keys) {
  const Walked walked = walk(keys, "/root/", kPage);
  EXPECT_EQ(walked.keys, keys);
  EXPECT_LE(walked.looked_at, 6 * keys.size());
  EXPECT_LE(walked.requests, 5 * keys.size() / kPage + 50);
}

TEST(StrideTest, numbered_names_of_a_tenant) {
  expect_cheap(make_keys([](int i) { return fmt::format("volumes/tenant/volume-{:05}", i); }));
}

TEST(StrideTest, numbers_of_any_length) {
  expect_cheap(make_keys([](int i) { return fmt::format("volumes/tenant/v{}", i); }));
}

TEST(StrideTest, names_spread_over_tenants) {
  for (const int tenants : {2, 10, 100, 1'000, 30'000})
    expect_cheap(make_keys([&](int i) { return fmt::format("volumes/tenant{}/v{}", i % tenants, i); }));
}

TEST(StrideTest, one_large_tenant_among_small_ones) {
  expect_cheap(make_keys([](int i) {
    return i % 2 == 0 ? fmt::format("volumes/large/v{}", i) : fmt::format("volumes/t{}/v", i);
  }));
}

TEST(StrideTest, random_names) {
  std::mt19937 random(1);
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += char(i);
  for (const std::string& of :
       {std::string("0123456789abcdef"), std::string("01"), bytes, std::string("AZaz09.-_")})
    expect_cheap(make_keys([&](int) { return "volumes/t/" + random_text(random, of, 36); }));
}

TEST(StrideTest, names_that_begin_with_other_names) {
  expect_cheap(make_keys([](int i) { return std::string(size_t(i), 'x'); }, 1'000));
  expect_cheap(make_keys([](int i) { return std::string(size_t(i), '\0'); }, 1'000));
  expect_cheap(make_keys([](int i) { return std::string(size_t(i), '\xff'); }, 1'000));
}

TEST(StrideTest, several_folders_of_which_one_is_full) {
  Keys keys = make_keys([](int i) { return fmt::format("volumes/t/v{:06}", i); });
  for (const char* other : {"/root/tenants/a", "/root/workers/b", "/root/nodes/c", "/root/mounts/d"})
    keys.emplace_back(other);
  std::ranges::sort(keys);
  expect_cheap(keys);
}

TEST(StrideTest, the_ends_of_a_range_belong_to_it_and_others_do_not) {
  const Keys inside{"p/", std::string("p/\0", 3), "p/a", "p/\xff", "p/\xff\xff"};
  Keys keys{"o", "p", "p.", "p0", "q"};
  keys.insert(keys.end(), inside.begin(), inside.end());
  std::ranges::sort(keys);
  for (const std::uint64_t page : {1, 2, 3, 100}) EXPECT_EQ(walk(keys, "p/", page).keys, inside) << page;
  EXPECT_EQ(walk(keys, "\xff", 10).keys, Keys{});
  EXPECT_EQ(walk({}, "p/", 10).requests, 1U);
}

TEST(StrideTest, the_first_request_is_for_everything) {
  const Keys keys = make_keys([](int i) { return fmt::format("{}", i); }, 50);
  EXPECT_EQ(walk(keys, "/root/", 100).requests, 1U);
}

TEST(StrideTest, pages_of_one_key_get_through) {
  std::mt19937 random(2);
  const Keys keys = make_keys([&](int) { return random_text(random, "abc", 6); }, 300);
  EXPECT_EQ(walk(keys, "/root/", 1).keys, keys);
}

}  // namespace
}  // namespace volplugin::kv
