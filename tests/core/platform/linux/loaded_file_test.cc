#include "core/platform/loaded_file.h"

#include <gnu/libc-version.h>  // whose function no sanitizer replaces
#include <gtest/gtest.h>

namespace unmask {
namespace {

int own_code() { return 1; }

TEST(LoadedFile, IsTheProgramOrTheLibraryThatCodeLiesIn) {
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe");
  EXPECT_EQ(loaded_file(reinterpret_cast<const void*>(&own_code)), program);
  const std::filesystem::path library =
      loaded_file(reinterpret_cast<const void*>(&gnu_get_libc_version));
  EXPECT_EQ(library.filename().string().rfind("libc.so", 0), 0U) << library;
}

}  // namespace
}  // namespace unmask
