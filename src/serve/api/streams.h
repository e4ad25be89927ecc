// The streams that are open, so that silence can be broken.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

namespace unmask {

class OpenStream {
 public:
  virtual ~OpenStream() = default;
  /// Writes a comment when nothing has been written for `silence`: proxies close what is still.
  virtual void break_silence(std::chrono::milliseconds silence) = 0;
};

/// On the server's thread.
class Streams {
 public:
  void add(std::weak_ptr<OpenStream> stream) { streams_.push_back(std::move(stream)); }
  void break_silence(std::chrono::milliseconds silence) {
    std::erase_if(streams_, [](const auto& stream) { return stream.expired(); });
    for (const auto& stream : streams_) {
      if (const auto open = stream.lock()) open->break_silence(silence);
    }
  }

 private:
  std::vector<std::weak_ptr<OpenStream>> streams_;
};

}  // namespace unmask
