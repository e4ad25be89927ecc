// Products of one warp and how its operands come out of shared memory (mma.sync, ldmatrix).
#include <cstring>

#include "kernels/cuda/emulator/instructions.h"

namespace unmask::cuda {

namespace {

using emulator::Defect;
constexpr size_t kLanes = 32;

struct Load {
  SharedAddress row;
  uint32_t* to;
};

uint16_t element(SharedAddress row, size_t column) {
  auto& memory = Block::current().memory();
  memory.check_read(row);
  uint16_t bits = 0;
  std::memcpy(&bits, memory.at(row, 16) + column * 2, 2);
  return bits;
}

/// Eight rows are read at once: two in the same 16 bytes of the 128 that memory is wide would take
/// turns.
void check_banks(const std::array<Load*, kLanes>& lanes, size_t matrix) {
  uint32_t places = 0;
  for (size_t r = 0; r < 8; ++r) places |= 1U << (lanes[matrix * 8 + r]->row / 16 % 8);
  if (places != 0xff) throw Defect("ldmatrix reads rows that lie in the same banks");
}

void load(uint32_t (&to)[4], SharedAddress row, bool transpose) {
  Load mine{row, to};
  Block::current().warp_together("ldmatrix", mine, [&](const std::array<Load*, kLanes>& lanes) {
    for (size_t m = 0; m < 4; ++m) {
      check_banks(lanes, m);
      for (size_t l = 0; l < kLanes; ++l) {
        uint32_t pair = 0;
        for (size_t e = 0; e < 2; ++e) {
          const size_t r = transpose ? l % 4 * 2 + e : l / 4;
          const size_t c = transpose ? l / 4 : l % 4 * 2 + e;
          pair |= uint32_t{element(lanes[m * 8 + r]->row, c)} << (16 * e);
        }
        lanes[l]->to[m] = pair;
      }
    }
  });
}

struct Multiply {
  float* d;
  const uint32_t* a;
  uint32_t b[2];
};

float half_of(uint32_t pair, size_t which) {
  return bf16_to_f32(static_cast<uint16_t>(pair >> (16 * which)));
}

void multiply(const std::array<Multiply*, kLanes>& lanes) {
  float a[16][16];
  float b[16][8];
  for (size_t l = 0; l < kLanes; ++l) {
    for (size_t e = 0; e < 8; ++e) {
      a[l / 4 + e / 2 % 2 * 8][l % 4 * 2 + e % 2 + e / 4 * 8] = half_of(lanes[l]->a[e / 2], e % 2);
    }
    for (size_t e = 0; e < 4; ++e) {
      b[l % 4 * 2 + e % 2 + e / 2 * 8][l / 4] = half_of(lanes[l]->b[e / 2], e % 2);
    }
  }
  for (size_t l = 0; l < kLanes; ++l) {
    for (size_t i = 0; i < 4; ++i) {
      const size_t row = l / 4 + i / 2 * 8;
      const size_t column = l % 4 * 2 + i % 2;
      float sum = lanes[l]->d[i];
      for (size_t k = 0; k < 16; ++k) sum += a[row][k] * b[k][column];
      lanes[l]->d[i] = sum;
    }
  }
}

}  // namespace

void load_matrices(uint32_t (&to)[4], SharedAddress row) { load(to, row, false); }

void load_matrices_transposed(uint32_t (&to)[4], SharedAddress row) {
  load(to, row, Block::current().fault() != Fault::not_transposed);
}

void multiply_16x8x16(float* d, const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  Multiply mine{d, a, {b0, b1}};
  Block::current().warp_together("mma", mine, multiply);
}

}  // namespace unmask::cuda
