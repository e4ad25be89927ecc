// One request being answered.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "serve/http/message.h"

namespace unmask::http {

/// Why nobody waits for an answer any more.
enum class Gone {
  disconnect,   // the client closed its side, or the connection broke
  slow_client,  // it read so slowly that its queue overflowed or a write took too long
  stopped       // the server did
};

/// Either one reply(), or start_stream(), writes and finish(). Everything, also letting go of the
/// last pointer, happens on the thread that runs the server. An exchange that is let go without an
/// end becomes a 500, or cuts its stream. What comes after the end or after the client has gone is
/// dropped; nothing follows the end of a stream.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const Request& request() const = 0;
  virtual const Peer& peer() const = 0;
  /// 16 hexadecimal digits, sent as X-Request-Id.
  virtual const std::string& id() const = 0;

  /// Throws LogicError when a stream has begun.
  virtual void reply(Reply reply) = 0;

  /// Sends status 200 and the headers at once; `more` comes beside those of every reply. Chunks for
  /// HTTP/1.1, for HTTP/1.0 text that ends with the connection.
  virtual void start_stream(const std::string& content_type, const Headers& more) = 0;
  /// Queues bytes behind what waits. A client whose queue would overflow (Limits::queue) is
  /// dropped.
  virtual void write(std::string bytes) = 0;
  virtual void finish() = 0;

  /// Bytes that the client has not taken yet, less what the system holds.
  virtual size_t queued_bytes() const = 0;
  /// False after the end and when the client has gone.
  virtual bool open() const = 0;
  /// Called once when the client goes before the end, from the server's loop and never from inside
  /// another call of this class; at once when it has gone already.
  virtual void on_gone(std::function<void(Gone)> callback) = 0;
};

}  // namespace unmask::http
