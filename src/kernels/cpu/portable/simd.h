// Vectors of float32 as the compilers' own vector types: the arithmetic operators map to whatever
// instruction set the including file is compiled for. Included by the files of an instruction set
// only, inside their namespace; no standard library here, since an inline function of it compiled
// with newer instructions could be the copy that the linker keeps for everyone.

using Vec = float __attribute__((vector_size(kVecBytes)));
using Bits = unsigned __attribute__((vector_size(kVecBytes)));
inline constexpr int kLanes = kVecBytes / 4;

/// In every lane. Subtracting zeros costs nothing, since it changes nothing; adding them would turn
/// -0 into 0, so it stays an instruction.
inline Vec splat(float value) { return value - Vec{}; }

inline Vec load(const float* from) {
  Vec v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

inline void store(Vec v, float* to) { __builtin_memcpy(to, &v, sizeof v); }

/// The first `n` lanes from memory, the others `fill`.
inline Vec load_part(const float* from, int n, float fill) {
  Vec v = splat(fill);
  for (int i = 0; i < n; ++i) v[i] = from[i];
  return v;
}

inline Vec vmax(Vec a, Vec b) { return a > b ? a : b; }
inline Vec vmin(Vec a, Vec b) { return a < b ? a : b; }

inline float sum_lanes(Vec v) {
  float sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += v[i];
  return sum;
}

inline float max_lanes(Vec v) {
  float best = v[0];
  for (int i = 1; i < kLanes; ++i) best = v[i] > best ? v[i] : best;
  return best;
}

/// exp(x) for x <= 88, relative error below 2e-7; everything below -87 gives about 1e-38.
inline Vec vexp(Vec x) {
  x = vmax(x, splat(-87.0F));
  // Adding 1.5 * 2^23 rounds to the nearest integer and leaves it in the low bits.
  const Vec shifted = x * splat(1.44269504F) + splat(12582912.0F);
  const Vec n = shifted - splat(12582912.0F);
  const Vec r = x - n * splat(0.693359375F) + n * splat(2.12194440e-4F);
  Vec p = splat(1.9875691500e-4F);
  p = p * r + splat(1.3981999507e-3F);
  p = p * r + splat(8.3334519073e-3F);
  p = p * r + splat(4.1665795894e-2F);
  p = p * r + splat(1.6666665459e-1F);
  p = p * r + splat(5.0000001201e-1F);
  p = p * r * r + r + splat(1.0F);
  Bits bits;
  __builtin_memcpy(&bits, &shifted, sizeof bits);
  bits = (bits << 23) + (127U << 23);
  Vec scale;
  __builtin_memcpy(&scale, &bits, sizeof scale);
  return p * scale;
}
