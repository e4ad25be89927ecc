// Colours of pictures.
#pragma once

namespace unmask {

/// sRGB, each in [0, 1].
struct Colour {
  double red = 0;
  double green = 0;
  double blue = 0;
};

/// Dark violet for 0, over teal, to pale yellow for 1; outside that range the nearest end.
/// Lightness grows evenly, so equal distances look equal, also in grey and to the colour-blind.
Colour heat(double t);

}  // namespace unmask
