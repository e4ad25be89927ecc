#include "session/shard.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "support/environment.h"

namespace unmask {
namespace {

TEST(Shard, SharesAreDisjointAndComplete) {
  for (int count = 1; count < 6; ++count) {
    for (int item = 0; item < 20; ++item) {
      int owners = 0;
      for (int i = 0; i < count; ++i) owners += Shard{i, count}.has(item) ? 1 : 0;
      EXPECT_EQ(owners, 1);
    }
  }
}

TEST(Shard, IsReadFromOne) {
  const Shard shard = parse_shard("2/4");
  EXPECT_EQ(shard.index, 1);
  EXPECT_EQ(shard.count, 4);
  EXPECT_EQ(shard.name(), "2-of-4");
  EXPECT_TRUE(parse_shard("1/1").whole());
  for (const char* wrong : {"", "/", "1", "0/4", "5/4", "-1/4", "1/0", "1/4x", " 1/4", "1/4/2"}) {
    EXPECT_THROW(parse_shard(wrong), Error) << wrong;
  }
}

TEST(Shard, LaunchersSayWhichShare) {
  EXPECT_FALSE(launched_shard());
  const testing::EnvironmentVariable rank("OMPI_COMM_WORLD_RANK", "3");
  EXPECT_FALSE(launched_shard()) << "of how many?";
  {
    const testing::EnvironmentVariable size("OMPI_COMM_WORLD_SIZE", "4");
    ASSERT_TRUE(launched_shard());
    EXPECT_EQ(launched_shard()->name(), "4-of-4");
  }
  const testing::EnvironmentVariable task("SLURM_PROCID", "0");
  const testing::EnvironmentVariable tasks("SLURM_NTASKS", "2");
  EXPECT_EQ(launched_shard()->name(), "1-of-2");
}

}  // namespace
}  // namespace unmask
