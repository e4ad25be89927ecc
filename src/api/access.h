// What the handles of the interface stand for.
//
// The interface lives in unmask_v0, everything else in unmask: here `unmask::Model` is the engine's
// and `Model` the one that programs see.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "api/turns.h"
#include "generate/request.h"
#include "session/constraints.h"
#include "session/model.h"
#include "unmask/model.h"

namespace unmask_v0 {

struct Cancellation::Data {
  std::atomic<bool> raised{false};
  std::mutex mutex;
  std::atomic<bool>* working = nullptr;  // the flag that ends the work that is being done for it
};

struct Model::Data {
  Data(const unmask::ModelFiles& files, unmask::LoadOptions options);

  std::atomic<bool> stop{false};  // the backend ends a pass when it is raised
  unmask::Model model;
  ModelInfo info;
  unmask::Constraints constraints;
  Turns turns;  // of those who compute
};

struct Request::Data {
  unmask::Request request;
  std::weak_ptr<Model::Data> model;  // it was made for
  int shown_from = 0;                // position where its text begins
  bool filled = false;               // all of it is shown, not the answer alone
  std::vector<std::string> notes{};
};

/// Opens handles to the files of this folder.
struct Access {
  static const std::shared_ptr<Model::Data>& of(const Model& model) { return model.data_; }
  static const std::shared_ptr<Cancellation::Data>& of(const Cancellation& c) { return c.data_; }
  static const std::shared_ptr<const Request::Data>& of(const Request& r) { return r.data_; }
  static Request make(Request::Data data);
  /// Throws Error (misuse) when it was not made for that model.
  static const Request::Data& request_for(const Model& model, const Request& request);
};

}  // namespace unmask_v0
