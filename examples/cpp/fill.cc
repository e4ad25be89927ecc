// Fills the holes of a text, "___" or with a number of tokens "___{6}": fill MODEL TEXT
#include <iostream>
#include <unmask/unmask.h>

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: fill MODEL TEXT\n";
    return 2;
  }
  const unmask::Model model(argv[1]);
  std::cout << model.generate(model.prepare_fill(argv[2])).text << "\n";
  return 0;
} catch (const unmask::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
