#include <gtest/gtest.h>
TEST(Base, Works) {}
