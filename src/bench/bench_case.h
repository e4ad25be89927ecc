// A generation to be measured.
#pragma once

#include <string>

namespace unmask {

struct BenchCase {
  std::string method = "full";
  int context = 512;  // tokens of the canvas, prompt and generation
  int gen_length = 32;
  int block_length = 32;
  int steps = 32;
  int most_steps = 0;  // measured; 0: all. The others are projected from those like them.
  int repeat = 1;
};

}  // namespace unmask
