#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include "arrays.h"
#include "events.h"
#include "gil.h"
#include "module.h"
#include "options.h"

namespace unmask::python {

namespace py = pybind11;

namespace {

Model load(const std::string& path, const py::object& progress, const py::kwargs& arguments) {
  auto options = options_of<LoadOptions>(arguments);
  const Cancellation cancellation;
  options.progress = [&](double share) {
    if (cancellation.cancelled()) return false;
    if (progress.is_none()) return true;
    const py::gil_scoped_acquire acquire;
    return !progress(share).equal(py::bool_(false));
  };
  return interruptible(cancellation, [&] { return Model(path, options); });
}

std::vector<Message> messages_of(const py::iterable& conversation) {
  std::vector<Message> messages;
  for (const py::handle message : conversation) {
    messages.push_back(
        {message["role"].cast<std::string>(), message["content"].cast<std::string>()});
  }
  return messages;
}

/// A callback of Python as one of the library: None goes on, False cancels.
StepCallback callback_of(const py::object& on_step) {
  if (on_step.is_none()) return {};
  return [&on_step](const StepEvent& event) {
    const py::gil_scoped_acquire acquire;
    return !on_step(KeptEvent(event)).equal(py::bool_(false));
  };
}

Question question_of(const py::dict& asked) {
  Question question{.kind = QuestionKind::yes_no, .text = asked["text"].cast<std::string>()};
  for (const auto& [name, kind] :
       {std::pair("choices", QuestionKind::choice), std::pair("levels", QuestionKind::level)}) {
    if (!asked.contains(name)) continue;
    question.kind = kind;
    for (const py::handle option : asked[name])
      question.options.push_back({option.cast<std::string>(), {}});
  }
  return question;
}

py::array_t<Token> canvas_of(const Request& request) {
  return array_of(std::vector<Token>(request.tokens().begin(), request.tokens().end()));
}

void define_info(py::module_& m) {
  py::class_<ModelInfo>(m, "ModelInfo", "What a model is.")
      .def_readonly("name", &ModelInfo::name)
      .def_readonly("path", &ModelInfo::path)
      .def_readonly("family", &ModelInfo::family)
      .def_readonly("dtype", &ModelInfo::dtype)
      .def_readonly("device", &ModelInfo::device)
      .def_readonly("note", &ModelInfo::note)
      .def_readonly("vocab_size", &ModelInfo::vocab_size)
      .def_readonly("layers", &ModelInfo::layers)
      .def_readonly("dim", &ModelInfo::dim)
      .def_readonly("heads", &ModelInfo::heads)
      .def_readonly("kv_heads", &ModelInfo::kv_heads)
      .def_readonly("head_dim", &ModelInfo::head_dim)
      .def_readonly("max_positions", &ModelInfo::max_positions)
      .def_readonly("threads", &ModelInfo::threads)
      .def_readonly("mask_id", &ModelInfo::mask_id)
      .def_readonly("stop_ids", &ModelInfo::stop_ids)
      .def_readonly("parameters", &ModelInfo::parameters)
      .def_readonly("weight_bytes", &ModelInfo::weight_bytes);
  py::class_<Request>(m, "Request", "A canvas that is ready to be denoised.")
      .def_property_readonly("tokens", &canvas_of)
      .def_property_readonly("prompt_length", &Request::prompt_length)
      .def_property_readonly("block_length", &Request::block_length)
      .def_property_readonly("steps", &Request::steps)
      .def_property_readonly("method", &Request::method)
      .def_property_readonly("notes", &Request::notes);
}

}  // namespace

void define_model(py::module_& m) {
  define_info(m);
  py::class_<Model>(m, "Model")
      .def(py::init(&load), py::arg("path"), py::kw_only(), py::arg("progress") = py::none())
      .def_property_readonly("info", &Model::info)
      .def("encode",
           [](const Model& m, const std::string& text) { return array_of(m.encode(text)); })
      .def("decode", [](const Model& m, const Tokens& tokens,
                        bool skip) { return m.decode(view(tokens), skip); })
      .def("chat_text",
           [](const Model& m, const py::iterable& conversation, const py::kwargs& options) {
             return m.chat_text(messages_of(conversation), options_of<RequestOptions>(options));
           })
      .def("prepare",
           [](const Model& m, const std::string& prompt, const py::kwargs& options) {
             return m.prepare(prompt, options_of<RequestOptions>(options));
           })
      .def("prepare_chat",
           [](const Model& m, const py::iterable& conversation, const py::kwargs& options) {
             return m.prepare_chat(messages_of(conversation), options_of<RequestOptions>(options));
           })
      .def("prepare_tokens",
           [](const Model& m, const Tokens& tokens, const py::kwargs& options) {
             return m.prepare_tokens(view(tokens), options_of<RequestOptions>(options));
           })
      .def("prepare_fill",
           [](const Model& m, const std::string& text, const std::string& question,
              const py::kwargs& options) {
             return m.prepare_fill(text, options_of<RequestOptions>(options), question);
           })
      .def("explain", &Model::explain, py::call_guard<py::gil_scoped_release>())
      .def("run",
           [](const Model& m, const Request& request, const py::object& on_step) {
             const Cancellation cancellation;
             const StepCallback callback = callback_of(on_step);
             return interruptible(cancellation,
                                  [&] { return m.generate(request, callback, cancellation); });
           })
      .def("score",
           [](const Model& m, const std::string& prompt, const std::string& answer, bool raw,
              std::optional<std::string> system, std::optional<std::string> chat_template,
              int samples, uint64_t seed) {
             const Cancellation cancellation;
             const ScoreOptions options{.raw = raw,
                                        .system = std::move(system),
                                        .chat_template = std::move(chat_template),
                                        .samples = samples,
                                        .seed = seed};
             return interruptible(cancellation,
                                  [&] { return m.score(prompt, answer, options, cancellation); });
           })
      .def("score_tokens",
           [](const Model& m, const Tokens& prompt, const Tokens& answer, int samples,
              uint64_t seed) {
             const Cancellation cancellation;
             const auto given = view(prompt);
             const auto asked = view(answer);
             return interruptible(cancellation, [&] {
               return m.score_tokens(given, asked, {.samples = samples, .seed = seed},
                                     cancellation);
             });
           })
      .def("decide",
           [](const Model& m, const std::string& state, const std::vector<py::dict>& asked,
              std::optional<std::string> chat_template, bool text_labels, int permutations,
              std::optional<std::string> calibration) {
             std::vector<Question> questions;
             questions.reserve(asked.size());
             for (const py::dict& question : asked) questions.push_back(question_of(question));
             const Cancellation cancellation;
             const DecideOptions options{.chat_template = std::move(chat_template),
                                         .text_labels = text_labels,
                                         .permutations = permutations,
                                         .calibration = std::move(calibration)};
             return interruptible(
                 cancellation, [&] { return m.decide(state, questions, options, cancellation); });
           });
}

}  // namespace unmask::python
