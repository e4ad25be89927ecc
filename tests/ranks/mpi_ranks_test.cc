// Finding and opening the MPI plug-in.
#include "ranks/mpi_ranks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/error_of.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;

std::string reason(const char* path) {
  return testing::error_of([&] { create_mpi_ranks({.plugin = path}); });
}

TEST(MpiPlugin, SaysWhatIsWrong) {
  EXPECT_EQ(reason("/nowhere/libunmask_mpi.so"),
            "[mpi] /nowhere/libunmask_mpi.so not found; build it where MPI is installed, with "
            "-DUNMASK_MPI=ON");
  EXPECT_THAT(reason(UNMASK_GOLDEN_CHECKPOINTS "/llada-tiny/config.json"),
              HasSubstr("[mpi] libunmask_mpi.so does not load: "));
}

}  // namespace
}  // namespace unmask
