// Answers a question: complete MODEL QUESTION
#include <iostream>
#include <unmask/unmask.h>

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: complete MODEL QUESTION\n";
    return 2;
  }
  const unmask::Model model(argv[1]);
  std::cout << model.generate(argv[2]).text << "\n";
  return 0;
} catch (const unmask::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
