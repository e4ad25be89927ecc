#include "apps/terminal/colour.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace unmask {

namespace {

double cube(double x) { return x * x * x; }

/// The transfer function of sRGB (IEC 61966-2-1).
double encode(double linear) {
  const double x = std::clamp(linear, 0.0, 1.0);
  return x <= 0.0031308 ? 12.92 * x : 1.055 * std::pow(x, 1 / 2.4) - 0.055;
}

/// Oklab, a space in which distances are those that people see: lightness in [0, 1], chroma, and
/// hue in degrees. The matrices are those of its definition.
Colour oklch(double lightness, double chroma, double hue) {
  const double a = chroma * std::cos(hue * std::numbers::pi / 180);
  const double b = chroma * std::sin(hue * std::numbers::pi / 180);
  const double l = cube(lightness + 0.3963377774 * a + 0.2158037573 * b);
  const double m = cube(lightness - 0.1055613458 * a - 0.0638541728 * b);
  const double s = cube(lightness - 0.0894841775 * a - 1.2914855480 * b);
  return {encode(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
          encode(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
          encode(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

}  // namespace

Colour heat(double t) {
  const double x = std::clamp(t, 0.0, 1.0);
  return oklch(0.20 + 0.73 * x, 0.105 + 0.045 * x, 300 - 195 * x);
}

}  // namespace unmask
